package control

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/session"
)

// readyPoll is how long the host is asked at a time for its interpreter, and
// how long statements are watched without an answer.
const (
	readyPoll = 2 * time.Second
	watchPoll = 30 * time.Second
)

// attend starts the interpreter, or finds it running, and stays with it until
// the session is to end. It returns nil if ctx ends first.
func (a *attendant) attend(ctx context.Context, cluster remora.Cluster) *ending {
	proc, err := a.launch(ctx, cluster)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		a.tell(ctx, "the session was not started: %s", remora.MessageOf(err))
		return failedSession("%s", remora.MessageOf(err))
	}
	if proc == nil {
		return &ending{state: remora.SessionStopped}
	}
	client := session.NewClient(a.id, func(ctx context.Context) (net.Conn, error) { return cluster.Dial(ctx, session.DriverID) })
	defer client.Close()
	a.mu.Lock()
	a.client = client
	a.mu.Unlock()

	ended := make(chan remora.Exit, 1)
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		exit, err := proc.Wait(wctx)
		if err != nil {
			exit.Error = remora.MessageOf(err)
		}
		ended <- exit
	}()
	elapsed := func() time.Duration {
		t, err := proc.Elapsed(context.WithoutCancel(ctx))
		if err != nil {
			a.log.Warn("elapsed time unknown", "err", err)
		}
		return t
	}
	worked, rests := make(chan struct{}), make(chan struct{}, 1)
	sctx, stopWork := context.WithCancel(ctx)
	died := make(chan string, 1)
	go func() {
		defer close(worked)
		if !a.askedToStop() {
			a.serve(sctx, client, died, rests)
		}
	}()
	e := a.wait(ctx, elapsed, ended, died, rests)
	if e != nil && e.elapsed == 0 {
		e.elapsed = elapsed()
	}
	stopWork()
	<-worked
	if e != nil {
		a.lastOutput(ctx, client)
		a.tell(ctx, "the session ends: %s", e.reason())
	}
	return e
}

func (e *ending) reason() string {
	if e.message != "" {
		return e.message
	}
	return "it was stopped"
}

// launch starts the interpreter's host; nil if the session is asked to stop.
func (a *attendant) launch(ctx context.Context, cluster remora.Cluster) (remora.Process, error) {
	if p, err := cluster.Process(ctx, session.DriverID); err == nil {
		return p, nil
	}
	if a.askedToStop() {
		return nil, nil
	}
	sctx, cancel := a.untilStopped(ctx)
	defer cancel()
	driver, err := a.driver()
	if err != nil {
		return nil, err
	}
	p, err := cluster.Run(sctx, driver)
	if err != nil && sctx.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return p, err
}

// wait returns how the session ends, once it does; nil if ctx ends first.
func (a *attendant) wait(ctx context.Context, elapsed func() time.Duration, ended <-chan remora.Exit, died <-chan string, rests <-chan struct{}) *ending {
	timeout := time.NewTimer(a.session.Plan.Timeout - elapsed())
	defer timeout.Stop()
	idle := time.NewTimer(a.session.Plan.IdleTimeout)
	defer idle.Stop()
	for {
		select {
		case exit := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			select {
			case <-a.stop:
				return &ending{state: remora.SessionStopped, elapsed: exit.Elapsed}
			case words := <-died:
				return &ending{remora.SessionFailed, words, exit.Elapsed}
			default:
			}
			return &ending{remora.SessionFailed, interpreterEnd(exit), exit.Elapsed}
		case words := <-died:
			return failedSession("%s", words)
		case <-a.stop:
			return &ending{state: remora.SessionStopped}
		case <-timeout.C:
			return &ending{state: remora.SessionTimedOut, message: fmt.Sprintf("The session exceeded its timeout of %s.", minutes(a.session.Plan.Timeout))}
		case <-rests: // it may have done so for long, looked after by nobody
			idle.Reset(max(a.idleFor(a.session.Plan.IdleTimeout), 0))
		case <-idle.C:
			left := a.idleFor(a.session.Plan.IdleTimeout)
			if left <= 0 && a.hasWork(ctx) { // just now: serve is about to find it
				left = a.session.Plan.IdleTimeout
			}
			if left <= 0 {
				return &ending{state: remora.SessionTimedOut, message: fmt.Sprintf("The session was idle for %s.", minutes(a.session.Plan.IdleTimeout))}
			}
			idle.Reset(left)
		case <-ctx.Done():
			return nil
		}
	}
}

