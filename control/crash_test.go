package control_test

import (
	"context"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/provider/fake"
)

// moments are all points at which a run's control plane can be killed.
func moments(of []string) (all []string) {
	for _, s := range of {
		all = append(all, "before "+s, "after "+s)
	}
	return all
}

// killedAt starts a run under a control plane that is killed at the given
// moment, and returns the run's id.
func (b *bed) killedAt(moment, job string) string {
	b.t.Helper()
	p := b.plane()
	p.killAtMoment(moment)
	p.accept(control.StartRequest{JobName: job})
	b.eventually(func() bool { return isClosed(p.killed) }, "the control plane did not come to %q", moment)
	p.kill()
	runs, _, err := b.store.ListRuns(b.t.Context(), job, remora.Page{Limit: 10})
	if err != nil || len(runs) == 0 {
		b.t.Fatalf("the run is not there (%v)", err)
	}
	return runs[len(runs)-1].ID
}

func TestKilledAtEachStep(t *testing.T) {
	for _, moment := range moments(steps)[1:] { // before it is accepted there is no run
		t.Run(moment, func(t *testing.T) {
			b := newBed(t)
			b.job("j", note+"echo done\n")
			id := b.killedAt(moment, "j")
			b.plane()
			r := b.want(id, remora.Succeeded)
			if n := b.executions(id); n != 1 {
				t.Errorf("the script was executed %d times", n)
			}
			if r.ExecutionTime <= 0 || r.DPUSeconds != 240 {
				t.Errorf("execution time %s, %v DPU-seconds", r.ExecutionTime, r.DPUSeconds)
			}
		})
	}
}

// The retry is stored with the end of the run that it retries: there are always
// both or neither.
func TestKilledBeforeARetry(t *testing.T) {
	for _, moment := range moments([]string{driverEnded, outcomeStored, clusterStopped, endStored}) {
		t.Run(moment, func(t *testing.T) {
			b := newBed(t)
			b.job("j", failSh, func(j *remora.Job) { j.MaxRetries = 1 })
			first := b.killedAt(moment, "j")
			p := b.plane()
			b.want(first, remora.Failed, "status 3")
			retry := remora.RetryID(first, 1)
			b.want(retry, remora.Failed, "status 3")
			if b.executions(first) != 1 || b.executions(retry) != 1 {
				t.Errorf("executed %d and %d times", b.executions(first), b.executions(retry))
			}
			b.eventually(func() bool { return p.runs.Open() == 0 && b.idle() }, "not all runs have ended")
		})
	}
}

func TestKilledWhileStopping(t *testing.T) {
	for _, moment := range []string{"after " + stopStored, "before " + driverEnded, "before " + outcomeStored, "after " + outcomeStored,
		"before " + clusterStopped, "after " + clusterStopped, "before " + endStored, "after " + endStored} {
		t.Run(moment, func(t *testing.T) {
			b := newBed(t)
			b.job("j", hold)
			p := b.plane()
			r := p.start("j")
			b.started(r.ID)
			p.killAtMoment(moment)
			p.stop(r)
			b.eventually(func() bool { return isClosed(p.killed) }, "the control plane did not come to %q", moment)
			p.kill()
			b.plane()
			if r := b.want(r.ID, remora.Stopped); r.DPUSeconds != 240 {
				t.Errorf("%v DPU-seconds", r.DPUSeconds)
			}
		})
	}
}

func TestKilledBeforeAPromotion(t *testing.T) {
	for _, moment := range []string{"after " + endStored, "before " + promoted, "after " + promoted} {
		t.Run(moment, func(t *testing.T) {
			b := newBed(t)
			b.job("j", hold, queuing)
			p := b.plane()
			r1, r2 := p.start("j"), p.start("j")
			p.killAtMoment(moment)
			b.touch("go")
			b.eventually(func() bool { return isClosed(p.killed) }, "the control plane did not come to %q", moment)
			p.kill()
			b.plane()
			b.want(r1.ID, remora.Succeeded)
			b.want(r2.ID, remora.Succeeded)
			if b.executions(r1.ID) != 1 || b.executions(r2.ID) != 1 {
				t.Errorf("executed %d and %d times", b.executions(r1.ID), b.executions(r2.ID))
			}
		})
	}
}

// The script ends while nobody looks; its result is kept.
func TestScriptEndsMeanwhile(t *testing.T) {
	b := newBed(t)
	b.job("j", hold+"touch $out/left; exit 3\n")
	p := b.plane()
	r := p.start("j")
	b.started(r.ID)
	p.kill()
	b.touch("go")
	b.eventually(func() bool { return exists(b.out("left")) }, "the script has not ended")
	b.plane()
	b.want(r.ID, remora.Failed, "status 3")
}

