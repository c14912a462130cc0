package control

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/modules"
	"github.com/remora-project/remora/session"
)

// attendant takes one session to its end.
type attendant struct {
	*Sessions
	*stopper
	id      string
	session remora.Session // as last stored by live's goroutine, which alone uses it
	log     *slog.Logger
	place   string // names what is the session's own: ids may hold any characters
	stream  string // of its logs

	again bool          // it was asked for once more; guarded by Sessions.mu
	work  chan struct{} // has an element when a statement was submitted

	mu      sync.Mutex
	news    chan struct{} // closed and replaced with each change; closed for good when over
	over    bool          // it is nobody's attendant any more
	client  *session.Client
	running int // the statement that is being run, 0 if none
	output  session.Snapshot
	idle    time.Time // since when nothing runs; zero until the interpreter is ready
}

func newAttendant(c *Sessions, s remora.Session) *attendant {
	return &attendant{Sessions: c, id: s.ID, session: s, log: c.cfg.Log.With("session", s.ID),
		place: session.Place(s.ID), stream: session.LogStream(s.ID),
		stopper: newStopper(), work: make(chan struct{}, 1), news: make(chan struct{})}
}

// watch returns a channel that is closed at the next change. Of an attendant
// that has let go meanwhile there is none to wait for: it is closed already.
func (a *attendant) watch() <-chan struct{} {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.news
}

// changed wakes who waits for news.
func (a *attendant) changed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		close(a.news)
		a.news = make(chan struct{})
	}
}

// letGo is the last change. It comes after another attendant, or none, has taken
// the place of this one: who is woken by it looks again.
func (a *attendant) letGo() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	close(a.news)
}

// submitted says that there is a statement to run.
func (a *attendant) submitted() {
	select {
	case a.work <- struct{}{}:
	default:
	}
}

// live is the whole life of a session, from whatever state it is in. It returns
// early only if there is no such session, ctx ends or the store fails for good;
// the next control plane then goes on.
func (a *attendant) live(ctx context.Context) {
	err := untilStored(ctx, a.log, func() error {
		s, err := a.cfg.Store.Session(ctx, a.id)
		if err == nil {
			a.session = s
		}
		return err
	})
	if err != nil || a.session.Closed {
		return
	}
	if a.session.State == remora.SessionStopping || a.session.State.Ended() {
		a.askToStop()
	}
	cluster, end := a.cluster(ctx)
	if ctx.Err() != nil {
		return
	}
	if end == nil {
		if end = a.attend(ctx, cluster); end == nil {
			return // ctx ended
		}
	}
	if !a.settle(ctx, *end) {
		return
	}
	if cluster != nil {
		if a.session.State != remora.SessionFailed {
			a.quit(ctx, cluster)
		}
		if ctx.Err() != nil || !takeDown(ctx, a.log, cluster, func(line string) { a.tell(ctx, "%s", line) }) {
			return
		}
	}
	a.close(ctx)
}

// ending is how a session ends.
type ending struct {
	state   remora.SessionState // SessionStopped: if nothing else is stored already
	message string
	elapsed time.Duration // of the interpreter
}

func failedSession(format string, args ...any) *ending {
	return &ending{state: remora.SessionFailed, message: fmt.Sprintf(format, args...)}
}

// cluster returns the session's cluster, adopted or new, or how the session
// ends for want of one.
func (a *attendant) cluster(ctx context.Context) (remora.Cluster, *ending) {
	if a.session.Handle != nil {
		c, err := a.cfg.adopt(ctx, a.log, a.session.Handle)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return nil, nil
		case remora.KindOf(err) != remora.NotFound && !a.cfg.remove(ctx, a.log, a.session.Handle):
			return nil, nil
		case a.askedToStop():
			return nil, &ending{state: remora.SessionStopped}
		case a.session.State != remora.SessionProvisioning:
			return nil, failedSession("The session's processes died while the control plane was down: %s", remora.MessageOf(err))
		}
	}
	if a.askedToStop() {
		return nil, &ending{state: remora.SessionStopped}
	}
	pctx, cancel := a.untilStopped(ctx)
	defer cancel()
	c, err := a.provision(pctx)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, nil
	case pctx.Err() != nil:
		return nil, &ending{state: remora.SessionStopped}
	}
	a.log.Warn("session could not be provisioned", "err", err)
	a.tell(ctx, "the session was not started: %s", remora.MessageOf(err))
	return nil, failedSession("%s", remora.MessageOf(err))
}

