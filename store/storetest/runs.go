package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

var states = []remora.RunState{remora.Waiting, remora.Starting, remora.Running, remora.Stopping, remora.Stopped,
	remora.Succeeded, remora.Failed, remora.TimedOut, remora.Errored}

func runRoundTrip(t *testing.T, s remora.Store) {
	for _, want := range []remora.Run{newRun("j"), {ID: "bare", JobName: "j", State: remora.Starting}} {
		created, err := s.CreateRun(ctx, want, admitted)
		noError(t, err)
		same(t, created, want)
		created.Arguments, want.Arguments = nil, created.Arguments // not the store's memory
		for _, job := range []string{"j", ""} {
			got, err := s.Run(ctx, job, want.ID)
			noError(t, err)
			same(t, got, want)
		}
		_, err = s.Run(ctx, "other", want.ID)
		wantKind(t, err, remora.NotFound)

		again := newRun("other")
		again.ID = want.ID
		_, err = s.CreateRun(ctx, again, admitted)
		wantKind(t, err, remora.AlreadyExists)
	}
	_, err := s.Run(ctx, "j", "missing")
	wantKind(t, err, remora.NotFound)
	_, err = s.CreateRun(ctx, newRun("j"), admitAs(""))
	wantKind(t, err, remora.Internal)
}

func runAdmission(t *testing.T, s remora.Store) {
	for _, state := range states {
		addRun(t, s, "j", state)
		addRun(t, s, "another", state)
	}
	addRun(t, s, "j", remora.Waiting)
	refusal := errors.New("refused")
	refused := newRun("j")
	_, err := s.CreateRun(ctx, refused, func(active, waiting int) (remora.RunState, error) {
		if active != 3 || waiting != 2 {
			t.Errorf("admit was told of %d active and %d waiting runs, want 3 and 2", active, waiting)
		}
		return remora.Starting, refusal
	})
	if err != refusal {
		t.Fatalf("error is %v, want that of the function", err)
	}
	_, err = s.Run(ctx, "j", refused.ID)
	wantKind(t, err, remora.NotFound)

	given := newRun("j")
	given.State = remora.Running // admit has the last word
	got, err := s.CreateRun(ctx, given, admitAs(remora.Waiting))
	noError(t, err)
	same(t, got.State, remora.Waiting)
}

func runStates(t *testing.T, s remora.Store) {
	for _, from := range states {
		for _, to := range states {
			r := addRun(t, s, "j", from)
			got, err := s.ChangeRun(ctx, r.ID, func(r *remora.Run) (*remora.Run, error) {
				r.State = to
				return nil, nil
			})
			want := to
			if from != to && !from.CanBecome(to) {
				wantKind(t, err, remora.WrongState)
				want = from
			} else if err != nil || got.State != to {
				t.Fatalf("%s to %s: got state %s, error %v", from, to, got.State, err)
			}
			got, err = s.Run(ctx, "", r.ID)
			noError(t, err)
			same(t, got.State, want)
		}
	}
	r := addRun(t, s, "j", remora.Running)
	_, err := s.ChangeRun(ctx, r.ID, func(r *remora.Run) (*remora.Run, error) {
		r.State = ""
		return nil, nil
	})
	wantKind(t, err, remora.WrongState)
}

func runChange(t *testing.T, s remora.Store) {
	r := addRun(t, s, "j", remora.Running)
	want := r
	got, err := s.ChangeRun(ctx, r.ID, func(r *remora.Run) (*remora.Run, error) {
		same(t, *r, want)
		r.Arguments["--k"] = "in place"
		*r = remora.Run{ID: "other", JobName: "other", Arguments: r.Arguments, State: remora.Succeeded,
			LastModifiedOn: start.Add(time.Hour), CompletedOn: start.Add(2 * time.Hour), ExecutionTime: time.Hour,
			DPUSeconds: 1, ErrorMessage: "m", Plan: r.Plan, Handle: []byte(`{"v":2}`)}
		return nil, nil
	})
	noError(t, err)
	want = remora.Run{ID: r.ID, JobName: "j", StartedOn: r.StartedOn, Arguments: newRun("j").Arguments,
		State: remora.Succeeded, LastModifiedOn: start.Add(time.Hour), CompletedOn: start.Add(2 * time.Hour),
		ExecutionTime: time.Hour, DPUSeconds: 1, ErrorMessage: "m", Plan: r.Plan, Handle: []byte(`{"v":2}`)}
	same(t, got, want)

	refusal := errors.New("refused")
	_, err = s.ChangeRun(ctx, r.ID, func(r *remora.Run) (*remora.Run, error) {
		r.ErrorMessage = "not stored"
		successor := newRun("j")
		return &successor, refusal
	})
	if err != refusal {
		t.Fatalf("error is %v, want that of the function", err)
	}
	same(t, walkRuns(t, s, "j", 10), []remora.Run{want})

	_, err = s.ChangeRun(ctx, "missing", func(*remora.Run) (*remora.Run, error) {
		t.Error("the function was called for a run that is not there")
		return nil, nil
	})
	wantKind(t, err, remora.NotFound)
}

