package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/remora-project/remora"
)

// sessionMovingPages is movingPages for sessions, and for the statements of one
// session that is deleted and made anew now and then.
func sessionMovingPages(t *testing.T, s Sessions) {
	rnd, steps := randomness(t, 1500)
	const busy = "busy"
	there := make(map[string][]string) // by what is listed, in the order of creation
	position := make(map[string]int)   // of everything that ever was
	list := map[string]func(remora.Page) ([]string, remora.Cursor, error){
		"sessions": func(p remora.Page) (ids []string, next remora.Cursor, err error) {
			page, next, err := s.ListSessions(ctx, map[string]string{"k": "v"}, p)
			for _, v := range page {
				ids = append(ids, v.ID)
			}
			return ids, next, err
		},
		"statements": func(p remora.Page) (codes []string, next remora.Cursor, err error) {
			page, next, err := s.ListStatements(ctx, busy, p)
			for _, st := range page {
				codes = append(codes, st.Code)
			}
			return codes, next, err
		},
	}
	walks := make(map[string]*walk)
	add := func(kind, name string, step int) {
		there[kind], position[name] = append(there[kind], name), step
	}
	remove := func(kind string, i int) {
		for _, w := range walks {
			delete(w.present, there[kind][i])
		}
		there[kind] = slices.Delete(there[kind], i, i+1)
	}
	check := func(remora.Session) error { return nil }
	addSession(t, s, busy, remora.SessionReady, nil)
	finished := make(map[string]int)
	for step := range steps {
		switch what := rnd.IntN(100); {
		case what < 20:
			id := fmt.Sprint("session", step)
			addSession(t, s, id, remora.SessionReady, map[string]string{"k": "v"})
			add("sessions", id, step)
		case what < 30 && len(there["sessions"]) > 0:
			i := rnd.IntN(len(there["sessions"]))
			noError(t, s.DeleteSession(ctx, there["sessions"][i], sessionARN(there["sessions"][i]), check))
			remove("sessions", i)
		case what < 50:
			code := fmt.Sprint("statement", step)
			addStatement(t, s, busy, code)
			add("statements", code, step)
		case what < 51:
			noError(t, s.DeleteSession(ctx, busy, sessionARN(busy), check))
			for len(there["statements"]) > 0 {
				remove("statements", 0)
			}
			addSession(t, s, busy, remora.SessionReady, nil)
		default:
			kind := []string{"sessions", "statements"}[rnd.IntN(2)]
			key := kind + fmt.Sprint(rnd.IntN(3))
			w := walks[key]
			if w == nil {
				w = &walk{next: list[kind], present: make(map[string]bool)}
				for _, name := range there[kind] {
					w.present[name] = true
				}
				walks[key] = w
			}
			names, next, err := w.next(remora.Page{After: w.at, Limit: 1 + rnd.IntN(15)})
			noError(t, err)
			w.seen, w.at = append(w.seen, names...), next
			if next == "" {
				w.check(t, kind, kind == "sessions", position)
				delete(walks, key)
				finished[kind]++
			}
		}
	}
	if len(finished) < 2 {
		t.Fatalf("walks that were finished in %d steps: %v", steps, finished)
	}
}
