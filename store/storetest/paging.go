package storetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/remora-project/remora"
)

func pages(t *testing.T, s remora.Store) {
	var jobs []remora.Job
	var runs []remora.Run
	for i := range 7 {
		addJob(t, s, fmt.Sprint("z", 9-i), nil) // not in the order of their names
		jobs = append(jobs, newJob(fmt.Sprint("z", 9-i)))
		runs = append([]remora.Run{addRun(t, s, "j", states[i])}, runs...)
		addRun(t, s, "other", states[i])
	}
	for _, n := range []int{1, 2, 6, 7, 8, math.MaxInt} {
		same(t, walkJobs(t, s, nil, n), jobs)
		same(t, walkRuns(t, s, "j", n), runs)
	}
	same(t, len(walkRuns(t, s, "nobody", 1)), 0)
	_, next, err := s.ListRuns(ctx, "j", remora.Page{Limit: 7})
	noError(t, err)
	same(t, next, remora.Cursor("")) // full, and yet the last
}

func cursors(t *testing.T, s remora.Store) {
	for i := range 4 {
		addJob(t, s, fmt.Sprint("j", i), map[string]string{"k": "v"})
		addRun(t, s, "j", remora.Starting)
		addRun(t, s, "other", remora.Starting)
	}
	_, jobs, err := s.ListJobs(ctx, nil, remora.Page{Limit: 2})
	noError(t, err)
	_, runs, err := s.ListRuns(ctx, "j", remora.Page{Limit: 2})
	noError(t, err)
	for _, c := range []remora.Cursor{runs, jobs + "x", "x" + jobs, jobs[1:], "0", "-", "1", "é", "\x00", " "} {
		_, _, err := s.ListJobs(ctx, nil, remora.Page{After: c, Limit: 1})
		wantKind(t, err, remora.InvalidPageToken)
	}
	_, _, err = s.ListJobs(ctx, map[string]string{"k": "v"}, remora.Page{After: jobs, Limit: 1})
	wantKind(t, err, remora.InvalidPageToken)
	_, _, err = s.ListRuns(ctx, "j", remora.Page{After: jobs, Limit: 1})
	wantKind(t, err, remora.InvalidPageToken)
	_, _, err = s.ListRuns(ctx, "other", remora.Page{After: runs, Limit: 1})
	wantKind(t, err, remora.InvalidPageToken)

	// The entry that a cursor was made at may go.
	noError(t, s.DeleteJob(ctx, "j1", arnOf("j1")))
	got, _, err := s.ListJobs(ctx, nil, remora.Page{After: jobs, Limit: 9})
	noError(t, err)
	same(t, got, []remora.Job{newJob("j2"), newJob("j3")})
}

// walk is a listing under way while entries come and go.
type walk struct {
	next    func(remora.Page) (ids []string, next remora.Cursor, err error)
	at      remora.Cursor
	seen    []string
	present map[string]bool // what was there all the time so far
}

// movingPages makes changes at random between the pages of several walks: no
// walk may repeat an entry, skip one that was there all the time, or leave the
// order of creation.
func movingPages(t *testing.T, s remora.Store) {
	rnd, steps := randomness(t, 1500)
	var jobs, runs []string          // what is there, in the order of creation
	position := make(map[string]int) // of everything that ever was
	list := map[string]func(remora.Page) ([]string, remora.Cursor, error){
		"jobs": func(p remora.Page) (ids []string, next remora.Cursor, err error) {
			page, next, err := s.ListJobs(ctx, nil, p)
			for _, j := range page {
				ids = append(ids, j.Name)
			}
			return ids, next, err
		},
		"runs": func(p remora.Page) (ids []string, next remora.Cursor, err error) {
			page, next, err := s.ListRuns(ctx, "j", p)
			for _, r := range page {
				ids = append(ids, r.ID)
			}
			return ids, next, err
		},
	}
	walks := make(map[string]*walk)
	finished := 0
	for step := range steps {
		switch kind := []string{"jobs", "runs"}[rnd.IntN(2)]; rnd.IntN(8) {
		case 0, 1:
			name := fmt.Sprint("job", step)
			addJob(t, s, name, nil)
			jobs, position[name] = append(jobs, name), step
		case 2:
			if len(jobs) == 0 {
				continue
			}
			i := rnd.IntN(len(jobs))
			noError(t, s.DeleteJob(ctx, jobs[i], arnOf(jobs[i])))
			for _, w := range walks {
				delete(w.present, jobs[i])
			}
			jobs = slices.Delete(jobs, i, i+1)
		case 3:
			r := addRun(t, s, "j", states[rnd.IntN(len(states))])
			runs, position[r.ID] = append(runs, r.ID), step
		default:
			key := kind + fmt.Sprint(rnd.IntN(3))
			w := walks[key]
			if w == nil {
				w = &walk{next: list[kind], present: make(map[string]bool)}
				for _, id := range map[string][]string{"jobs": jobs, "runs": runs}[kind] {
					w.present[id] = true
				}
				walks[key] = w
			}
			ids, next, err := w.next(remora.Page{After: w.at, Limit: 1 + rnd.IntN(30)})
			noError(t, err)
			w.seen, w.at = append(w.seen, ids...), next
			if next == "" {
				w.check(t, kind, kind == "runs", position)
				delete(walks, key)
				finished++
			}
		}
	}
	if finished == 0 {
		t.Fatalf("no walk was finished in %d steps", steps)
	}
}

func (w *walk) check(t *testing.T, kind string, newestFirst bool, position map[string]int) {
	t.Helper()
	for i, id := range w.seen {
		delete(w.present, id)
		if i == 0 {
			continue
		}
		before, here := position[w.seen[i-1]], position[id]
		if before == here || (before > here) != newestFirst {
			t.Fatalf("%s: %s (number %d) comes after %s (number %d)", kind, id, here, w.seen[i-1], before)
		}
	}
	if len(w.present) > 0 {
		t.Fatalf("%s: %d entries that were there all the time were skipped: %v", kind, len(w.present), w.present)
	}
}

// randomness is fresh for every test, and a failure says how to have it again.
func randomness(t *testing.T, steps int) (*rand.Rand, int) {
	t.Helper()
	seed := rand.Uint64()
	if *fixedSeed != 0 {
		seed = *fixedSeed
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to have the same again: -storetest.seed=%d", seed)
		}
	})
	if testing.Short() {
		steps /= 10
	}
	return rand.New(rand.NewPCG(seed, 0)), steps
}
