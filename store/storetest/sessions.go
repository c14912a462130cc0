package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func sessionRoundTrip(t *testing.T, s Sessions) {
	closed := newSession("closed")
	closed.Closed = true
	for _, want := range []remora.Session{newSession("plain"), closed, {ID: "bare", State: remora.SessionProvisioning}} {
		given := newSession(want.ID) // of other memory
		if want.ID == "bare" {
			given = want
		}
		given.Closed = want.Closed
		noError(t, s.CreateSession(ctx, given, sessionARN(want.ID), map[string]string{"k": "v"}, admitSession))
		clear(given.Plan.Arguments)
		copy(given.Document, "XXXX")
		copy(given.Handle, "XXXX")
		got, err := s.Session(ctx, want.ID)
		noError(t, err)
		same(t, got, want)
		clear(got.Plan.Arguments)
		copy(got.Document, "YYYY")
		again, err := s.Session(ctx, want.ID)
		noError(t, err)
		same(t, again, want)
		tags, err := s.Tags(ctx, sessionARN(want.ID))
		noError(t, err)
		same(t, tags, map[string]string{"k": "v"})
	}
	_, err := s.Session(ctx, "missing")
	wantKind(t, err, remora.NotFound)

	// What is stored in a state that does not exist could never be ended.
	for _, state := range []remora.SessionState{"", "RUNNING"} {
		v := newSession("stateless")
		v.State = state
		wantKind(t, s.CreateSession(ctx, v, sessionARN(v.ID), nil, admitSession), remora.Internal)
		_, err := s.Session(ctx, v.ID)
		wantKind(t, err, remora.NotFound)
	}
}

func sessionIDs(t *testing.T, s Sessions) {
	want := make(map[string]remora.Session)
	for _, id := range oddIDs {
		want[id] = addSession(t, s, id, remora.SessionReady, map[string]string{"id": id})
		addStatement(t, s, id, "first of "+id)
	}
	for _, id := range oddIDs {
		st := addStatement(t, s, id, "second of "+id)
		same(t, st.ID, 2)
		same(t, walkStatements(t, s, id, 1), []remora.Statement{
			{SessionID: id, ID: 1, Code: "first of " + id, State: remora.StatementWaiting}, st})
		got, err := s.Session(ctx, id)
		noError(t, err)
		same(t, got, want[id])
		same(t, walkSessions(t, s, map[string]string{"id": id}, 9), []remora.Session{want[id]})
	}
	for i, id := range oddIDs {
		noError(t, s.DeleteSession(ctx, id, sessionARN(id), func(remora.Session) error { return nil }))
		_, err := s.Session(ctx, id)
		wantKind(t, err, remora.NotFound)
		same(t, len(walkSessions(t, s, nil, 7)), len(oddIDs)-i-1)
	}
}

func sessionIDTaken(t *testing.T, s Sessions) {
	first := addSession(t, s, "taken", remora.SessionReady, map[string]string{"k": "first"})
	for range 2 { // open, and then closed
		second := newSession("taken")
		second.ErrorMessage = "second"
		err := s.CreateSession(ctx, second, sessionARN("taken"), map[string]string{"k": "second"}, func(int) error {
			t.Error("admit was called for an id that is taken")
			return errors.New("refused")
		})
		wantKind(t, err, remora.AlreadyExists)
		got, err := s.Session(ctx, "taken")
		noError(t, err)
		same(t, got, first)
		tags, err := s.Tags(ctx, sessionARN("taken"))
		noError(t, err)
		same(t, tags, map[string]string{"k": "first"})
		same(t, len(walkSessions(t, s, nil, 9)), 1)
		first = closeSession(t, s, "taken")
	}
}

func sessionAdmission(t *testing.T, s Sessions) {
	refusal := errors.New("refused")
	wantOpen := func(want int) {
		t.Helper()
		err := s.CreateSession(ctx, newSession("refused"), sessionARN("refused"), map[string]string{"k": "v"}, func(open int) error {
			same(t, open, want)
			return refusal
		})
		if err != refusal {
			t.Fatalf("error is %v, want that of the function", err)
		}
	}
	wantOpen(0)
	for i, state := range sessionStateNames { // whatever the state
		addSession(t, s, string(state), state, nil)
		wantOpen(i + 1)
	}
	all := len(sessionStateNames)
	closeSession(t, s, string(remora.SessionFailed))
	wantOpen(all - 1)
	noError(t, s.DeleteSession(ctx, string(remora.SessionReady), "", func(remora.Session) error { return nil }))
	wantOpen(all - 2)
	noError(t, s.DeleteSession(ctx, string(remora.SessionFailed), "", func(remora.Session) error { return nil }))
	wantOpen(all - 2)

	_, err := s.Session(ctx, "refused")
	wantKind(t, err, remora.NotFound)
	same(t, len(walkSessions(t, s, nil, 99)), all-2)
	same(t, tagCount(t, s, "refused"), 0)
	addSession(t, s, "refused", remora.SessionReady, nil) // the id is not taken
}

