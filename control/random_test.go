package control_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

// Random requests, ends of scripts, losses and kills. What must hold whatever
// happens: no job has more runs than its limit, no run goes back or skips a
// state, none is executed twice, all of them end.
func TestRandomLives(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { randomLives(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

// The script waits until it is told its exit status, or that all is over.
const told = note + `while [ ! -e "$out/go" ] && [ ! -e "$out/exit-$REMORA_CLUSTER" ]; do sleep 0.02; done
exit "$(cat "$out/exit-$REMORA_CLUSTER" 2>/dev/null || echo 0)"
`

func randomLives(t *testing.T, random *rand.Rand) {
	b := newBed(t)
	limits := map[string]int{"a": 1, "b": 2, "c": 3}
	for name, limit := range limits {
		b.job(name, told, func(j *remora.Job) {
			j.MaxConcurrentRuns, j.Queuing, j.MaxRetries = limit, name != "a", random.IntN(3)
		})
	}
	names := []string{"a", "b", "c"}
	p := b.plane()
	for range 60 {
		if isClosed(p.killed) { // at a step
			p.kill()
			p = b.plane()
		}
		runs := b.allRuns(names)
		pick := func() (r remora.Run, ok bool) {
			if len(runs) == 0 {
				return r, false
			}
			return runs[random.IntN(len(runs))], true
		}
		switch n := random.IntN(20); {
		case n < 7:
			q := control.StartRequest{JobName: names[random.IntN(3)]}
			if r, ok := pick(); ok && r.State.Ended() && random.IntN(3) == 0 {
				q = control.StartRequest{JobName: r.JobName, RetryOf: r.ID}
			}
			if _, err := p.accept(q); err != nil && err != errKilled && remora.KindOf(err) != remora.ConcurrentRuns && remora.KindOf(err) != remora.Unavailable {
				t.Fatalf("start a run of %s: %v", q.JobName, err)
			}
		case n < 9:
			if r, ok := pick(); ok {
				p.do(func() {
					if err := p.runs.Stop(t.Context(), r.JobName, r.ID); err != nil && remora.KindOf(err) != remora.Unavailable {
						t.Errorf("stop run %s: %v", r.ID, err)
					}
				})
			}
		case n < 15:
			if r, ok := pick(); ok {
				if err := os.WriteFile(b.out("exit-"+r.ID+".tmp"), []byte{'0' + byte(random.IntN(2))}, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(b.out("exit-"+r.ID+".tmp"), b.out("exit-"+r.ID)); err != nil {
					t.Fatal(err)
				}
			}
		case n < 16:
			if ids := b.host.Clusters(); len(ids) > 0 {
				if err := b.host.Lose(ids[random.IntN(len(ids))]); err != nil {
					t.Fatal(err)
				}
			}
		case n < 18:
			all := moments(append(steps, promoted, stopStored))
			p.killAtMoment(all[random.IntN(len(all))])
		case n < 19:
			all := moments([]string{accepted, promoted, handleRecorded, runningStored, outcomeStored, endStored, stopStored})
			p.fault(all[random.IntN(len(all))], 1)
		default:
			p.kill()
			p = b.plane()
		}
	}
	b.touch("go")
	b.eventually(func() bool {
		if isClosed(p.killed) {
			p.kill()
			p = b.plane()
		}
		return b.idle()
	}, "not all runs have ended")
	p.runs.Close()

	for _, s := range b.watch.seen(t) {
		if s.active > limits[s.job] {
			t.Errorf("when run %s became %s, job %s had %d active runs; its limit is %d", s.id, s.state, s.job, s.active, limits[s.job])
		}
	}
	for _, r := range b.allRuns(names) {
		if n := b.executions(r.ID); n > 1 || n == 0 && r.State == remora.Succeeded {
			t.Errorf("run %s is %s and was executed %d times", r.ID, r.State, n)
		}
	}
}

func (b *bed) allRuns(jobs []string) (all []remora.Run) {
	b.t.Helper()
	for _, j := range jobs {
		runs, _, err := b.store.ListRuns(b.t.Context(), j, remora.Page{Limit: 1000})
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, runs...)
	}
	return all
}
