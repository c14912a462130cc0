package control_test

import (
	"context"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/provider/fake"
)

func TestStopWhileRunning(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	p := b.plane()
	r := p.start("j")
	b.started(r.ID)
	p.stop(r)
	p.stop(r) // STOPPING, or STOPPED already
	r = b.want(r.ID, remora.Stopped)
	if got := b.watch.states(t, r.ID); got != "STARTING RUNNING STOPPING STOPPED" {
		t.Errorf("the run was %s", got)
	}
	if r.ExecutionTime <= 0 || r.DPUSeconds != 240 {
		t.Errorf("execution time %s, %v DPU-seconds; what was used is billed", r.ExecutionTime, r.DPUSeconds)
	}
	p.stop(r)
	if again := b.run(r.ID); again.State != remora.Stopped || !again.LastModifiedOn.Equal(r.LastModifiedOn) {
		t.Errorf("stopping a run that has ended changed it: %+v", again)
	}
}

// Between STOPPING and STOPPED a second request finds a script that takes its
// time; it changes nothing.
func TestStopTwice(t *testing.T) {
	b := newBed(t)
	b.job("j", "trap 'touch $out/asked; while [ ! -e $out/leave ]; do sleep 0.02; done; exit 0' TERM\n"+hold)
	p := b.plane()
	r := p.start("j")
	b.started(r.ID)
	p.stop(r)
	b.eventually(func() bool { return exists(b.out("asked")) }, "the script was not asked to end")
	p.stop(r)
	if s := b.run(r.ID).State; s != remora.Stopping {
		t.Errorf("the run is %s, its script has not ended", s)
	}
	b.touch("leave")
	b.want(r.ID, remora.Stopped)
}

// A script that ends with a failure because it was asked to end has not failed,
// and is not retried.
func TestStopOfRunWithRetries(t *testing.T) {
	b := newBed(t)
	b.job("j", "trap 'exit 7' TERM\n"+hold, func(j *remora.Job) { j.MaxRetries = 3 })
	p := b.plane()
	r := p.start("j")
	b.started(r.ID)
	p.stop(r)
	b.want(r.ID, remora.Stopped)
	if runs, _, err := b.store.ListRuns(t.Context(), "j", remora.Page{Limit: 10}); err != nil || len(runs) != 1 {
		t.Errorf("a stopped run was retried: %s (%v)", describe(runs...), err)
	}
}

func TestScriptIgnoresSIGTERM(t *testing.T) {
	b := newBed(t)
	b.job("j", "trap '' TERM\n"+hold)
	p := b.newPlane(func(c *control.Config) { c.Grace = 50 * time.Millisecond })
	r := p.start("j")
	b.started(r.ID)
	p.stop(r)
	b.want(r.ID, remora.Stopped)
}

func TestStopWhileStarting(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	starting := make(chan struct{})
	b.host.Inject(fake.Faults{Start: func(ctx context.Context, _ int) error {
		close(starting)
		<-ctx.Done()
		return ctx.Err()
	}})
	p := b.plane()
	r := p.start("j")
	<-starting
	p.stop(r)
	r = b.want(r.ID, remora.Stopped)
	if got := b.watch.states(t, r.ID); got != "STARTING STOPPING STOPPED" {
		t.Errorf("the run was %s", got)
	}
	if b.executions(r.ID) != 0 || r.DPUSeconds != 0 {
		t.Errorf("executed %d times, %v DPU-seconds", b.executions(r.ID), r.DPUSeconds)
	}
}

func TestStopWhileWaiting(t *testing.T) {
	b := newBed(t)
	b.job("j", hold, queuing)
	p := b.plane()
	first, second := p.start("j"), p.start("j")
	if second.State != remora.Waiting {
		t.Fatalf("the second run is %s", second.State)
	}
	p.stop(second)
	b.want(second.ID, remora.Stopped)
	if got := b.watch.states(t, second.ID); got != "WAITING STOPPING STOPPED" {
		t.Errorf("the run was %s", got)
	}
	b.touch("go")
	b.want(first.ID, remora.Succeeded)
}

