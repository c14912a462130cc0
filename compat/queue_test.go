package compat

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/remora-project/remora/provider/fake"
)

func queued(in *glue.StartJobRunInput) { in.JobRunQueuingEnabled = aws.Bool(true) }

func TestLimitOfConcurrentRuns(t *testing.T) {
	b := newBed(t)
	job := definition("job", b.upload(waitsForGate))
	job.ExecutionProperty = &types.ExecutionProperty{MaxConcurrentRuns: 2}
	b.create(job)
	first, second := b.start("job", b.withGate("first")), b.start("job", b.withGate("second"))
	_, err := b.glue.StartJobRun(b.Context(), &glue.StartJobRunInput{JobName: aws.String("job")})
	is[*types.ConcurrentRunsExceededException](t, err, "Concurrent runs exceeded for job")

	b.openGate("first")
	b.await("job", first, types.JobRunStateSucceeded)
	third := b.start("job", b.withGate("second"))
	b.openGate("second")
	b.await("job", second, types.JobRunStateSucceeded)
	b.await("job", third, types.JobRunStateSucceeded)
}

// Waiting runs start in the order of their acceptance; a greater limit lets
// them start at once.
func TestQueue(t *testing.T) {
	b := newBed(t)
	job := definition("job", b.upload(waitsForGate))
	job.JobRunQueuingEnabled = aws.Bool(true)
	b.create(job)
	var ids []string
	for _, gate := range []string{"0", "1", "2", "3"} {
		ids = append(ids, b.start("job", b.withGate(gate)))
	}
	b.await("job", ids[0], types.JobRunStateRunning)
	for _, id := range ids[1:] {
		if s := b.run("job", id).JobRunState; s != types.JobRunStateWaiting {
			t.Errorf("run %s is %s behind a limit of one", id, s)
		}
	}
	b.openGate("0")
	b.await("job", ids[0], types.JobRunStateSucceeded)
	b.await("job", ids[1], types.JobRunStateRunning)
	if s := b.run("job", ids[2]).JobRunState; s != types.JobRunStateWaiting {
		t.Errorf("the third run is %s while the second one runs", s)
	}

	update := &types.JobUpdate{Role: job.Role, Command: job.Command, WorkerType: job.WorkerType, NumberOfWorkers: job.NumberOfWorkers,
		JobRunQueuingEnabled: job.JobRunQueuingEnabled, ExecutionProperty: &types.ExecutionProperty{MaxConcurrentRuns: 2}}
	if _, err := b.glue.UpdateJob(b.Context(), &glue.UpdateJobInput{JobName: aws.String("job"), JobUpdate: update}); err != nil {
		t.Fatal(err)
	}
	b.await("job", ids[2], types.JobRunStateRunning)
	b.stop("job", ids[3])
	if r := b.await("job", ids[3], types.JobRunStateStopped); r.ExecutionTime != 0 {
		t.Errorf("a run that never started is said to have taken %d s", r.ExecutionTime)
	}
	b.openGate("1")
	b.openGate("2")
	b.await("job", ids[1], types.JobRunStateSucceeded)
	b.await("job", ids[2], types.JobRunStateSucceeded)
}

func TestStopWhileTheClusterStarts(t *testing.T) {
	b := newBed(t)
	starting := make(chan struct{})
	b.host.Inject(fake.Faults{Start: func(ctx context.Context, _ int) error {
		close(starting)
		<-ctx.Done()
		return ctx.Err()
	}})
	b.create(definition("job", b.upload(waitsForGate)))
	id := b.start("job")
	select {
	case <-starting:
	case <-time.After(within):
		t.Fatalf("within %s no cluster was started", within)
	}
	if s := b.run("job", id).JobRunState; s != types.JobRunStateStarting {
		t.Errorf("the run is %s while its cluster starts", s)
	}
	b.stop("job", id)
	r := b.await("job", id, types.JobRunStateStopped)
	if r.ExecutionTime != 0 || aws.ToFloat64(r.DPUSeconds) != 0 || r.ErrorMessage != nil {
		t.Errorf("the run cost %v, took %d s and says %q", aws.ToFloat64(r.DPUSeconds), r.ExecutionTime, aws.ToString(r.ErrorMessage))
	}
}

func TestTimeout(t *testing.T) {
	b := newBed(t, func(b *bed) { b.timeout = time.Second })
	b.create(definition("job", b.upload(waitsForGate)))
	r := b.await("job", b.start("job", b.withGate("never")), types.JobRunStateTimeout)
	if r.ErrorMessage == nil || r.CompletedOn == nil {
		t.Errorf("the run that timed out says %v at %v", r.ErrorMessage, r.CompletedOn)
	}
}

func TestRunsOutliveTheServer(t *testing.T) {
	b := newBed(t)
	b.create(definition("job", b.upload(waitsForGate)))
	running, waiting := b.start("job", b.withGate("gate")), b.start("job", b.withGate("gate"), queued)
	b.await("job", running, types.JobRunStateRunning)
	page, err := b.glue.GetJobRuns(b.Context(), &glue.GetJobRunsInput{JobName: aws.String("job"), MaxResults: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	b.close()
	b.openGate("gate")
	b.open()
	b.await("job", running, types.JobRunStateSucceeded)
	b.await("job", waiting, types.JobRunStateSucceeded)
	rest, err := b.glue.GetJobRuns(b.Context(), &glue.GetJobRunsInput{JobName: aws.String("job"), NextToken: page.NextToken})
	if err != nil || len(rest.JobRuns) != 1 || *rest.JobRuns[0].Id != running {
		t.Errorf("a token from before the restart gives %v, %v", rest, err)
	}
}

func TestFailedRunsAreRetried(t *testing.T) {
	b := newBed(t)
	job := definition("job", b.upload("import os\nif os.environ['attempt']: raise SystemExit(3)"))
	job.MaxRetries = 1
	b.create(job)
	first := b.start("job", func(in *glue.StartJobRunInput) { in.Arguments = map[string]string{"--attempt": "x"} })
	b.await("job", first, types.JobRunStateFailed)
	r := b.await("job", first+"_attempt_1", types.JobRunStateFailed)
	if r.Attempt != 1 || aws.ToString(r.PreviousRunId) != first || r.Arguments["--attempt"] != "x" {
		t.Errorf("the retry is attempt %d of %s with %v", r.Attempt, aws.ToString(r.PreviousRunId), r.Arguments)
	}
	if runs, err := b.glue.GetJobRuns(b.Context(), &glue.GetJobRunsInput{JobName: aws.String("job")}); err != nil || len(runs.JobRuns) != 2 {
		t.Errorf("there are %v runs, %v; want 2", runs, err)
	}
}
