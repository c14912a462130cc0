package control

import (
	"context"
	"encoding/json"
	"time"

	"github.com/remora-project/remora"
)

// StartRequest asks for a run of a job. Zero values leave a thing as the job
// has it.
type StartRequest struct {
	JobName         string
	RetryOf         string // the id of an ended run to run again
	Arguments       map[string]string
	WorkerType      string
	NumberOfWorkers int
	Queuing         *bool
	Timeout         time.Duration // of the service, since Ray jobs cannot set one
	Document        json.RawMessage
}

// Accept records a new run durably and begins to drive it. Errors: NotFound,
// Invalid, ConcurrentRuns.
func (c *Runs) Accept(ctx context.Context, q StartRequest) (remora.Run, error) {
	const op = "StartJobRun"
	job, err := c.cfg.Store.Job(ctx, q.JobName)
	if err != nil {
		if remora.KindOf(err) == remora.NotFound {
			return remora.Run{}, remora.NotFoundf(op, q.JobName, "Failed to start job run due to missing metadata")
		}
		return remora.Run{}, err
	}
	run := remora.Run{ID: remora.NewRunID(), JobName: job.Name, Arguments: q.Arguments, Document: q.Document}
	if q.RetryOf != "" {
		prev, err := c.cfg.Store.Run(ctx, job.Name, q.RetryOf)
		if err != nil {
			return remora.Run{}, err
		}
		if !prev.State.Ended() {
			return remora.Run{}, remora.Invalidf(op, prev.ID, "Job run %s is %s; only a run that has ended can be retried.", prev.ID, prev.State)
		}
		run.PreviousRunID, run.Attempt = prev.ID, prev.Attempt+1
		if run.Arguments == nil {
			run.Arguments = prev.Arguments
		}
	}
	if run.Plan, err = c.plan(op, job, run.Arguments, q); err != nil {
		return remora.Run{}, err
	}
	run.StartedOn = c.cfg.Now()
	run.LastModifiedOn = run.StartedOn
	queuing := job.Queuing
	if q.Queuing != nil {
		queuing = *q.Queuing
	}
	admit := func(active, waiting int) (remora.RunState, error) {
		switch {
		case active < job.MaxConcurrentRuns && waiting == 0:
			return remora.Starting, nil
		case queuing:
			return remora.Waiting, nil
		case active < job.MaxConcurrentRuns:
			return remora.Starting, nil
		}
		return "", remora.Errorf(remora.ConcurrentRuns, op, job.Name, "Concurrent runs exceeded for %s", job.Name)
	}
	for {
		if q.RetryOf != "" {
			run.ID = remora.RetryID(q.RetryOf, run.Attempt)
		}
		stored, err := c.cfg.Store.CreateRun(ctx, run, admit)
		if remora.KindOf(err) == remora.AlreadyExists && q.RetryOf != "" {
			run.Attempt++ // that attempt was made before
			continue
		}
		if err != nil {
			if remora.KindOf(err) == remora.Unavailable { // maybe of its answer only
				c.promoteLater(job.Name, err)
			}
			return remora.Run{}, err
		}
		if stored.State == remora.Starting {
			c.spawn(stored)
		} else {
			c.Promote(ctx, job.Name) // its predecessor may have ended since
		}
		return stored, nil
	}
}

// plan resolves what the run needs, so that a later change of the job does not
// touch it.
func (c *Runs) plan(op string, j remora.Job, args map[string]string, q StartRequest) (remora.RunPlan, error) {
	p := remora.RunPlan{
		Command: j.Command, Arguments: j.EffectiveArguments(args), WorkerType: j.WorkerType,
		NumberOfWorkers: j.NumberOfWorkers, MaxRetries: j.MaxRetries, GlueVersion: j.GlueVersion, Timeout: q.Timeout,
	}
	if q.WorkerType != "" {
		p.WorkerType = q.WorkerType
	}
	if q.NumberOfWorkers != 0 {
		p.NumberOfWorkers = q.NumberOfWorkers
	}
	t, ok := c.cfg.Sizing.Types[p.WorkerType]
	if !ok {
		return p, remora.Invalidf(op, j.Name, "%s", UnknownWorkerType)
	}
	if err := CheckWorkers(op, j.Name, p.NumberOfWorkers); err != nil {
		return p, err
	}
	p.DPUPerWorker = t.DPU
	return p, CheckParameters(op, p.Arguments)
}

// MaxWorkers is AWS's own quota for the workers of a job.
const MaxWorkers = 299

// CheckWorkers refuses a number of workers that no job can have.
func CheckWorkers(op, subject string, n int) error {
	if n < 1 || n > MaxWorkers {
		return remora.Invalidf(op, subject, "NumberOfWorkers must be between 1 and %d, not %d.", MaxWorkers, n)
	}
	return nil
}

// UnknownWorkerType is the service's own text for a worker type that Ray jobs
// do not have.
const UnknownWorkerType = "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs."
