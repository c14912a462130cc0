package control

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/remora-project/remora"
)

// load reads the run as it is now. It reports false if there is nothing to do:
// the run has ended since it was read, or ctx has.
func (d *drive) load(ctx context.Context) bool {
	err := d.untilStored(ctx, func() error {
		r, err := d.cfg.Store.Run(ctx, "", d.run.ID)
		if err == nil {
			d.run = r
		}
		return err
	})
	return err == nil && !d.run.State.Ended()
}

// record stores the cluster's handle; the provider calls it before the first
// process starts. A run that was asked to stop meanwhile starts none.
func (d *drive) record(ctx context.Context, h remora.Handle) error {
	return d.changeWith(ctx, func(r *remora.Run) (*remora.Run, error) {
		if r.State != remora.Starting {
			return nil, remora.Errorf(remora.WrongState, "control: record handle", r.ID, "the run is %s", r.State)
		}
		r.Handle = h
		return nil, nil
	})
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

// finish records the end and, in the same transaction, the retry that is due.
func (d *drive) finish(ctx context.Context) {
	if err := os.RemoveAll(d.workDir()); err != nil {
		d.log.Warn("work directory could not be removed", "err", err)
	}
	var next *remora.Run
	for attempt := d.run.Attempt + 1; ; attempt++ {
		err := d.changeWith(ctx, func(r *remora.Run) (*remora.Run, error) {
			if r.State.Ended() {
				return nil, errUnchanged // an earlier try was stored, and reported as failed
			}
			next = d.end(r, attempt)
			return next, nil
		})
		if err == nil || errors.Is(err, errUnchanged) {
			break
		}
		if remora.KindOf(err) != remora.AlreadyExists {
			return
		}
		// That attempt has been made already, by hand.
	}
	d.log.Info("run ended", "state", d.run.State, "seconds", d.run.ExecutionTime.Seconds(), "error", d.run.ErrorMessage)
	if next != nil {
		d.spawn(*next)
	}
}

// end turns the outcome of a run into its end, and returns the retry that is
// due, if one is.
func (d *drive) end(r *remora.Run, attempt int) *remora.Run {
	o, now := r.Outcome, d.cfg.Now()
	r.State, r.ErrorMessage, r.ExecutionTime = o.State, o.ErrorMessage, o.ExecutionTime
	r.DPUSeconds = remora.BilledSeconds(o.ExecutionTime) * r.Plan.MaxCapacity()
	r.Outcome = nil
	r.CompletedOn = now
	if earliest := r.StartedOn.Add(o.ExecutionTime); now.Before(earliest) {
		r.CompletedOn = earliest // the wall clock was set back meanwhile
	}
	if r.State != remora.Failed || r.Attempt >= r.Plan.MaxRetries {
		return nil
	}
	return &remora.Run{
		ID: remora.RetryID(r.ID, attempt), JobName: r.JobName, Attempt: attempt, PreviousRunID: r.ID,
		State: remora.Starting, Arguments: r.Arguments, Plan: r.Plan,
		StartedOn: now, LastModifiedOn: now, Document: r.Document,
	}
}

// change stores a change of the run.
func (d *drive) change(ctx context.Context, f func(*remora.Run)) error {
	return d.changeWith(ctx, func(r *remora.Run) (*remora.Run, error) { f(r); return nil, nil })
}

// changeWith stores a change of the run and a further run with it. f may be
// called several times.
func (d *drive) changeWith(ctx context.Context, f func(*remora.Run) (*remora.Run, error)) error {
	return d.untilStored(ctx, func() error {
		r, err := d.cfg.Store.ChangeRun(ctx, d.run.ID, func(r *remora.Run) (*remora.Run, error) {
			next, err := f(r)
			r.LastModifiedOn = d.cfg.Now()
			return next, err
		})
		if err == nil {
			d.run = r
		}
		return err
	})
}

func (d *drive) untilStored(ctx context.Context, call func() error) error {
	return untilStored(ctx, d.log, call)
}

// untilStored calls the store until it no longer refuses for want of space or
// time: what happened must not be forgotten.
func untilStored(ctx context.Context, log *slog.Logger, call func() error) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := call()
		switch {
		case err == nil, ctx.Err() != nil, errors.Is(err, errUnchanged):
			return err
		case remora.KindOf(err) == remora.AlreadyExists, remora.KindOf(err) == remora.WrongState, remora.KindOf(err) == remora.NotFound:
			return err
		case remora.KindOf(err) != remora.Unavailable:
			log.Error("a change could not be stored", "err", err)
			return err
		}
		log.Warn("a change could not be stored, trying again", "err", err)
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}
