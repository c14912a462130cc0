package control_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

func TestLimitOfConcurrentRuns(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	p := b.plane()
	const n = 8
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = p.accept(control.StartRequest{JobName: "j"}) })
	}
	wg.Wait()
	admitted := 0
	for _, err := range errs {
		if err == nil {
			admitted++
		} else if remora.KindOf(err) != remora.ConcurrentRuns {
			t.Errorf("refused with %v", err)
		}
	}
	if admitted != 1 {
		t.Errorf("%d of %d runs at once were admitted, want 1", admitted, n)
	}
	b.touch("go")
	b.eventually(func() bool { return p.runs.Open() == 0 }, "the run has not ended")
	b.want(p.start("j").ID, remora.Succeeded) // there is room again
}

func TestWaitingRunsArePromotedInOrder(t *testing.T) {
	b := newBed(t)
	b.job("j", note+"echo $REMORA_CLUSTER >> $out/order\n"+hold, queuing)
	p := b.plane()
	first := p.start("j")
	b.started(first.ID)
	var runs []remora.Run
	for range 4 {
		r := p.start("j")
		if r.State != remora.Waiting {
			t.Fatalf("run %s is %s", r.ID, r.State)
		}
		runs = append(runs, r)
	}
	b.touch("go")
	order := first.ID + "\n"
	for _, r := range runs {
		b.want(r.ID, remora.Succeeded)
		if got := b.watch.states(t, r.ID); got != "WAITING STARTING RUNNING SUCCEEDED" {
			t.Errorf("the run was %s", got)
		}
		order += r.ID + "\n"
	}
	if got := b.read("order"); got != order {
		t.Errorf("the runs were executed in the order\n%swant\n%s", got, order)
	}
}

// The request decides over the job, either way.
func TestQueuingOfTheRequest(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	b.job("q", hold, queuing)
	p := b.plane()
	p.start("j")
	p.start("q")
	if r := p.request(control.StartRequest{JobName: "j", Queuing: new(true)}); r.State != remora.Waiting {
		t.Errorf("the run is %s, want WAITING", r.State)
	}
	if _, err := p.accept(control.StartRequest{JobName: "q", Queuing: new(false)}); remora.KindOf(err) != remora.ConcurrentRuns {
		t.Errorf("error %v, want one of kind %q", err, remora.ConcurrentRuns)
	}
	b.touch("go")
	b.eventually(func() bool { return b.idle() }, "not all runs have ended")
}

// A larger limit takes effect at once, a smaller one with the next run.
func TestLimitChanges(t *testing.T) {
	b := newBed(t)
	b.job("j", hold, queuing)
	p := b.plane()
	r1, r2, r3 := p.start("j"), p.start("j"), p.start("j")
	b.limit("j", 2)
	p.do(func() { p.runs.Promote(t.Context(), "j") })
	b.started(r1.ID)
	b.started(r2.ID)
	if s := b.run(r3.ID).State; s != remora.Waiting {
		t.Errorf("the third run is %s", s)
	}
	b.limit("j", 1)
	b.touch("go")
	b.want(r3.ID, remora.Succeeded)
}

// Runs that wait survive their job: they have their plan.
func TestJobIsDeletedWhileRunsWait(t *testing.T) {
	b := newBed(t)
	b.job("j", hold, queuing)
	p := b.plane()
	r1, r2 := p.start("j"), p.start("j")
	if err := b.store.DeleteJob(t.Context(), "j", "arn:j"); err != nil {
		t.Fatal(err)
	}
	b.touch("go")
	b.want(r1.ID, remora.Succeeded)
	b.want(r2.ID, remora.Succeeded)
}

// Who asked for a run may be gone when it could be promoted.
func TestPromotionOutlivesTheRequest(t *testing.T) {
	b := newBed(t)
	b.job("j", note, queuing, func(j *remora.Job) { j.MaxConcurrentRuns = 2 })
	waiting, err := b.store.CreateRun(t.Context(), remora.Run{ID: remora.NewRunID(), JobName: "j", StartedOn: b.now(), Plan: remora.RunPlan{
		Command:    remora.Command{Runtime: "sh", ScriptLocation: "s3://scripts/j.sh"},
		WorkerType: "Z.2X", NumberOfWorkers: 1, Timeout: time.Hour, Arguments: map[string]string{"--out": b.out("")},
	}}, func(int, int) (remora.RunState, error) { return remora.Waiting, nil })
	if err != nil {
		t.Fatal(err)
	}
	p := b.newPlane()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	p.do(func() { p.runs.Promote(gone, "j") })
	b.want(waiting.ID, remora.Succeeded)
}

