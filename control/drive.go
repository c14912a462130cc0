package control

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/remora-project/remora"
)

// driverID names the one driver of a job run's cluster.
const driverID = "script"

// drive takes one run to its end.
type drive struct {
	*Runs
	*stopper
	run   remora.Run // as last stored by this goroutine
	log   *slog.Logger
	born  time.Time
	notes []string // for the run's log, once the outcome is stored
}

// live is the whole life of a run, from whatever state it is in. It returns
// early only if ctx ends or the store fails for good; the next control plane
// then goes on.
func (d *drive) live(ctx context.Context) {
	if !d.load(ctx) {
		return
	}
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
	for _, note := range d.notes { // settled, so there is room on the disk again
		d.tell(ctx, "%s", note)
	}
	if cluster != nil && !takeDown(ctx, d.log, cluster, func(line string) { d.tell(ctx, "%s", line) }) {
		return
	}
	d.finish(ctx)
}

// cluster returns the run's cluster, adopted or new. If there is none it
// returns how the run ends for that reason.
func (d *drive) cluster(ctx context.Context) (remora.Cluster, *remora.Outcome) {
	if d.run.State == remora.Stopping || d.run.Outcome != nil {
		d.askToStop()
	}
	if d.run.Handle != nil {
		c, err := d.cfg.adopt(ctx, d.log, d.run.Handle)
		switch {
		case err == nil:
			return c, d.run.Outcome
		case ctx.Err() != nil:
			return nil, nil
		case remora.KindOf(err) != remora.NotFound && !d.cfg.remove(ctx, d.log, d.run.Handle):
			return nil, nil
		case d.run.Outcome != nil:
			return nil, d.run.Outcome
		case remora.KindOf(err) != remora.NotFound:
			return nil, failed("The run's cluster could not be taken over after a restart of the control plane: %s", remora.MessageOf(err))
		case d.run.State == remora.Running:
			return nil, failed("The run's processes died while the control plane was down: %s", remora.MessageOf(err))
		}
		// Not running yet: its script has never been started.
	}
	if d.run.Outcome != nil {
		return nil, d.run.Outcome
	}
	if d.askedToStop() {
		return nil, &remora.Outcome{State: remora.Stopped}
	}
	pctx, cancel := d.untilStopped(ctx)
	defer cancel()
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
	d.tell(ctx, "the script was not started: %s", remora.MessageOf(err))
	return nil, failed("%s", remora.MessageOf(err))
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
	found := time.Now()
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
		if res.err = proc.Stop(ctx, d.cfg.Grace); res.err == nil {
			select {
			case res = <-ended:
			case <-ctx.Done():
				return nil
			}
		} else if ctx.Err() == nil { // it ends with the cluster, then
			d.log.Error("script could not be stopped", "err", res.err)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if res.err != nil { // nobody saw the end, but this much was used
		res.exit.Elapsed = elapsed + time.Since(found)
	}
	return d.judge(why, res.exit, res.err)
}

// launch records RUNNING and then starts the script; a script that was started
// before is found again.
func (d *drive) launch(ctx context.Context, cluster remora.Cluster) (remora.Process, *remora.Outcome) {
	first := d.run.State == remora.Starting
	if first {
		err := d.change(ctx, func(r *remora.Run) {
			if r.State == remora.Starting {
				r.State = remora.Running
			}
		})
		if err != nil {
			return nil, d.lost(ctx, err)
		}
	}
	if !first || d.run.State == remora.Stopping {
		p, err := cluster.Process(ctx, driverID)
		switch {
		case err == nil:
			return p, nil // to be stopped in attend, if that is asked for
		case ctx.Err() != nil:
			return nil, nil
		case d.run.State == remora.Stopping:
			return nil, &remora.Outcome{State: remora.Stopped}
		case remora.KindOf(err) != remora.NotFound:
			return nil, d.lost(ctx, err)
		}
	}
	// A cluster that was adopted may still be coming up, and Run waits for it.
	sctx, cancel := d.untilStopped(ctx)
	defer cancel()
	driver, err := d.driver()
	if err != nil {
		return nil, d.lost(ctx, err)
	}
	p, err := cluster.Run(sctx, driver)
	if err != nil && sctx.Err() != nil && ctx.Err() == nil {
		p, err = cluster.Process(ctx, driverID) // it may have been started nevertheless
	}
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
	return failed("%s", remora.MessageOf(err))
}

func failed(format string, args ...any) *remora.Outcome {
	return &remora.Outcome{State: remora.Failed, ErrorMessage: fmt.Sprintf(format, args...)}
}
