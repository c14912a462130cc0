package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/remora-project/remora"
)

func sessionsOpen(t *testing.T, s Sessions) {
	got, err := s.OpenSessions(ctx)
	noError(t, err)
	same(t, len(got), 0)
	var want []remora.Session
	for i, state := range sessionStateNames {
		want = append(want, addSession(t, s, string(rune('z'-i)), state, nil)) // not in the order of their ids
		gone := fmt.Sprint("closed ", state)
		addSession(t, s, gone, state, nil)
		closeSession(t, s, gone)
	}
	got, err = s.OpenSessions(ctx)
	noError(t, err)
	same(t, got, want)
	noError(t, s.DeleteSession(ctx, want[2].ID, "", func(remora.Session) error { return nil }))
	got, err = s.OpenSessions(ctx)
	noError(t, err)
	same(t, got, slices.Delete(want, 2, 3))
}

func sessionsByTags(t *testing.T, s Sessions) {
	odd := `k "'\ é`
	ready := remora.SessionReady
	addSession(t, s, "none", ready, nil)
	addSession(t, s, "one", ready, map[string]string{"a": "1", odd: `v "'\`})
	addSession(t, s, "both", remora.SessionFailed, map[string]string{"a": "1", "b": ""})
	addSession(t, s, "other", ready, map[string]string{"a": "2", "b": "1"})
	closeSession(t, s, "both") // closed ones are listed all the same
	addJob(t, s, "a job", map[string]string{"a": "1"})
	list := func(tags map[string]string) (got []string) {
		for _, v := range walkSessions(t, s, tags, 1) {
			got = append(got, v.ID)
		}
		return got
	}
	for _, c := range []struct {
		tags map[string]string
		want []string
	}{
		{nil, []string{"other", "both", "one", "none"}},
		{map[string]string{}, []string{"other", "both", "one", "none"}},
		{map[string]string{"a": "1"}, []string{"both", "one"}},
		{map[string]string{"a": "1", "b": ""}, []string{"both"}},
		{map[string]string{odd: `v "'\`}, []string{"one"}},
		{map[string]string{"a": "1", "b": "1"}, nil},
		{map[string]string{"c": ""}, nil},
	} {
		same(t, list(c.tags), c.want)
	}
	noError(t, s.ChangeTags(ctx, sessionARN("none"), func(tags map[string]string) error { tags["a"] = "1"; return nil }))
	same(t, list(map[string]string{"a": "1"}), []string{"both", "one", "none"})
}

func sessionDelete(t *testing.T, s Sessions) {
	tags := map[string]string{"k": "v"}
	want := addSession(t, s, "s", remora.SessionReady, tags)
	other := addSession(t, s, "other", remora.SessionReady, tags)
	statements := make(map[string][]remora.Statement)
	for range 3 {
		for _, id := range []string{"s", "other"} {
			statements[id] = append(statements[id], addStatement(t, s, id, "in "+id))
		}
	}

	refusal := errors.New("refused")
	err := s.DeleteSession(ctx, "s", sessionARN("s"), func(v remora.Session) error {
		same(t, v, want)
		return refusal
	})
	if err != refusal {
		t.Fatalf("error is %v, want that of the function", err)
	}
	same(t, walkSessions(t, s, nil, 9), []remora.Session{other, want})
	same(t, walkStatements(t, s, "s", 9), statements["s"])
	same(t, tagCount(t, s, "s"), 1)

	noError(t, s.DeleteSession(ctx, "s", sessionARN("s"), func(remora.Session) error { return nil }))
	err = s.DeleteSession(ctx, "s", sessionARN("s"), func(remora.Session) error {
		t.Error("check was called for a session that is not there")
		return nil
	})
	wantKind(t, err, remora.NotFound)
	_, err = s.Session(ctx, "s")
	wantKind(t, err, remora.NotFound)
	_, err = s.Statement(ctx, "s", 1)
	wantKind(t, err, remora.NotFound)
	same(t, len(walkStatements(t, s, "s", 9)), 0)
	open, err := s.OpenStatements(ctx, "s")
	noError(t, err)
	same(t, len(open), 0)
	same(t, tagCount(t, s, "s"), 0)
	same(t, walkSessions(t, s, nil, 9), []remora.Session{other})
	same(t, walkStatements(t, s, "other", 9), statements["other"])
	same(t, tagCount(t, s, "other"), 1)

	// A session of that id that is made anew is the newest, and has nothing of
	// the old one's.
	again := addSession(t, s, "s", remora.SessionProvisioning, nil)
	same(t, walkSessions(t, s, nil, 9), []remora.Session{again, other})
	same(t, tagCount(t, s, "s"), 0)
	same(t, len(walkStatements(t, s, "s", 9)), 0)
	for i := range 2 {
		same(t, addStatement(t, s, "s", "anew").ID, i+1)
	}
	same(t, len(walkStatements(t, s, "s", 9)), 2)
}

func sessionPages(t *testing.T, s Sessions) {
	var sessions []remora.Session
	var statements []remora.Statement
	addSession(t, s, "a", remora.SessionReady, nil)
	for i := range 7 {
		v := addSession(t, s, fmt.Sprint("z", 9-i), remora.SessionReady, map[string]string{"k": "v"})
		sessions = append([]remora.Session{v}, sessions...)
	}
	for i := range 7 {
		statements = append(statements, addStatement(t, s, "z4", fmt.Sprint(i)))
		addStatement(t, s, "z5", fmt.Sprint(i))
	}
	for _, n := range []int{1, 2, 6, 7, 8, math.MaxInt} {
		same(t, walkSessions(t, s, map[string]string{"k": "v"}, n), sessions)
		same(t, len(walkSessions(t, s, nil, n)), 8)
		same(t, walkStatements(t, s, "z4", n), statements)
	}
	same(t, len(walkStatements(t, s, "a", 1)), 0)
	for _, limit := range []int{3, 8} { // a full page may be the last one
		page, next, err := s.ListSessions(ctx, nil, remora.Page{Limit: limit})
		noError(t, err)
		same(t, len(page), limit)
		same(t, next == "", limit == 8)
	}
	for _, limit := range []int{3, 7} {
		page, next, err := s.ListStatements(ctx, "z4", remora.Page{Limit: limit})
		noError(t, err)
		same(t, len(page), limit)
		same(t, next == "", limit == 7)
	}
}

func sessionCursors(t *testing.T, s Sessions) {
	for i := range 4 {
		addSession(t, s, fmt.Sprint("s", i), remora.SessionReady, map[string]string{"k": "v"})
		addJob(t, s, fmt.Sprint("j", i), nil)
	}
	for range 4 {
		addStatement(t, s, "s0", "")
		addStatement(t, s, "s2", "")
	}
	_, jobs, err := s.ListJobs(ctx, nil, remora.Page{Limit: 2})
	noError(t, err)
	_, sessions, err := s.ListSessions(ctx, nil, remora.Page{Limit: 2})
	noError(t, err)
	_, statements, err := s.ListStatements(ctx, "s0", remora.Page{Limit: 2})
	noError(t, err)
	refuse := func(tags map[string]string, session string, cursors ...remora.Cursor) {
		t.Helper()
		for _, c := range cursors {
			if session == "" {
				_, _, err = s.ListSessions(ctx, tags, remora.Page{After: c, Limit: 1})
			} else {
				_, _, err = s.ListStatements(ctx, session, remora.Page{After: c, Limit: 1})
			}
			wantKind(t, err, remora.InvalidPageToken)
		}
	}
	refuse(nil, "", jobs, statements, sessions+"x", "x"+sessions, sessions[1:], "0", "-", "1", "é", "\x00", " ")
	refuse(map[string]string{"k": "v"}, "", sessions)
	refuse(nil, "s0", jobs, sessions, statements[1:], "1", " ")
	refuse(nil, "s2", statements)
	refuse(nil, "missing", statements)

	// The entry that a cursor was made at may go.
	noError(t, s.DeleteSession(ctx, "s2", sessionARN("s2"), func(remora.Session) error { return nil }))
	got, _, err := s.ListSessions(ctx, nil, remora.Page{After: sessions, Limit: 9})
	noError(t, err)
	same(t, got, []remora.Session{newSession("s1"), newSession("s0")})
	for _, id := range []string{"s0", "s1", "s3"} {
		noError(t, s.DeleteSession(ctx, id, sessionARN(id), func(remora.Session) error { return nil }))
	}
	rest, next, err := s.ListStatements(ctx, "s0", remora.Page{After: statements, Limit: 9})
	noError(t, err)
	same(t, len(rest), 0)
	same(t, next, remora.Cursor(""))

	// What is made later is newer than all that a cursor stands at, also where
	// nothing else is left.
	addSession(t, s, "later", remora.SessionReady, nil)
	got, _, err = s.ListSessions(ctx, nil, remora.Page{After: sessions, Limit: 9})
	noError(t, err)
	same(t, len(got), 0)
}