func (a *attendant) provision(ctx context.Context) (remora.Cluster, error) {
	p := a.session.Plan
	born := time.Now()
	tell := func(format string, args ...any) { a.tell(ctx, format, args...) }
	c, took, err := a.cfg.provision(ctx, need{
		id: remora.NewClusterID("session"), runtime: p.Command.Runtime, arguments: p.Arguments, workerType: p.WorkerType, workers: p.NumberOfWorkers,
		stream: a.stream, stageDir: a.workDir(), record: a.record, tell: tell,
	})
	if err == nil {
		tell("cluster ready after %s: environment %s, cluster %s", seconds(time.Since(born)), seconds(took.environment), seconds(took.cluster))
	}
	return c, err
}

// record stores the cluster's handle; the provider calls it before the first
// process starts.
func (a *attendant) record(ctx context.Context, h remora.Handle) error {
	return a.change(ctx, func(s *remora.Session) error {
		if s.State != remora.SessionProvisioning {
			return remora.Errorf(remora.WrongState, "control: record handle", s.ID, "the session is %s", s.State)
		}
		s.Handle = h
		return nil
	})
}

// driver is the interpreter's host as a process.
func (a *attendant) driver() (remora.Driver, error) {
	env, err := modules.Load(a.workDir())
	if err != nil {
		return remora.Driver{}, err
	}
	return remora.Driver{ID: session.DriverID, Argv: a.cfg.Interpreter(env.Runtime), Dir: env.WorkingDir,
		Env: parameters(a.session.Plan.Arguments).env}, nil
}

func (a *attendant) workDir() string { return filepath.Join(a.cfg.WorkDir, a.place) }

// tell writes a line of Remora's own into the session's log.
func (a *attendant) tell(ctx context.Context, format string, args ...any) {
	a.cfg.tell(ctx, a.stream, fmt.Sprintf(format, args...))
}

// change stores a change of the session.
func (a *attendant) change(ctx context.Context, f func(*remora.Session) error) error {
	err := untilStored(ctx, a.log, func() error {
		s, err := a.cfg.Store.ChangeSession(ctx, a.id, f)
		if err == nil {
			a.session = s
		}
		return err
	})
	a.changed()
	return err
}

// settle stores how the session ends, before its cluster is taken down, and
// ends its statements. A session that was asked to stop ends as stopped.
func (a *attendant) settle(ctx context.Context, e ending) bool {
	err := a.change(ctx, func(s *remora.Session) error {
		if s.State.Ended() { // settled by an earlier control plane
			e.message = s.ErrorMessage
			return errUnchanged
		}
		if s.ExecutionTime == 0 { // or an earlier control plane came as far; what the end takes is not billed
			s.ExecutionTime = e.elapsed
		}
		if s.State == remora.SessionStopping {
			return nil
		}
		switch {
		case e.state == remora.SessionStopped:
			e.state = remora.SessionStopping
		case s.State == remora.SessionProvisioning: // never ready in time
			e.state = remora.SessionFailed
		}
		s.State, s.ErrorMessage = e.state, e.message
		a.complete(s)
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return false
	}
	return a.endStatements(ctx, e.message)
}

// complete fills in what a session has once it has ended.
func (a *attendant) complete(s *remora.Session) {
	if s.State.Ended() {
		s.CompletedOn = a.cfg.Now()
		s.DPUSeconds = s.ExecutionTime.Seconds() * s.Plan.MaxCapacity()
	}
}

// close stores that nothing of the session is left.
func (a *attendant) close(ctx context.Context) {
	if err := os.RemoveAll(a.workDir()); err != nil {
		a.log.Warn("work directory could not be removed", "err", err)
	}
	err := a.change(ctx, func(s *remora.Session) error {
		if s.Closed {
			return errUnchanged // an earlier try was stored, and reported as failed
		}
		if s.State == remora.SessionStopping {
			s.State = remora.SessionStopped
			a.complete(s)
		}
		s.Closed = true
		return nil
	})
	if err == nil {
		a.log.Info("session ended", "state", a.session.State, "seconds", a.session.ExecutionTime.Seconds(), "error", a.session.ErrorMessage)
	}
}
