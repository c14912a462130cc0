package storetest

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func statementRoundTrip(t *testing.T, s Sessions) {
	addSession(t, s, "s", remora.SessionReady, nil)
	addSession(t, s, "other", remora.SessionReady, nil)
	var stored []remora.Statement
	for i, code := range []string{"1 + 1", "", "print('é 🐟')\r\n\tif \"x\": pass\x00\n", "  ", "é", "1 + 1"} {
		want := remora.Statement{SessionID: "s", ID: i + 1, Code: code, State: remora.StatementWaiting}
		same(t, addStatement(t, s, "s", code), want)
		got, err := s.Statement(ctx, "s", i+1)
		noError(t, err)
		same(t, got, want)

		fill(&want)
		got, err = s.ChangeStatement(ctx, "s", i+1, func(st *remora.Statement) error { fill(st); return nil })
		noError(t, err)
		same(t, got, want)
		got.Output.Traceback[0] = "in the caller's memory only"
		got, err = s.Statement(ctx, "s", i+1)
		noError(t, err)
		same(t, got, want)
		stored = append(stored, want)
	}
	same(t, walkStatements(t, s, "s", 4), stored)
	same(t, addStatement(t, s, "other", "").ID, 1) // each session counts by itself

	// No output is not an empty one.
	for _, output := range []*remora.Output{nil, {}, {Text: "x"}} {
		got, err := s.ChangeStatement(ctx, "s", 1, func(st *remora.Statement) error { st.Output = output; return nil })
		noError(t, err)
		same(t, (got.Output == nil), (output == nil))
		got, err = s.Statement(ctx, "s", 1)
		noError(t, err)
		stored[0].Output = output
		same(t, got, stored[0])
	}
}

func statementAdmission(t *testing.T, s Sessions) {
	session := addSession(t, s, "s", remora.SessionStopping, nil)
	addSession(t, s, "other", remora.SessionReady, nil)
	refusal := errors.New("refused")
	wantOpen := func(want int) {
		t.Helper()
		_, err := s.CreateStatement(ctx, "s", "refused", func(v remora.Session, open int) error {
			same(t, v, session)
			same(t, open, want)
			v.Plan.Arguments["--k"] = "not stored"
			return refusal
		})
		if err != refusal {
			t.Fatalf("error is %v, want that of the function", err)
		}
	}
	wantOpen(0)
	open := 0
	for i, state := range statementStateNames {
		st := addStatement(t, s, "s", "")
		same(t, st.ID, i+1) // a refusal takes no id
		become(t, s, st, statementPaths[state]...)
		addStatement(t, s, "other", "")
		if !state.Ended() {
			open++
		}
		wantOpen(open)
	}
	same(t, open, 3)
	same(t, len(walkStatements(t, s, "s", 99)), len(statementStateNames))

	var err error
	session, err = s.ChangeSession(ctx, "s", func(v *remora.Session) error {
		v.State, v.Closed = remora.SessionStopped, true
		return nil
	})
	noError(t, err)
	wantOpen(open)
	addStatement(t, s, "s", "") // admit has the last word, whatever the session is

	_, err = s.CreateStatement(ctx, "missing", "", func(remora.Session, int) error {
		t.Error("admit was called for a session that is not there")
		return nil
	})
	wantKind(t, err, remora.NotFound)
}

func statementMissing(t *testing.T, s Sessions) {
	addSession(t, s, "s", remora.SessionReady, nil)
	addSession(t, s, "empty", remora.SessionReady, nil)
	addStatement(t, s, "s", "")
	for session, ids := range map[string][]int{
		"s": {0, -1, 2, math.MaxInt, math.MinInt}, "empty": {0, 1}, "missing": {0, 1}, "S": {1}, "": {1},
	} {
		for _, id := range ids {
			_, err := s.Statement(ctx, session, id)
			wantKind(t, err, remora.NotFound)
			_, err = s.ChangeStatement(ctx, session, id, func(*remora.Statement) error {
				t.Error("the function was called for a statement that is not there")
				return nil
			})
			wantKind(t, err, remora.NotFound)
		}
	}
	for _, session := range []string{"empty", "missing"} {
		same(t, len(walkStatements(t, s, session, 1)), 0)
		open, err := s.OpenStatements(ctx, session)
		noError(t, err)
		same(t, len(open), 0)
	}
}

func statementStates(t *testing.T, s Sessions) {
	addSession(t, s, "s", remora.SessionReady, nil)
	for _, from := range statementStateNames {
		for _, to := range append(statementStateNames, "", "READY") {
			want := become(t, s, addStatement(t, s, "s", string(from+to)), statementPaths[from]...)
			got, err := s.ChangeStatement(ctx, "s", want.ID, func(st *remora.Statement) error {
				st.State = to
				fill(st)
				return nil
			})
			if from != to && !from.CanBecome(to) {
				wantKind(t, err, remora.WrongState)
			} else {
				noError(t, err)
				want.State = to
				fill(&want)
				same(t, got, want)
			}
			got, err = s.Statement(ctx, "s", want.ID)
			noError(t, err)
			same(t, got, want)
		}
	}
}