// The processes die while nobody looks.
func TestProcessesDieMeanwhile(t *testing.T) {
	for _, c := range []struct {
		moment   string
		state    remora.RunState
		message  []string
		executed int
	}{
		{"after " + handleRecorded, remora.Succeeded, nil, 1}, // it had not run: it is provisioned again
		{"after " + clusterStarted, remora.Succeeded, nil, 1},
		{"after " + runningStored, remora.Failed, []string{"died while the control plane was down"}, 0},
		{"after " + driverStarted, remora.Failed, []string{"died while the control plane was down"}, 1},
		{"after " + outcomeStored, remora.Succeeded, nil, 1},
	} {
		t.Run(c.moment, func(t *testing.T) {
			b := newBed(t)
			script := hold
			if c.state == remora.Succeeded {
				script = note
			}
			b.job("j", script)
			id := b.killedAt(c.moment, "j")
			if c.executed > 0 && c.state == remora.Failed {
				b.started(id)
			}
			if err := b.host.Lose(id); err != nil {
				t.Fatal(err)
			}
			b.plane()
			b.want(id, c.state, c.message...)
			if n := b.executions(id); n != c.executed {
				t.Errorf("the script was executed %d times, want %d", n, c.executed)
			}
		})
	}
}

// A full disk holds a run up, at whatever step; nothing is lost or done twice.
func TestStoreIsUnavailableAtEachStep(t *testing.T) {
	faults := []string{"at run read"}
	for _, s := range []string{handleRecorded, runningStored, outcomeStored, endStored} {
		faults = append(faults, "before "+s, "after "+s) // after: it was stored, and nobody told us
	}
	for _, at := range faults {
		t.Run(at, func(t *testing.T) {
			b := newBed(t)
			b.job("j", failSh, func(j *remora.Job) { j.MaxRetries = 1 })
			p := b.plane()
			p.fault(at, 2)
			first := p.start("j").ID
			retry := remora.RetryID(first, 1)
			b.want(first, remora.Failed, "status 3")
			b.want(retry, remora.Failed, "status 3")
			if b.executions(first) != 1 || b.executions(retry) != 1 {
				t.Errorf("executed %d and %d times", b.executions(first), b.executions(retry))
			}
		})
	}
}

func TestStoreIsUnavailableForPromotion(t *testing.T) {
	for _, at := range []string{"at job read", "before " + promoted} {
		t.Run(at, func(t *testing.T) {
			b := newBed(t)
			b.job("j", hold, queuing)
			p := b.plane()
			r1, r2 := p.start("j"), p.start("j")
			p.fault(at, 3)
			b.touch("go")
			b.want(r1.ID, remora.Succeeded)
			b.want(r2.ID, remora.Succeeded)
		})
	}
}

func TestRequestsWhileTheStoreIsUnavailable(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	p := b.plane()
	p.fault("before "+accepted, 1)
	if _, err := p.accept(control.StartRequest{JobName: "j"}); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
	}
	if !b.idle() {
		t.Error("a run that was refused is there")
	}
	b.want(p.start("j").ID, remora.Succeeded)
}

// A script that runs needs nothing more of what it was started with.
func TestRuntimeIsGoneMeanwhile(t *testing.T) {
	b := newBed(t)
	j := b.job("j", hold)
	id := b.killedAt("after "+driverStarted, "j")
	b.started(id)
	delete(b.blobs, j.Command.ScriptLocation)
	p := b.newPlane(func(c *control.Config) { c.Runtimes = noRuntimes{} })
	if err := p.runs.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.touch("go")
	b.want(id, remora.Succeeded)
}

type noRuntimes struct{}

func (noRuntimes) Names() []string { return nil }

func (noRuntimes) Ensure(context.Context, string, func(string)) (remora.Runtime, error) {
	return remora.Runtime{}, remora.Unavailablef("test", "", "the environment is gone")
}

func (n noRuntimes) Overlay(ctx context.Context, name string, _ []string, progress func(string)) (remora.Runtime, error) {
	return n.Ensure(ctx, name, progress)
}

// The provider may need a while after a restart, and taking down may fail.
func TestProviderFailsForAWhile(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	id := b.killedAt("after "+driverStarted, "j")
	p := b.newPlane()
	p.fault("at adoption", 2)
	p.fault("before "+clusterStopped, 2)
	if err := p.runs.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.touch("go")
	b.want(id, remora.Succeeded)
}

// A cluster that cannot be taken over is removed before its run ends, or a retry
// would run beside its script.
func TestClusterThatCannotBeTakenOver(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	id := b.killedAt("after "+driverStarted, "j")
	p := b.newPlane()
	p.fault("at adoption", 100)
	if err := p.runs.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(id, remora.Failed, "could not be taken over")
	if left, err := b.host.Processes(id); err != nil || len(left) > 0 {
		t.Errorf("processes %v of the script go on (%v)", left, err)
	}
}

// Close lets go of runs without touching them.
func TestCloseAndResume(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	starting := make(chan struct{}, 1)
	b.host.Inject(fake.Faults{Start: func(ctx context.Context, n int) error {
		if n > 1 {
			return nil
		}
		starting <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}})
	p := b.plane()
	r := p.start("j")
	<-starting
	p.runs.Close() // while it is being provisioned
	if s := b.run(r.ID).State; s != remora.Starting {
		t.Errorf("the run is %s", s)
	}
	p = b.plane()
	b.started(r.ID)
	p.runs.Close() // while it runs
	if s := b.run(r.ID).State; s != remora.Running || p.runs.Open() != 0 {
		t.Errorf("the run is %s, %d runs are driven", s, p.runs.Open())
	}
	p = b.plane()
	b.touch("go")
	b.want(r.ID, remora.Succeeded)
	if n := b.executions(r.ID); n != 1 {
		t.Errorf("the script was executed %d times", n)
	}
}
