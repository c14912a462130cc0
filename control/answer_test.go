package control_test

import (
	"context"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

// The tests here let the store do what it is told and then say that it failed.

func TestAnswerToCreateSessionIsLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.fault("after "+sessionStored, 1)
	if _, err := p.create("s"); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
	}
	if _, err := p.create("s"); remora.KindOf(err) != remora.AlreadyExists {
		t.Errorf("again: error %v, want one of kind %q", err, remora.AlreadyExists)
	}
	p.ready("s")
	p.end("s")
}

// Of requests that had no effect nothing stays.
func TestSessionWasNotCreated(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.fault("before "+sessionStored, 1)
	if _, err := p.create("s"); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.sessions.Create(gone, sessionRequest(b, "s")); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
	}
	b.eventually(func() bool { return p.sessions.Open() == 0 }, "what is not there is driven")
	p.open("s")
	p.end("s")
}

func TestAnswerToRunStatementIsLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.fault("after "+statementStored, 1)
	if _, err := p.trySubmit("s", appending("ran")+"7"); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
	}
	if st := p.result("s", 1); st.State != remora.StatementAvailable || st.Output.Text != "7" || b.executions("ran") != 1 {
		t.Errorf("the statement is %s with %+v", st.State, st.Output)
	}
	p.end("s")
}

func TestAnswerToStartJobRunIsLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.job("j", hold, queuing)
	p := b.plane()
	for range 2 { // STARTING, then WAITING
		p.fault("after "+accepted, 1)
		if _, err := p.accept(control.StartRequest{JobName: "j"}); remora.KindOf(err) != remora.Unavailable {
			t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
		}
	}
	runs, _, err := b.store.ListRuns(t.Context(), "j", remora.Page{Limit: 10})
	if err != nil || len(runs) != 2 || runs[0].State != remora.Waiting {
		t.Fatalf("the runs are %s, %v", describe(runs...), err)
	}
	b.started(runs[1].ID)
	p.fault("after "+promoted, 1)
	b.touch("go")
	for _, r := range runs {
		b.want(r.ID, remora.Succeeded)
		if n := b.executions(r.ID); n != 1 {
			t.Errorf("the script was executed %d times", n)
		}
	}
}