// A stop can meet a run at any point between two steps. Whatever it meets, the
// run ends, once, and only a script that was not started in time is left out.
func TestStopAtEachStep(t *testing.T) {
	for _, step := range steps[1:] {
		for _, when := range []string{"before ", "after "} {
			if when+step == "after "+endStored {
				continue
			}
			t.Run(when+step, func(t *testing.T) {
				b := newBed(t)
				b.job("j", note)
				p := b.plane()
				p.holdAt(when + step)
				r := p.start("j")
				<-p.held
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					p.stop(r)
				}()
				if when == "after " { // before, the run's transaction is in the way
					<-stopped
				}
				close(p.release)
				<-stopped
				end := b.ended(r.ID)
				if end.State != remora.Stopped && end.State != remora.Succeeded {
					t.Errorf("the run is %s: %s", end.State, end.ErrorMessage)
				}
				if n := b.executions(r.ID); n > 1 || end.State == remora.Succeeded && n == 0 {
					t.Errorf("the script was executed %d times, the run is %s", n, end.State)
				}
			})
		}
	}
}

// The answer to StartJobRun is on its way when the run is stopped, or has even
// ended: it must not be driven a second time.
func TestStopBeforeTheRunIsDriven(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	p := b.plane()
	p.holdAt("after " + accepted)
	accepted := make(chan remora.Run)
	go func() {
		r, _ := p.accept(control.StartRequest{JobName: "j"})
		accepted <- r
	}()
	<-p.held
	open, err := b.store.OpenRuns(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("open runs: %s (%v)", describe(open...), err)
	}
	p.stop(open[0])
	r := b.want(open[0].ID, remora.Stopped)
	close(p.release)
	<-accepted
	b.eventually(func() bool { return p.runs.Open() == 0 }, "the run is still driven")
	if again := b.run(r.ID); b.executions(r.ID) != 0 || again.State != remora.Stopped || again.Outcome != nil {
		t.Errorf("a run that had ended was driven again: %s", describe(again))
	}
}

// The request was stored, and its client told otherwise: it asks again.
func TestStopWhoseAnswerWasLost(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	p := b.plane()
	r := p.start("j")
	b.started(r.ID)
	p.fault("after "+stopStored, 1)
	if err := p.runs.Stop(t.Context(), "j", r.ID); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
	}
	p.stop(r)
	b.want(r.ID, remora.Stopped)
}

// A script that nothing can stop ends with its cluster.
func TestStopFails(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	p := b.plane()
	r := p.start("j")
	b.started(r.ID)
	p.fault("at "+driverStopped, 1)
	p.stop(r)
	if r := b.want(r.ID, remora.Stopped); r.ExecutionTime <= 0 {
		t.Errorf("execution time %s", r.ExecutionTime)
	}
}

func TestTimeout(t *testing.T) {
	b := newBed(t)
	b.job("j", hold, func(j *remora.Job) { j.MaxRetries = 3 })
	p := b.plane()
	r := p.request(control.StartRequest{JobName: "j", Timeout: 200 * time.Millisecond})
	r = b.want(r.ID, remora.TimedOut, "timeout of 200ms")
	if r.ExecutionTime < 200*time.Millisecond {
		t.Errorf("execution time %s", r.ExecutionTime)
	}
	if runs, _, err := b.store.ListRuns(t.Context(), "j", remora.Page{Limit: 10}); err != nil || len(runs) != 1 {
		t.Errorf("a run that timed out was retried: %s (%v)", describe(runs...), err)
	}
}

// The time counts from the script's start, whoever looks after it.
func TestTimeoutAfterRestart(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	p := b.plane()
	r := p.start("j")
	b.started(r.ID)
	p.kill()
	p = b.newPlane()
	p.older = time.Hour
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	b.want(r.ID, remora.TimedOut, "timeout of 60 minutes")
}
