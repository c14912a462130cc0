package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/remora-project/remora"
)

// driverID names the one driver of a job run's cluster.
const driverID = "script"

// drive takes one run to its end.
type drive struct {
	*Runs
	run      remora.Run // as last stored by this goroutine
	log      *slog.Logger
	born     time.Time
	stop     chan struct{} // closed when the run is asked to stop
	stopOnce sync.Once
}

// live is the whole life of a run, from whatever state it is in. It returns
// early only if ctx ends or the store fails for good; the next control plane
// then goes on.
func (d *drive) live(ctx context.Context) {
	cluster, outcome := d.cluster(ctx)
	if ctx.Err() != nil {
		return
	}
	if outcome == nil {
		if outcome = d.attend(ctx, cluster); outcome == nil {
			return // ctx ended
		}
	}
	if !d.settle(ctx, *outcome) {
		return
	}
	if cluster != nil && !d.takeDown(ctx, cluster) {
		return
	}
	d.finish(ctx)
}

// cluster returns the run's cluster, adopted or new. If there is none it
// returns how the run ends for that reason.
func (d *drive) cluster(ctx context.Context) (remora.Cluster, *remora.Outcome) {
	if d.run.State == remora.Stopping || d.run.Outcome != nil {
		d.stopOnce.Do(func() { close(d.stop) })
	}
	if d.run.Handle != nil {
		c, err := d.adopt(ctx)
		switch {
		case err == nil:
			return c, d.run.Outcome
		case ctx.Err() != nil:
			return nil, nil
		case d.run.Outcome != nil:
			return nil, d.run.Outcome
		case remora.KindOf(err) != remora.NotFound:
			return nil, failed("The run's cluster could not be taken over after a restart of the control plane: %s", message(err))
		case d.run.State == remora.Running:
			return nil, failed("The run's processes died while the control plane was down: %s", message(err))
		}
		// Not running yet: its script has never been started.
	}
	if d.run.Outcome != nil {
		return nil, d.run.Outcome
	}
	select {
	case <-d.stop:
		return nil, &remora.Outcome{State: remora.Stopped}
	default:
	}
	// Stopping a run ends its provisioning.
	pctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.stop:
			cancel()
		case <-pctx.Done():
		}
	}()
	c, err := d.provision(pctx)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, nil
	case pctx.Err() != nil:
		return nil, &remora.Outcome{State: remora.Stopped}
	}
	d.log.Warn("run could not be provisioned", "err", err)
	return nil, failed("%s", message(err))
}

