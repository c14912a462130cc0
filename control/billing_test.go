package control_test

import (
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

// The bill is the monotonic clock's: it neither grows nor shrinks when the wall
// clock is set while the script runs.
func TestClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.job("j", hold)
			p := b.plane()
			r := p.start("j")
			b.started(r.ID)
			b.skew.Store(int64(jump))
			b.touch("go")
			r = b.want(r.ID, remora.Succeeded)
			if r.ExecutionTime <= 0 || r.ExecutionTime > deadline {
				t.Errorf("execution time %s", r.ExecutionTime)
			}
			if r.DPUSeconds != 60*2*2 {
				t.Errorf("%v DPU-seconds, want a minute of 2 workers of 2 DPU", r.DPUSeconds)
			}
			if r.CompletedOn.Before(r.StartedOn.Add(r.ExecutionTime).Truncate(time.Millisecond)) {
				t.Errorf("started on %s, executed %s, completed on %s", r.StartedOn, r.ExecutionTime, r.CompletedOn)
			}
		})
	}
}

// A jump forward does not end a run before its time either.
func TestClockJumpsOverTheTimeout(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	p := b.plane()
	r := p.request(control.StartRequest{JobName: "j", Timeout: 2 * deadline})
	b.started(r.ID)
	b.skew.Store(int64(24 * time.Hour))
	p.kill()
	b.plane()
	b.touch("go")
	b.want(r.ID, remora.Succeeded)
}

// Waiting and provisioning cost nothing; what is billed is the script.
func TestBillOfCapacity(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	r := b.plane().request(control.StartRequest{JobName: "j", NumberOfWorkers: 5})
	if r := b.want(r.ID, remora.Succeeded); r.DPUSeconds != 60*5*2 || r.Plan.MaxCapacity() != 10 {
		t.Errorf("%v DPU-seconds of a capacity of %v", r.DPUSeconds, r.Plan.MaxCapacity())
	}
}

func TestBilledSeconds(t *testing.T) {
	for execution, want := range map[time.Duration]float64{
		0: 0, 1: 60, time.Second: 60, time.Minute: 60, time.Minute + 1: 61, 61 * time.Second: 61, 90*time.Second + time.Millisecond: 91,
		time.Hour: 3600, -time.Second: 0,
	} {
		if got := remora.BilledSeconds(execution); got != want {
			t.Errorf("%s is billed as %v s, want %v", execution, got, want)
		}
	}
}

// Clients poll for CompletedOn: it must not be there while anything of the run
// is.
func TestCompletedOnAtTheVeryEnd(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	p := b.plane()
	p.holdAt("before " + clusterStopped)
	r := p.start("j")
	<-p.held
	if now := b.run(r.ID); now.State != remora.Running || !now.CompletedOn.IsZero() || now.Outcome == nil {
		t.Errorf("while the cluster is there: %s, completed on %s", describe(now), now.CompletedOn)
	}
	close(p.release)
	if r := b.want(r.ID, remora.Succeeded); r.CompletedOn.IsZero() {
		t.Error("there is no CompletedOn")
	}
}
