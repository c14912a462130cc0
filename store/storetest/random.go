package storetest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

var fixedSeed = flag.Uint64("storetest.seed", 0, "seed of the store's random tests; 0: a new one each time")

// errChance is what random functions return to refuse.
var errChance = errors.New("refused by chance")

// random makes calls at random, with few names so that they meet, to the store
// and to the model, and compares what they return and, now and then, everything.
func random(t *testing.T, s remora.Store) {
	rnd, steps := randomness(t, 3000)
	m := &model{tags: make(map[string]map[string]string)}
	g := &generator{Rand: rnd}
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
		if step%100 == 0 || step == steps-1 {
			compare(t, g, s, m)
		}
	}
}

func compare(t *testing.T, g *generator, s remora.Store, m *model) {
	t.Helper()
	for _, tags := range []map[string]string{nil, {"k0": "v0"}, {"k0": "v0", "k1": "v1"}} {
		want, _, _ := m.ListJobs(ctx, tags, remora.Page{})
		same(t, walkJobs(t, s, tags, 1+g.IntN(9)), want)
	}
	open, err := s.OpenRuns(ctx)
	noError(t, err)
	want, _ := m.OpenRuns(ctx)
	same(t, withoutChange(open), withoutChange(want))
	for i := range names {
		name := nameOf(i)
		runs, _, _ := m.ListRuns(ctx, name, remora.Page{})
		same(t, withoutChange(walkRuns(t, s, name, 1+g.IntN(50))), withoutChange(runs))
		got, err := s.Tags(ctx, arnOf(name))
		noError(t, err)
		tags, _ := m.Tags(ctx, arnOf(name))
		same(t, got, tags)
	}
}

// withoutChange leaves out LastModifiedOn, which PromoteRun sets to a time that
// only the store knows.
func withoutChange(runs []remora.Run) []remora.Run {
	for i := range runs {
		runs[i].LastModifiedOn = time.Time{}
	}
	return runs
}

const names = 5

func nameOf(i int) string { return fmt.Sprint("job", i) }

// generator makes calls that can be repeated: all chance is in the making.
type generator struct {
	*rand.Rand
	ids []string
}

func (g *generator) job() remora.Job {
	j := newJob(nameOf(g.IntN(names)))
	j.MaxRetries, j.MaxConcurrentRuns, j.Queuing = g.IntN(5), 1+g.IntN(5), g.IntN(2) == 0
	j.CreatedOn = start.Add(time.Duration(g.IntN(1e9) - 5e8)) // the clock jumps
	return j
}

func (g *generator) run() remora.Run {
	r := newRun(nameOf(g.IntN(names)))
	r.StartedOn = start.Add(time.Duration(g.IntN(1e9) - 5e8))
	r.ErrorMessage = fmt.Sprint(g.Uint64())
	if g.IntN(20) == 0 {
		r.ID = g.id()
	}
	g.ids = append(g.ids, r.ID)
	return r
}

// id returns one of a run that was made lately, or none's.
func (g *generator) id() string {
	if len(g.ids) == 0 || g.IntN(20) == 0 {
		return "jr_none"
	}
	return g.ids[max(0, len(g.ids)-1-g.IntN(20))]
}

func (g *generator) tags() map[string]string {
	tags := make(map[string]string)
	for range g.IntN(4) {
		i := g.IntN(3)
		tags[fmt.Sprint("k", i)] = fmt.Sprint("v", g.IntN(2)*i)
	}
	return tags
}

func (g *generator) call() (string, func(remora.Store) (any, error)) {
	name, refuse := nameOf(g.IntN(names)), g.IntN(8) == 0
	chance := func() error {
		if refuse {
			return errChance
		}
		return nil
	}
	switch g.IntN(10) {
	case 0:
		j, tags := g.job(), g.tags()
		return "CreateJob " + j.Name, func(s remora.Store) (any, error) {
			return nil, s.CreateJob(ctx, j, arnOf(j.Name), tags)
		}
	case 1:
		return "Jobs", func(s remora.Store) (any, error) {
			return s.Jobs(ctx, []string{name, "missing", nameOf(names + 1)})
		}
	case 2:
		to := g.job()
		return "UpdateJob " + name, func(s remora.Store) (any, error) {
			return s.UpdateJob(ctx, name, func(j *remora.Job) error { *j = to; return chance() })
		}
	case 3:
		if g.IntN(3) > 0 {
			return "Job " + name, func(s remora.Store) (any, error) { return s.Job(ctx, name) }
		}
		return "DeleteJob " + name, func(s remora.Store) (any, error) {
			return nil, s.DeleteJob(ctx, name, arnOf(name))
		}
	case 4:
		tags := g.tags()
		return "ChangeTags " + name, func(s remora.Store) (any, error) {
			return nil, s.ChangeTags(ctx, arnOf(name), func(t map[string]string) error {
				clear(t)
				for k, v := range tags {
					t[k] = v
				}
				return chance()
			})
		}
	case 5, 6:
		r, limit := g.run(), g.IntN(4)
		return "CreateRun " + r.ID, func(s remora.Store) (any, error) {
			return s.CreateRun(ctx, r, func(active, waiting int) (remora.RunState, error) {
				if active < limit {
					return remora.Starting, chance()
				}
				return remora.Waiting, chance()
			})
		}
	case 7:
		limit := g.IntN(5)
		return "PromoteRun " + name, func(s remora.Store) (any, error) {
			r, ok, err := s.PromoteRun(ctx, name, limit)
			return fmt.Sprint(r.ID, r.State, ok), err
		}
	default:
		id, to := g.id(), states[g.IntN(len(states))]
		changed := g.run()
		var successor *remora.Run
		if g.IntN(5) == 0 {
			next := g.run()
			next.State = remora.Starting
			successor = &next
		}
		return fmt.Sprintf("ChangeRun %s to %s", id, to), func(s remora.Store) (any, error) {
			return s.ChangeRun(ctx, id, func(r *remora.Run) (*remora.Run, error) {
				*r = changed
				r.State = to
				if successor == nil {
					return nil, chance()
				}
				next := *successor
				return &next, chance()
			})
		}
	}
}