func sessionStates(t *testing.T, s Sessions) {
	for _, from := range sessionStateNames {
		for _, to := range append(sessionStateNames, "", "RUNNING") {
			id := string(from + " to " + to)
			want := addSession(t, s, id, from, nil)
			got, err := s.ChangeSession(ctx, id, func(v *remora.Session) error {
				v.State, v.ErrorMessage, v.Closed = to, "changed", true
				return nil
			})
			if from != to && !from.CanBecome(to) {
				wantKind(t, err, remora.WrongState)
			} else {
				noError(t, err)
				want.State, want.ErrorMessage, want.Closed = to, "changed", true
				same(t, got, want)
			}
			got, err = s.Session(ctx, id)
			noError(t, err)
			same(t, got, want)
		}
	}
}

func sessionChange(t *testing.T, s Sessions) {
	want := addSession(t, s, "s", remora.SessionReady, map[string]string{"k": "v"})
	other := addSession(t, s, "other", remora.SessionReady, nil)
	got, err := s.ChangeSession(ctx, "s", func(v *remora.Session) error {
		same(t, *v, want)
		v.Plan.Arguments["--k"] = "in place"
		copy(v.Document, "XXXX")
		*v = remora.Session{ID: "other", State: remora.SessionStopping, CreatedOn: start.Add(time.Hour), Plan: v.Plan,
			CompletedOn: start.Add(2 * time.Hour), ExecutionTime: time.Hour, DPUSeconds: 1, ErrorMessage: "m",
			Handle: []byte(`{"v":2}`), Document: v.Document}
		v.Plan.WorkerType, v.Plan.Timeout = "Z.9X", 1
		return nil
	})
	noError(t, err)
	want.State, want.CompletedOn, want.ExecutionTime = remora.SessionStopping, start.Add(2*time.Hour), time.Hour
	want.DPUSeconds, want.ErrorMessage, want.Handle = 1, "m", []byte(`{"v":2}`)
	same(t, got, want)
	clear(got.Plan.Arguments) // in the caller's memory only
	same(t, walkSessions(t, s, nil, 9), []remora.Session{other, want})

	got, err = s.ChangeSession(ctx, "s", func(v *remora.Session) error {
		*v = remora.Session{State: v.State}
		return nil
	})
	noError(t, err)
	want = remora.Session{ID: "s", State: want.State, Plan: want.Plan, CreatedOn: want.CreatedOn, Document: want.Document}
	same(t, got, want)

	refusal := errors.New("refused")
	_, err = s.ChangeSession(ctx, "s", func(v *remora.Session) error {
		v.ErrorMessage, v.State, v.Closed = "not stored", remora.SessionStopped, true
		return refusal
	})
	if err != refusal {
		t.Fatalf("error is %v, want that of the function", err)
	}
	same(t, walkSessions(t, s, nil, 9), []remora.Session{other, want})
	same(t, tagCount(t, s, "s"), 1)

	_, err = s.ChangeSession(ctx, "missing", func(*remora.Session) error {
		t.Error("the function was called for a session that is not there")
		return nil
	})
	wantKind(t, err, remora.NotFound)
}

func sessionClosed(t *testing.T, s Sessions) {
	want := addSession(t, s, "s", remora.SessionStopped, nil)
	want.Closed = true
	same(t, closeSession(t, s, "s"), want)
	got, err := s.ChangeSession(ctx, "s", func(v *remora.Session) error {
		same(t, *v, want)
		v.Closed, v.ErrorMessage, v.Handle = false, "later", nil
		return nil
	})
	noError(t, err)
	want.ErrorMessage, want.Handle = "later", nil // all else may change
	same(t, got, want)
	got, err = s.Session(ctx, "s")
	noError(t, err)
	same(t, got, want)
	open, err := s.OpenSessions(ctx)
	noError(t, err)
	same(t, len(open), 0)
}