func runSuccessor(t *testing.T, s remora.Store) {
	fail := func(id, successor string) (remora.Run, error) {
		return s.ChangeRun(ctx, id, func(r *remora.Run) (*remora.Run, error) {
			next := newRun("j")
			next.ID, next.State, next.Attempt, next.PreviousRunID = successor, remora.Starting, r.Attempt+1, r.ID
			r.State = remora.Failed
			return &next, nil
		})
	}
	first := addRun(t, s, "j", remora.Running)
	got, err := fail(first.ID, remora.RetryID(first.ID, 1))
	noError(t, err)
	same(t, got.State, remora.Failed)
	open, err := s.OpenRuns(ctx)
	noError(t, err)
	if len(open) != 1 || open[0].PreviousRunID != first.ID || open[0].Attempt != first.Attempt+1 {
		t.Fatalf("open runs are %s, want the successor alone", describe(open))
	}

	// One whose id is taken is not stored, and neither is the change.
	_, err = fail(open[0].ID, first.ID)
	wantKind(t, err, remora.AlreadyExists)
	again, err := s.OpenRuns(ctx)
	noError(t, err)
	same(t, again, open)

	// A state that cannot be reached keeps the successor out as well.
	_, err = fail(first.ID, "jr_more")
	noError(t, err) // Failed to Failed is no change of state
	done := addRun(t, s, "k", remora.Succeeded)
	_, err = fail(done.ID, "jr_none")
	wantKind(t, err, remora.WrongState)
	_, err = s.Run(ctx, "", "jr_none")
	wantKind(t, err, remora.NotFound)
}

func runPromotion(t *testing.T, s remora.Store) {
	promote := func(limit int) string {
		t.Helper()
		r, ok, err := s.PromoteRun(ctx, "j", limit)
		noError(t, err)
		if !ok {
			return ""
		}
		if r.State != remora.Starting {
			t.Fatalf("the promoted run is %s, want STARTING", r.State)
		}
		stored, err := s.Run(ctx, "j", r.ID)
		noError(t, err)
		same(t, stored, r)
		return r.ID
	}
	same(t, promote(5), "")
	addRun(t, s, "other", remora.Waiting)
	running := addRun(t, s, "j", remora.Running)
	first, second := addRun(t, s, "j", remora.Waiting), addRun(t, s, "j", remora.Waiting)
	addRun(t, s, "j", remora.Failed)
	same(t, promote(0), "")
	same(t, promote(1), "")
	same(t, promote(2), first.ID)
	same(t, promote(2), "")
	_, err := s.ChangeRun(ctx, running.ID, func(r *remora.Run) (*remora.Run, error) {
		r.State = remora.Succeeded
		return nil, nil
	})
	noError(t, err)
	same(t, promote(2), second.ID)
	same(t, promote(9), "")
}

func runsOpen(t *testing.T, s remora.Store) {
	got, err := s.OpenRuns(ctx)
	noError(t, err)
	same(t, len(got), 0)
	var want []remora.Run
	for i, state := range states {
		if r := addRun(t, s, string(rune('z'-i)), state); !state.Ended() {
			want = append(want, r)
		}
	}
	got, err = s.OpenRuns(ctx)
	noError(t, err)
	same(t, got, want)
}

// walkRuns returns a whole listing in pages of n.
func walkRuns(t *testing.T, s remora.Store, job string, n int) (all []remora.Run) {
	t.Helper()
	p := remora.Page{Limit: n}
	for {
		runs, next, err := s.ListRuns(ctx, job, p)
		noError(t, err)
		all = append(all, runs...)
		if next == "" {
			return all
		}
		if len(runs) == 0 || len(runs) > n {
			t.Fatalf("a page of %d runs that is not the last, limit %d", len(runs), n)
		}
		p.After = next
	}
}
