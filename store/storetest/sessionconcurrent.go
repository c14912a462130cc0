package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// sessionAdmitOne lets many sessions meet, first with ids of their own, then
// with one id.
func sessionAdmitOne(t *testing.T, s Sessions) {
	full := remora.Errorf(remora.LimitExceeded, "", "", "full")
	var stored atomic.Int32
	atOnce(func(i int) {
		id := fmt.Sprint("s", i)
		err := s.CreateSession(ctx, newSession(id), sessionARN(id), nil, func(open int) error {
			if open >= 3 {
				return full
			}
			return nil
		})
		if err == nil {
			stored.Add(1)
		} else if err != full {
			t.Errorf("a refused call got %v, want the error of admit", err)
		}
	})
	same(t, stored.Load(), int32(3))
	same(t, len(walkSessions(t, s, nil, 10)), 3)

	stored.Store(0)
	var admitted atomic.Int32
	atOnce(func(int) {
		err := s.CreateSession(ctx, newSession("one"), sessionARN("one"), nil, func(int) error { admitted.Add(1); return nil })
		if err == nil {
			stored.Add(1)
		} else if remora.KindOf(err) != remora.AlreadyExists {
			t.Errorf("the second of one id got %v", err)
		}
	})
	same(t, stored.Load(), int32(1))
	same(t, admitted.Load(), int32(1))
}

// statementNumbers makes statements of two sessions from many goroutines, some
// of which are refused: ids come without a gap, and each caller sees its own rise.
func statementNumbers(t *testing.T, s Sessions) {
	sessions := []string{"even", "odd"}
	for _, id := range sessions {
		addSession(t, s, id, remora.SessionReady, nil)
	}
	const each = 6
	refusal := errors.New("refused")
	var codes sync.Map
	atOnce(func(i int) {
		session, last := sessions[i%2], 0
		for n := range each {
			code := fmt.Sprint(i, "/", n)
			st, err := s.CreateStatement(ctx, session, code, func(_ remora.Session, open int) error {
				if n == each/2 {
					return refusal
				}
				return nil
			})
			switch {
			case n == each/2 && err == refusal:
				continue
			case err != nil:
				t.Errorf("create a statement: %v", err)
				continue
			case st.ID <= last:
				t.Errorf("after statement %d of session %q came %d", last, session, st.ID)
			}
			last = st.ID
			if other, taken := codes.LoadOrStore(fmt.Sprint(session, st.ID), code); taken {
				t.Errorf("statement %d of session %q is %s and %s", st.ID, session, other, code)
			}
		}
	})
	for _, session := range sessions {
		all := walkStatements(t, s, session, 9)
		same(t, len(all), callers/2*(each-1))
		for i, st := range all {
			code, _ := codes.Load(fmt.Sprint(session, st.ID))
			if st.ID != i+1 || st.Code != code {
				t.Fatalf("entry %d of session %q is statement %d with the code %s, want %s", i, session, st.ID, st.Code, code)
			}
		}
	}
}

// statementsOrDeletion deletes a session and makes it anew while statements are
// made: each is of the session that its admit saw, and goes with it.
func statementsOrDeletion(t *testing.T, s Sessions) {
	var made sync.Map // code -> the session's mark
	atOnce(func(i int) {
		mark := fmt.Sprint("session ", i)
		if i%5 == 0 {
			v := newSession("s")
			v.ErrorMessage = mark
			err := s.DeleteSession(ctx, "s", sessionARN("s"), func(remora.Session) error { return nil })
			if err != nil && remora.KindOf(err) != remora.NotFound {
				t.Errorf("delete the session: %v", err)
			}
			err = s.CreateSession(ctx, v, sessionARN("s"), map[string]string{"mark": mark}, admitSession)
			if err != nil && remora.KindOf(err) != remora.AlreadyExists {
				t.Errorf("create the session: %v", err)
			}
			return
		}
		for n := range 5 {
			code := fmt.Sprint(i, "/", n)
			_, err := s.CreateStatement(ctx, "s", code, func(v remora.Session, _ int) error {
				made.Store(code, v.ErrorMessage)
				return nil
			})
			if err != nil && remora.KindOf(err) != remora.NotFound {
				t.Errorf("create a statement: %v", err)
			}
		}
	})
	session, err := s.Session(ctx, "s")
	noError(t, err)
	tags, err := s.Tags(ctx, sessionARN("s"))
	noError(t, err)
	same(t, tags, map[string]string{"mark": session.ErrorMessage})
	want := 0
	made.Range(func(_, mark any) bool {
		if mark == session.ErrorMessage {
			want++
		}
		return true
	})
	all := walkStatements(t, s, "s", 9)
	same(t, len(all), want)
	for i, st := range all {
		same(t, st.ID, i+1)
		if mark, _ := made.Load(st.Code); mark != session.ErrorMessage {
			t.Fatalf("statement %d was made in %v and is in %s", st.ID, mark, session.ErrorMessage)
		}
	}
}