// adopt takes over the cluster of a run that an earlier control plane started;
// failures other than NotFound are tried again for a while.
func (d *drive) adopt(ctx context.Context) (remora.Cluster, error) {
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		c, err := d.cfg.Provider.Adopt(ctx, d.run.Handle)
		if err == nil || remora.KindOf(err) == remora.NotFound || wait > 10*time.Second {
			return c, err
		}
		d.log.Warn("cluster cannot be taken over yet", "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// attend starts the script, or finds it running, and stays with it until it has
// ended. It returns nil if ctx ends first.
func (d *drive) attend(ctx context.Context, cluster remora.Cluster) *remora.Outcome {
	proc, outcome := d.launch(ctx, cluster)
	if proc == nil {
		return outcome
	}
	type result struct {
		exit remora.Exit
		err  error
	}
	ended := make(chan result, 1)
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		exit, err := proc.Wait(wctx)
		ended <- result{exit, err}
	}()
	elapsed, err := proc.Elapsed(ctx)
	if err != nil {
		d.log.Warn("elapsed time unknown, timeout counts from now", "err", err)
	}
	timeout := time.NewTimer(d.run.Plan.Timeout - elapsed)
	defer timeout.Stop()

	var res result
	var why remora.RunState
	select {
	case res = <-ended:
	case <-d.stop:
		why = remora.Stopped
	case <-timeout.C:
		why = remora.TimedOut
	case <-ctx.Done():
		return nil
	}
	if why != "" {
		if err := proc.Stop(ctx, d.cfg.Grace); err != nil && ctx.Err() == nil {
			d.log.Error("script could not be stopped", "err", err)
		}
		select {
		case res = <-ended:
		case <-ctx.Done():
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return d.judge(why, res.exit, res.err)
}

// launch records RUNNING and then starts the script; a script that was started
// before is found again.
func (d *drive) launch(ctx context.Context, cluster remora.Cluster) (remora.Process, *remora.Outcome) {
	if d.run.State == remora.Starting {
		err := d.change(ctx, func(r *remora.Run) {
			if r.State == remora.Starting {
				r.State = remora.Running
			}
		})
		if err != nil {
			return nil, d.lost(ctx, err)
		}
	}
	if d.run.State == remora.Stopping {
		// Asked to stop; if the script is running it is stopped in attend.
		p, err := cluster.Process(ctx, driverID)
		if err != nil {
			return nil, &remora.Outcome{State: remora.Stopped}
		}
		return p, nil
	}
	driver, err := d.driver(ctx)
	if err != nil {
		return nil, d.lost(ctx, err)
	}
	p, err := cluster.Run(ctx, driver)
	if err != nil {
		return nil, d.lost(ctx, err)
	}
	return p, nil
}

// lost turns an error into the run's end, unless the control plane is closing.
func (d *drive) lost(ctx context.Context, err error) *remora.Outcome {
	if ctx.Err() != nil {
		return nil
	}
	return failed("%s", message(err))
}

// settle stores how the run ends, before its cluster is taken down. A run that
// was asked to stop ends as stopped, whatever its script did in the meantime.
func (d *drive) settle(ctx context.Context, o remora.Outcome) bool {
	if d.run.Outcome != nil {
		return true
	}
	err := d.change(ctx, func(r *remora.Run) {
		if r.State == remora.Stopping {
			o.State, o.ErrorMessage = remora.Stopped, ""
		}
		r.Outcome = &o
	})
	return err == nil
}

// takeDown ends the cluster. It reports false if ctx ended first.
func (d *drive) takeDown(ctx context.Context, c remora.Cluster) bool {
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		err := c.Stop(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.log.Error("cluster could not be taken down", "err", err)
		if wait > 30*time.Second {
			d.tell(ctx, "the cluster could not be taken down, something of it may be left: %s", message(err))
			return true
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}

// finish records the end and, in the same transaction, the retry that is due.
func (d *drive) finish(ctx context.Context) {
	var next *remora.Run
	err := d.changeWith(ctx, func(r *remora.Run) *remora.Run {
		o, now := r.Outcome, d.cfg.Now()
		r.State, r.ErrorMessage, r.ExecutionTime = o.State, o.ErrorMessage, o.ExecutionTime
		r.DPUSeconds = remora.BilledSeconds(o.ExecutionTime) * r.Plan.MaxCapacity()
		r.Outcome = nil
		r.CompletedOn = now
		if earliest := r.StartedOn.Add(o.ExecutionTime); now.Before(earliest) {
			r.CompletedOn = earliest // the wall clock was set back meanwhile
		}
		next = nil
		if r.State == remora.Failed && r.Attempt < r.Plan.MaxRetries {
			next = retry(*r, now)
		}
		return next
	})
	if err != nil {
		return
	}
	r := d.run
	if err := os.RemoveAll(d.workDir()); err != nil {
		d.log.Warn("work directory could not be removed", "err", err)
	}
	d.log.Info("run ended", "state", r.State, "seconds", r.ExecutionTime.Seconds(), "error", r.ErrorMessage)
	if next != nil {
		d.spawn(*next)
	}
}

// retry is the automatic next attempt of a run that failed.
func retry(r remora.Run, now time.Time) *remora.Run {
	return &remora.Run{
		ID: remora.RetryID(r.ID, r.Attempt+1), JobName: r.JobName, Attempt: r.Attempt + 1, PreviousRunID: r.ID,
		State: remora.Starting, Arguments: r.Arguments, Plan: r.Plan,
		StartedOn: now, LastModifiedOn: now, Document: r.Document,
	}
}

// change stores a change of the run.
func (d *drive) change(ctx context.Context, f func(*remora.Run)) error {
	return d.changeWith(ctx, func(r *remora.Run) *remora.Run { f(r); return nil })
}

// changeWith stores a change of the run and a further run with it. While the
// store refuses to (a full disk), it tries again: what happened to a run must
// not be forgotten.
func (d *drive) changeWith(ctx context.Context, f func(*remora.Run) *remora.Run) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		r, err := d.cfg.Store.ChangeRun(ctx, d.run.ID, func(r *remora.Run) (*remora.Run, error) {
			next := f(r)
			r.LastModifiedOn = d.cfg.Now()
			return next, nil
		})
		if err == nil {
			d.run = r
			return nil
		}
		if ctx.Err() != nil || remora.KindOf(err) != remora.Unavailable {
			d.log.Error("run could not be stored", "err", err)
			return err
		}
		d.log.Warn("run could not be stored, trying again", "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func failed(format string, args ...any) *remora.Outcome {
	return &remora.Outcome{State: remora.Failed, ErrorMessage: fmt.Sprintf(format, args...)}
}

// message is the part of an error that is for the user.
func message(err error) string {
	var e *remora.Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return err.Error()
}