func TestRetries(t *testing.T) {
	b := newBed(t)
	b.job("j", failSh, func(j *remora.Job) { j.MaxRetries = 2 })
	p := b.plane()
	first := p.start("j").ID
	prev := ""
	for i, id := range []string{first, first + "_attempt_1", first + "_attempt_2"} {
		b.eventually(func() bool { _, err := b.store.Run(t.Context(), "j", id); return err == nil }, "there is no run %s", id)
		r := b.want(id, remora.Failed, "status 3")
		if r.Attempt != i || r.PreviousRunID != prev || b.executions(id) != 1 {
			t.Errorf("run %s: attempt %d after %q, executed %d times; want attempt %d after %q",
				id, r.Attempt, r.PreviousRunID, b.executions(id), i, prev)
		}
		prev = id
	}
	b.eventually(func() bool { return p.runs.Open() == 0 }, "a run is still driven")
	if runs, _, err := b.store.ListRuns(t.Context(), "j", remora.Page{Limit: 10}); err != nil || len(runs) != 3 {
		t.Errorf("runs %s (%v), want three", describe(runs...), err)
	}
}

// The retry takes the place of the run that failed: it neither waits behind the
// others nor exceeds the limit.
func TestRetryKeepsItsPlace(t *testing.T) {
	b := newBed(t)
	b.job("j", "echo $REMORA_CLUSTER >> $out/order\nwhile [ ! -e $out/go ]; do sleep 0.02; done\ntest -e $out/failed || { touch $out/failed; exit 1; }\n",
		queuing, func(j *remora.Job) { j.MaxRetries = 1 })
	p := b.plane()
	first, second := p.start("j"), p.start("j")
	b.touch("go")
	b.want(second.ID, remora.Succeeded)
	retry := remora.RetryID(first.ID, 1)
	b.want(retry, remora.Succeeded)
	if got, want := b.read("order"), first.ID+"\n"+retry+"\n"+second.ID+"\n"; got != want {
		t.Errorf("the runs were executed in the order\n%swant\n%s", got, want)
	}
}

func TestRetryOfAGivenRun(t *testing.T) {
	b := newBed(t)
	b.job("j", note+"echo $x >> $out/x; exit 1\n")
	p := b.plane()
	first := p.request(control.StartRequest{JobName: "j", Arguments: map[string]string{"--x": "mine"}})
	b.want(first.ID, remora.Failed, "status 1")
	for i, want := range []string{first.ID + "_attempt_1", first.ID + "_attempt_2"} {
		r := p.request(control.StartRequest{JobName: "j", RetryOf: first.ID})
		if r.ID != want || r.PreviousRunID != first.ID || r.Attempt != i+1 {
			t.Errorf("run %s, attempt %d after %s; want %s", r.ID, r.Attempt, r.PreviousRunID, want)
		}
		b.want(r.ID, remora.Failed, "status 1")
	}
	if got := b.read("x"); got != "mine\nmine\nmine\n" {
		t.Errorf("the retries had the arguments %q, want those of the run", got)
	}
	again := p.request(control.StartRequest{JobName: "j", RetryOf: first.ID + "_attempt_2", Arguments: map[string]string{"--x": "other"}})
	if want := first.ID + "_attempt_3"; again.ID != want || again.PreviousRunID != first.ID+"_attempt_2" {
		t.Errorf("the retry of a retry is %s after %s, want %s", again.ID, again.PreviousRunID, want)
	}
	b.want(again.ID, remora.Failed, "status 1")
}

func TestRetryOfAnOpenRun(t *testing.T) {
	b := newBed(t)
	b.job("j", hold, func(j *remora.Job) { j.MaxConcurrentRuns = 2 })
	p := b.plane()
	r := p.start("j")
	if _, err := p.accept(control.StartRequest{JobName: "j", RetryOf: r.ID}); remora.KindOf(err) != remora.Invalid {
		t.Errorf("error %v, want one of kind %q", err, remora.Invalid)
	}
	b.touch("go")
	b.want(r.ID, remora.Succeeded)
}

// The automatic retry finds its number taken by one that somebody asked for.
func TestRetryByHandComesFirst(t *testing.T) {
	b := newBed(t)
	b.job("j", note+"test -e $out/go || exit 1\nwhile [ ! -e $out/leave ]; do sleep 0.02; done; exit 1\n",
		func(j *remora.Job) { j.MaxConcurrentRuns, j.MaxRetries = 2, 1 })
	p := b.plane()
	first := p.start("j")
	auto := remora.RetryID(first.ID, 1)
	b.want(first.ID, remora.Failed, "status 1")
	b.eventually(func() bool { _, err := b.store.Run(t.Context(), "j", auto); return err == nil }, "there is no run %s", auto)
	b.want(auto, remora.Failed, "status 1")

	// With a third try allowed, this one is retried as number 3, unless that is taken.
	if _, err := b.store.UpdateJob(t.Context(), "j", func(j *remora.Job) error { j.MaxRetries = 3; return nil }); err != nil {
		t.Fatal(err)
	}
	b.touch("go")
	second := p.request(control.StartRequest{JobName: "j", RetryOf: auto})
	third := p.request(control.StartRequest{JobName: "j", RetryOf: auto})
	b.started(second.ID)
	b.started(third.ID)
	b.touch("leave")
	for n := 2; n <= 4; n++ {
		b.want(remora.RetryID(first.ID, n), remora.Failed, "status 1")
	}
	b.eventually(func() bool { return b.idle() }, "not all runs have ended")
}