func sessionNoLostChange(t *testing.T, s Sessions) {
	session := addSession(t, s, "s", remora.SessionReady, nil)
	addStatement(t, s, "s", "")
	atOnce(func(int) {
		changed, err := s.ChangeSession(ctx, "s", func(v *remora.Session) error { v.ExecutionTime++; return nil })
		if err != nil {
			t.Errorf("change the session: %v", err)
		}
		if got, err := s.Session(ctx, "s"); err != nil || got.ExecutionTime < changed.ExecutionTime {
			t.Errorf("after a change to %d a read has %d, error %v", changed.ExecutionTime, got.ExecutionTime, err)
		}
		st, err := s.ChangeStatement(ctx, "s", 1, func(st *remora.Statement) error { st.Progress++; return nil })
		if err != nil {
			t.Errorf("change the statement: %v", err)
		}
		if got, err := s.Statement(ctx, "s", 1); err != nil || got.Progress < st.Progress {
			t.Errorf("after a change to %v a read has %v, error %v", st.Progress, got.Progress, err)
		}
	})
	got, err := s.Session(ctx, "s")
	noError(t, err)
	same(t, got.ExecutionTime, session.ExecutionTime+callers)
	st, err := s.Statement(ctx, "s", 1)
	noError(t, err)
	same(t, st.Progress, float64(callers))
}

// sessionEndedContext is endedContext for sessions.
func sessionEndedContext(t *testing.T, s Sessions) {
	session := addSession(t, s, "s", remora.SessionReady, map[string]string{"k": "v"})
	st := addStatement(t, s, "s", "code")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
	defer cancel()
	for want, ended := range map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: late} {
		for name, call := range everySessionCall(ended, s) {
			err := call()
			if !errors.Is(err, want) {
				t.Fatalf("%s: error is %v, want %v", name, err, want)
			}
			wantKind(t, err, remora.Unavailable)
		}
	}

	changes := everySessionCall(ctx, s)
	for name := range changes {
		waiting, cancel := context.WithCancel(ctx)
		call := everySessionCall(waiting, s)[name]
		outcome := make(chan error, 1)
		_, err := s.ChangeSession(ctx, "s", func(*remora.Session) error {
			go func() { outcome <- call() }()
			cancel()
			select {
			case err := <-outcome: // a read may have been quicker
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%s: error is %v, want %v", name, err, context.Canceled)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s did not notice within 10 s that its context ended while it waited for another change", name)
			}
			return nil
		})
		noError(t, err)
	}
	same(t, walkSessions(t, s, nil, 9), []remora.Session{session})
	same(t, walkStatements(t, s, "s", 9), []remora.Statement{st})
	same(t, tagCount(t, s, "s"), 1)
	same(t, tagCount(t, s, "new"), 0)
}

func everySessionCall(ctx context.Context, s Sessions) map[string]func() error {
	page := remora.Page{Limit: 1}
	return map[string]func() error{
		"CreateSession": func() error {
			return s.CreateSession(ctx, newSession("new"), sessionARN("new"), map[string]string{"k": "v"}, admitSession)
		},
		"Session":      func() error { _, err := s.Session(ctx, "s"); return err },
		"ListSessions": func() error { _, _, err := s.ListSessions(ctx, nil, page); return err },
		"OpenSessions": func() error { _, err := s.OpenSessions(ctx); return err },
		"ChangeSession": func() error {
			_, err := s.ChangeSession(ctx, "s", func(v *remora.Session) error { v.Closed = true; return nil })
			return err
		},
		"DeleteSession": func() error {
			return s.DeleteSession(ctx, "s", sessionARN("s"), func(remora.Session) error { return nil })
		},
		"CreateStatement": func() error { _, err := s.CreateStatement(ctx, "s", "", admitStatement); return err },
		"Statement":       func() error { _, err := s.Statement(ctx, "s", 1); return err },
		"ListStatements":  func() error { _, _, err := s.ListStatements(ctx, "s", page); return err },
		"OpenStatements":  func() error { _, err := s.OpenStatements(ctx, "s"); return err },
		"ChangeStatement": func() error {
			_, err := s.ChangeStatement(ctx, "s", 1, func(st *remora.Statement) error { st.Progress = 1; return nil })
			return err
		},
	}
}

// sessionPanicking is panicking for each function that a call on sessions takes.
func sessionPanicking(t *testing.T, s Sessions) {
	session := addSession(t, s, "s", remora.SessionReady, nil)
	st := addStatement(t, s, "s", "")
	for name, call := range map[string]func(){
		"CreateSession": func() {
			s.CreateSession(ctx, newSession("new"), "", nil, func(int) error { panic("oh") })
		},
		"ChangeSession": func() {
			s.ChangeSession(ctx, "s", func(v *remora.Session) error { v.Closed = true; panic("oh") })
		},
		"DeleteSession":   func() { s.DeleteSession(ctx, "s", "", func(remora.Session) error { panic("oh") }) },
		"CreateStatement": func() { s.CreateStatement(ctx, "s", "", func(remora.Session, int) error { panic("oh") }) },
		"ChangeStatement": func() {
			s.ChangeStatement(ctx, "s", 1, func(st *remora.Statement) error { st.Progress = 1; panic("oh") })
		},
	} {
		func() {
			defer func() { same(t, recover(), any("oh")) }()
			call()
			t.Errorf("%s swallowed the panic", name)
		}()
	}
	same(t, walkSessions(t, s, nil, 9), []remora.Session{session})
	same(t, walkStatements(t, s, "s", 9), []remora.Statement{st})
	same(t, addStatement(t, s, "s", "").ID, 2)
}
