package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// sessionRandom is random for sessions and their statements, with the store
// closed and opened again now and then.
func sessionRandom(t *testing.T, open func(t *testing.T, dir string) Sessions) {
	rnd, steps := randomness(t, 3000)
	dir := t.TempDir()
	s, m := open(t, dir), newSessionModel()
	g := &sessionGenerator{generator{Rand: rnd}}
	for step := range steps {
		name, call := g.call()
		got, gotErr := call(s)
		want, wantErr := call(m)
		switch {
		case wantErr == errChance && gotErr != errChance,
			(wantErr == nil) != (gotErr == nil),
			wantErr != nil && remora.KindOf(gotErr) != remora.KindOf(wantErr):
			t.Fatalf("step %d, %s: error %v, want %v", step, name, gotErr, wantErr)
		case gotErr == nil && describe(got) != describe(want):
			t.Fatalf("step %d, %s: got\n\t%s\nwant\n\t%s", step, name, describe(got), describe(want))
		}
		if rnd.IntN(150) == 0 {
			noError(t, s.Close())
			s = open(t, dir)
		}
		if step%100 == 0 || step == steps-1 {
			compareSessions(t, g, s, m)
		}
	}
}

func compareSessions(t *testing.T, g *sessionGenerator, s Sessions, m *sessionModel) {
	t.Helper()
	for _, tags := range []map[string]string{nil, {"k0": "v0"}, {"k0": "v0", "k1": "v1"}} {
		want, _, _ := m.ListSessions(ctx, tags, remora.Page{})
		same(t, walkSessions(t, s, tags, 1+g.IntN(9)), want)
	}
	open, err := s.OpenSessions(ctx)
	noError(t, err)
	want, _ := m.OpenSessions(ctx)
	same(t, open, want)
	for i := range names + 1 {
		id := sessionOf(i)
		statements, _, _ := m.ListStatements(ctx, id, remora.Page{})
		same(t, walkStatements(t, s, id, 1+g.IntN(20)), statements)
		open, err := s.OpenStatements(ctx, id)
		noError(t, err)
		want, _ := m.OpenStatements(ctx, id)
		same(t, open, want)
		got, err := s.Tags(ctx, sessionARN(id))
		noError(t, err)
		tags, _ := m.Tags(ctx, sessionARN(id))
		same(t, got, tags)
	}
}

func sessionOf(i int) string { return fmt.Sprint("session ", i) }

// sessionGenerator makes calls on sessions and statements.
type sessionGenerator struct{ generator }

func (g *sessionGenerator) session() remora.Session {
	v := newSession(sessionOf(g.IntN(names)))
	v.State = sessionStateNames[g.IntN(len(sessionStateNames))]
	if g.IntN(2) == 0 {
		v.State = remora.SessionProvisioning
	}
	v.Closed = v.State.Ended() && g.IntN(3) == 0
	v.CreatedOn = start.Add(time.Duration(g.IntN(1e9) - 5e8)) // the clock jumps
	v.Plan.NumberOfWorkers, v.ErrorMessage = g.IntN(9), fmt.Sprint(g.Uint64())
	return v
}

func (g *sessionGenerator) statement() (st remora.Statement) {
	st.State = statementStateNames[g.IntN(len(statementStateNames))]
	if g.IntN(2) == 0 {
		fill(&st)
	}
	st.Progress, st.Code = g.Float64(), fmt.Sprint(g.Uint64())
	return st
}

func (g *sessionGenerator) call() (string, func(Sessions) (any, error)) {
	id, number, refuse := sessionOf(g.IntN(names+1)), 1+g.IntN(12), g.IntN(8) == 0
	chance := func() error {
		if refuse {
			return errChance
		}
		return nil
	}
	switch g.IntN(20) {
	case 0, 1, 2:
		v, tags, limit := g.session(), g.tags(), 1+g.IntN(names)
		return "CreateSession " + v.ID, func(s Sessions) (any, error) {
			return nil, s.CreateSession(ctx, v, sessionARN(v.ID), tags, func(open int) error {
				if open >= limit {
					return errChance
				}
				return chance()
			})
		}
	case 3, 4, 5, 6:
		to := g.session()
		return "ChangeSession " + id + " to " + string(to.State), func(s Sessions) (any, error) {
			return s.ChangeSession(ctx, id, func(v *remora.Session) error { *v = to; return chance() })
		}
	case 7:
		return "DeleteSession " + id, func(s Sessions) (any, error) {
			return nil, s.DeleteSession(ctx, id, sessionARN(id), func(v remora.Session) error {
				if !v.Closed && v.Plan.NumberOfWorkers > 2 {
					return errChance
				}
				return chance()
			})
		}
	case 8:
		return "Session " + id, func(s Sessions) (any, error) { return s.Session(ctx, id) }
	case 9:
		tags := g.tags()
		return "ChangeTags " + id, func(s Sessions) (any, error) {
			return nil, s.ChangeTags(ctx, sessionARN(id), func(t map[string]string) error {
				clear(t)
				for k, v := range tags {
					t[k] = v
				}
				return chance()
			})
		}
	case 10, 11, 12, 13:
		code, limit := fmt.Sprint(g.Uint64()), 2+g.IntN(6)
		return "CreateStatement " + id, func(s Sessions) (any, error) {
			return s.CreateStatement(ctx, id, code, func(v remora.Session, open int) error {
				if v.Plan.NumberOfWorkers == 0 || open >= limit {
					return errChance
				}
				return chance()
			})
		}
	case 14:
		return fmt.Sprint("Statement ", id, number), func(s Sessions) (any, error) { return s.Statement(ctx, id, number) }
	default:
		to := g.statement()
		return fmt.Sprint("ChangeStatement ", id, number, " to ", to.State), func(s Sessions) (any, error) {
			return s.ChangeStatement(ctx, id, number, func(st *remora.Statement) error { *st = to; return chance() })
		}
	}
}