func statementChange(t *testing.T, s Sessions) {
	addSession(t, s, "s", remora.SessionReady, nil)
	addSession(t, s, "other", remora.SessionReady, nil)
	before, want, after := addStatement(t, s, "s", "1"), addStatement(t, s, "s", "2"), addStatement(t, s, "s", "3")
	got, err := s.ChangeStatement(ctx, "s", 2, func(st *remora.Statement) error {
		same(t, *st, want)
		*st = remora.Statement{SessionID: "other", ID: 9, Code: "other", State: remora.StatementRunning, Progress: 1.0 / 3,
			StartedOn: start.Add(time.Hour), Output: &remora.Output{Traceback: []string{"kept"}}}
		return nil
	})
	noError(t, err)
	want.State, want.Progress, want.StartedOn = remora.StatementRunning, 1.0/3, start.Add(time.Hour)
	want.Output = &remora.Output{Traceback: []string{"kept"}}
	same(t, got, want)
	same(t, walkStatements(t, s, "s", 2), []remora.Statement{before, want, after})
	same(t, len(walkStatements(t, s, "other", 2)), 0)

	refusal := errors.New("refused")
	_, err = s.ChangeStatement(ctx, "s", 2, func(st *remora.Statement) error {
		st.State, st.Progress = remora.StatementAvailable, 1
		st.Output.Traceback[0], st.Output.Text = "not stored", "not stored"
		return refusal
	})
	if err != refusal {
		t.Fatalf("error is %v, want that of the function", err)
	}
	same(t, walkStatements(t, s, "s", 2), []remora.Statement{before, want, after})

	// What is set back to nothing is nothing.
	got, err = s.ChangeStatement(ctx, "s", 2, func(st *remora.Statement) error {
		*st = remora.Statement{State: st.State}
		return nil
	})
	noError(t, err)
	want = remora.Statement{SessionID: "s", ID: 2, Code: "2", State: want.State}
	same(t, got, want)
	same(t, walkStatements(t, s, "s", 2), []remora.Statement{before, want, after})
}

func statementsOpen(t *testing.T, s Sessions) {
	addSession(t, s, "s", remora.SessionReady, nil)
	addSession(t, s, "other", remora.SessionReady, nil)
	var made, want []remora.Statement
	for range 12 { // 10 comes after 9
		made = append(made, addStatement(t, s, "s", ""))
		addStatement(t, s, "other", "")
	}
	for i := len(made) - 1; i >= 0; i-- { // not in the order of their ids
		state := statementStateNames[i%len(statementStateNames)]
		made[i] = become(t, s, made[i], statementPaths[state]...)
	}
	for _, st := range made {
		if !st.State.Ended() {
			want = append(want, st)
		}
	}
	got, err := s.OpenStatements(ctx, "s")
	noError(t, err)
	same(t, got, want)
	same(t, len(got), 6)
	closeSession(t, s, "s") // what is open depends on the statement alone
	got, err = s.OpenStatements(ctx, "s")
	noError(t, err)
	same(t, got, want)
}

// statementLong stores the longest code that the service takes and outputs as
// long as a picture is.
func statementLong(t *testing.T, s Sessions) {
	addSession(t, s, "s", remora.SessionReady, nil)
	code := strings.Repeat("🐟", 67_999) + "é"
	output := remora.Output{Text: strings.Repeat("line <&> \"é\"\n", 300_000), MimeType: "image/png",
		Result: strings.Repeat("iVBO", 1<<18), Traceback: strings.Split(strings.Repeat("frame\n", 10_000), "\n")}
	want := addStatement(t, s, "s", code)
	if _, err := s.ChangeStatement(ctx, "s", 1, func(st *remora.Statement) error {
		st.State, st.Output = remora.StatementRunning, &output
		return nil
	}); err != nil {
		t.Fatalf("store a long output: %v", err)
	}
	become(t, s, want, remora.StatementAvailable)
	addStatement(t, s, "s", "short")
	want.State, want.Output = remora.StatementAvailable, &output
	all := walkStatements(t, s, "s", 1)
	same(t, len(all), 2)
	same(t, all[1].Code, "short")
	if got := all[0]; !reflect.DeepEqual(got, want) { // not same, whose message would be as long
		t.Errorf("of %d bytes of code %d came back, of the output %.1000v", len(code), len(got.Code), got.Output)
	}
	noError(t, s.DeleteSession(ctx, "s", sessionARN("s"), func(remora.Session) error { return nil }))
	same(t, len(walkStatements(t, s, "s", 1)), 0)
}

// sessionExactness stores what a less exact form than the one in memory loses.
func sessionExactness(t *testing.T, s Sessions) {
	addSession(t, s, "s", remora.SessionReady, nil)
	st := addStatement(t, s, "s", "")
	for i, at := range []time.Time{time.Now(), time.Unix(0, 1), time.Unix(0, 0), {}, time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(2026, 3, 29, 2, 30, 0, 5, time.FixedZone("", -12*3600))} {
		for _, d := range []time.Duration{1, 999_999_999, math.MaxInt64, 1<<53 + 1} {
			v := newSession(strings.Repeat("x", i+1) + d.String())
			v.CreatedOn, v.CompletedOn, v.ExecutionTime, v.Plan.Timeout = at, at, d, d
			v.DPUSeconds, v.Plan.DPUPerWorker = 1.0/3, math.SmallestNonzeroFloat64
			noError(t, s.CreateSession(ctx, v, sessionARN(v.ID), nil, admitSession))
			got, err := s.Session(ctx, v.ID)
			noError(t, err)
			same(t, got, v)
			same(t, got.CreatedOn.Equal(at) && got.CompletedOn.IsZero() == at.IsZero(), true)
		}
		changed, err := s.ChangeStatement(ctx, "s", st.ID, func(st *remora.Statement) error {
			st.StartedOn, st.CompletedOn, st.Progress = at, at, 1-1e-16
			return nil
		})
		noError(t, err)
		got, err := s.Statement(ctx, "s", st.ID)
		noError(t, err)
		same(t, got, changed)
		same(t, got.StartedOn.Equal(at) && got.CompletedOn.Equal(at) && got.Progress == 1-1e-16, true)
	}
}