// interpreterEnd tells how an interpreter died of which nobody has asked its
// host: in the host's own last words, if it had any.
func interpreterEnd(e remora.Exit) string {
	for i, line := range slices.Backward(e.Tail) {
		if words, ok := strings.CutPrefix(line, "remora: "); ok && e.Error == "" {
			return strings.Join(append([]string{words}, e.Tail[i+1:]...), "\n")
		}
	}
	return "The session's interpreter ended. " + exitMessage(e)
}

// quitMargin is how much longer than the grace an answer is waited for.
const quitMargin = 5 * time.Second

// quit lets the interpreter end in order, which includes its exit handlers and
// with them Ray's. What does not end within the grace ends with the cluster.
func (a *attendant) quit(ctx context.Context, cluster remora.Cluster) {
	bound, cancel := context.WithTimeout(ctx, a.cfg.Grace+quitMargin)
	defer cancel()
	p, err := cluster.Process(bound, session.DriverID)
	if remora.KindOf(err) == remora.NotFound {
		return // it was never started
	}
	if err == nil {
		err = p.Stop(bound, a.cfg.Grace)
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("interpreter could not be stopped", "err", err)
	}
}

// idleFor returns what is left of an idle timeout.
func (a *attendant) idleFor(timeout time.Duration) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running != 0 || a.idle.IsZero() {
		return timeout
	}
	return timeout - time.Since(a.idle)
}

// hasWork reports whether a statement waits.
func (a *attendant) hasWork(ctx context.Context) bool {
	open, err := a.cfg.Store.OpenStatements(ctx, a.id)
	return err == nil && len(open) > 0
}

// serve waits for the interpreter and then runs statements, until ctx ends. It
// says so if the interpreter has died, and when it finds nothing to run.
func (a *attendant) serve(ctx context.Context, client *session.Client, died chan<- string, rests chan<- struct{}) {
	if !a.ready(ctx, client, died) {
		return
	}
	for {
		open, err := a.cfg.Store.OpenStatements(ctx, a.id)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Warn("statements cannot be read, trying again", "err", err)
			if !pause(ctx, firstWait) {
				return
			}
		case len(open) == 0:
			select {
			case rests <- struct{}{}:
			default:
			}
			select {
			case <-a.work:
			case <-ctx.Done():
				return
			}
		default:
			if err := a.run(ctx, client, open[0]); err != nil && !pause(ctx, firstWait) {
				return
			}
		}
	}
}

// ready waits until the interpreter is ready and stores it.
func (a *attendant) ready(ctx context.Context, client *session.Client, died chan<- string) bool {
	var i session.Interpreter
	var idle time.Time
	for {
		var err error
		i, err = client.Interpreter(ctx, readyPoll)
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil: // its host is about to listen, or has ended, which is seen elsewhere
			if !pause(ctx, 10*time.Millisecond) {
				return false
			}
			continue
		case i.Died != "":
			died <- i.Died
			return false
		case !i.Ready:
			continue
		}
		idle = time.Now().Add(-i.Idle) // before this control plane was there, too
		break
	}
	err := untilStored(ctx, a.log, func() error {
		_, err := a.cfg.Store.ChangeSession(ctx, a.id, func(s *remora.Session) error {
			if s.State != remora.SessionProvisioning {
				return errUnchanged
			}
			s.State = remora.SessionReady
			idle = time.Now()
			return nil
		})
		return err
	})
	a.mu.Lock()
	a.idle = idle
	a.mu.Unlock()
	a.changed()
	return err == nil || ctx.Err() == nil
}
