package control_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

func TestWarmClusterForARun(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.warmPlane(warmShell)
	warm := p.pool(1)
	b.job("j", counted+"echo first; echo $REMORA_CLUSTER\n")
	r := b.want(p.start("j").ID, remora.Succeeded)
	if id := b.clusterOf(r.Handle); id != warm[0] || b.executions("count") != 1 {
		t.Errorf("the run was executed %d times, last on %s, not on %s", b.executions("count"), id, warm[0])
	}
	log := strings.Join(b.log(r.ID), "\n")
	for _, want := range []string{"\nfirst\n" + warm[0], "remora: on a cluster that was ready: sh, a head and 2 workers of Z.2X", "remora: cluster ready "} {
		if !strings.Contains(log, want) {
			t.Errorf("the run's log lacks %q:\n%s", want, log)
		}
	}
	b.gone(warm[0])
	if next := p.pool(1); len(next) != 1 || next[0] == warm[0] {
		t.Errorf("after %s the clusters %s are kept ready", warm[0], next)
	}
}

func TestWarmClusterForASession(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.warmPlane(warmPython)
	warm := p.pool(1)
	// Modules are on the driver's path alone.
	b.blobs["s3://b/one.zip"] = packed(t, "one/__init__.py", "x = 'one'")
	p.open("s", argument("--NAME", "mine"))
	if id := b.clusterOf(b.session("s").Handle); id != warm[0] {
		t.Errorf("the session is on %s, not on %s", id, warm[0])
	}
	p.eval("s", "import os\nprint('first')\nos.environ['NAME'], os.environ['REMORA_CLUSTER']", "first\n('mine', '"+warm[0]+"')")
	p.end("s")
	if log := b.logBelow(sessionPrefix, "s"); !slices.Contains(log, "first") ||
		!slices.Contains(log, "remora: on a cluster that was ready: python, a head and 2 workers of Z.2X") {
		t.Errorf("the session's log is %q", log)
	}
	b.gone(warm[0])
	p.pool(1)
}

// What is kept ready is nobody's: it is listed nowhere but for who runs the
// service.
func TestWarmClustersAreNotListed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.warmPlane(warmShell, warmPython)
	runs, err := b.store.OpenRuns(t.Context())
	if err != nil || len(runs) > 0 {
		t.Errorf("runs %s, %v", describe(runs...), err)
	}
	sessions, _, err := b.store.ListSessions(t.Context(), nil, remora.Page{Limit: 10})
	if err != nil || len(sessions) > 0 {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
	for _, s := range p.warm.State(t.Context()) {
		if s.Memory != 1<<20 || s.Since.IsZero() || s.WarmSpec != warmShell && s.WarmSpec != warmPython {
			t.Errorf("a cluster is listed as %+v", s)
		}
	}
	p.fault("at "+memory, 1)
	if all := p.warm.State(t.Context()); len(all) != 1 {
		t.Errorf("with one that does not answer, the clusters are %+v", all)
	}
	p.warm.Close()
	if ids := b.host.Clusters(); len(ids) > 0 {
		t.Errorf("after Close there are clusters %q", ids)
	}
	if left, err := os.ReadDir(filepath.Join(b.dir, "warm")); err != nil || len(left) > 0 {
		t.Errorf("after Close there are files %v, %v", left, err)
	}
}

func TestNothingIsKeptWarm(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.warmPlane()
	b.job("j", note)
	b.want(p.start("j").ID, remora.Succeeded)
	if exists(filepath.Join(b.dir, "warm")) {
		t.Error("there is a folder for locks that nobody has")
	}
}

// Each is handed out once, however many ask.
func TestWarmClustersAreHandedOutOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.warmPlane(warmShell, warmShell)
	p.fault("before "+warmStarted, 1<<30) // no further one
	b.job("j", counted, func(j *remora.Job) { j.MaxConcurrentRuns = 6 })
	ids := make([]string, 6)
	var clients sync.WaitGroup
	for i := range ids {
		clients.Go(func() {
			r, err := p.accept(control.StartRequest{JobName: "j"})
			if err != nil {
				t.Error(err)
			}
			ids[i] = r.ID
		})
	}
	clients.Wait()
	on := map[string]bool{}
	warm := 0
	for _, id := range ids {
		c := b.clusterOf(b.want(id, remora.Succeeded).Handle)
		on[c] = true
		if isWarm(c) {
			warm++
		}
	}
	if warm != 2 || len(on) != 6 || b.executions("count") != 6 {
		t.Errorf("6 runs were executed %d times on %d clusters, of which %d were ready", b.executions("count"), len(on), warm)
	}
	p.fault("before "+warmStarted, 0)
	p.pool(2)
}

// A cluster that does not fit is left for others.
func TestWarmClusterDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*request){
		"workers":           func(q *request) { q.Plan.NumberOfWorkers = 3 },
		"overlay":           argument("--pip-install", "a==1"),
		"working directory": argument("--working-dir", "s3://b/app.zip"),
		"object store":      argument("--object_store_memory_worker", "50"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.blobs["s3://b/app.zip"] = packed(t, "app/data.txt", "data")
			p := b.warmPlane(warmPython, warmShell)
			before := p.pool(2)
			p.open("s", change)
			if id := b.clusterOf(b.session("s").Handle); isWarm(id) {
				t.Errorf("the session is on %s", id)
			}
			p.end("s")
			if after := p.pool(2); !sameElements(before, after) {
				t.Errorf("the clusters %q were ready, and now %q", before, after)
			}
		})
	}
	b := newBed(t)
	p := b.warmPlane(warmShell) // another runtime
	p.open("s")
	if id := b.clusterOf(b.session("s").Handle); isWarm(id) {
		t.Errorf("the session is on %s", id)
	}
	p.end("s")
}

func sameElements(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// Clusters with former keys are of no use to anybody; new ones take their place.
func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	var key atomic.Value
	key.Store("old")
	p := b.newWarmPlane([]control.WarmSpec{warmShell}, func(c *control.Config) {
		c.Env = func() map[string]string { return map[string]string{"KEY": key.Load().(string)} }
	})
	warm := p.pool(1)
	b.job("j", counted+"echo KEY $KEY\n")
	key.Store("new")
	p.fault("before "+warmStarted, 1<<30) // or the next one might be ready in time for the first run
	first := b.want(p.start("j").ID, remora.Succeeded)
	if id := b.clusterOf(first.Handle); isWarm(id) || !slices.Contains(b.log(first.ID), "KEY new") {
		t.Errorf("the first run is on %s: %q", id, b.log(first.ID))
	}
	b.gone(warm[0])
	p.fault("before "+warmStarted, 0)
	next := p.pool(1)
	second := b.want(p.start("j").ID, remora.Succeeded)
	if id := b.clusterOf(second.Handle); id != next[0] || !slices.Contains(b.log(second.ID), "KEY new") {
		t.Errorf("the second run is on %s, not on %s: %q", id, next[0], b.log(second.ID))
	}
}

// Clusters that are lost while they wait, or as they are handed out, are not
// used, and leave nothing.
func TestWarmClusterIsLost(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(b *bed, p *plane, id string) error{
		"machine":    func(b *bed, _ *plane, id string) error { return b.host.Lose(id) },
		"node":       func(b *bed, _ *plane, id string) error { b.host.KillNode(id, 1); return nil },
		"no answer":  func(_ *bed, p *plane, _ string) error { p.fault("at "+nodes, 1); return nil },
		"assignment": func(_ *bed, p *plane, _ string) error { p.fault("before "+assigned, 1); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.job("j", counted)
			p := b.warmPlane(warmShell)
			warm := p.pool(1)
			if err := harm(b, p, warm[0]); err != nil {
				t.Fatal(err)
			}
			r := b.want(p.start("j").ID, remora.Succeeded)
			if id := b.clusterOf(r.Handle); id == warm[0] || b.executions("count") != 1 {
				t.Errorf("the run was executed %d times, last on %s", b.executions("count"), id)
			}
			b.gone(warm[0])
			p.pool(1)
		})
	}
}

// A run that is stopped as a cluster is handed to it does not get it.
func TestStopWhileAWarmClusterIsHandedOut(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.job("j", counted)
	p := b.warmPlane(warmShell)
	warm := p.pool(1)
	p.holdAt("at " + nodes)
	r := p.start("j")
	<-p.held
	p.stop(r)
	close(p.release)
	r = b.want(r.ID, remora.Stopped)
	if b.executions("count") != 0 || r.DPUSeconds != 0 {
		t.Errorf("executed %d times, %v DPU-seconds", b.executions("count"), r.DPUSeconds)
	}
	b.gone(warm[0])
	p.pool(1)
}

// That one cannot be started now is no reason to give up.
func TestWarmClusterCannotBeStarted(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.newWarmPlane([]control.WarmSpec{warmShell}, func(c *control.Config) { c.Provider.(provider).fault("before "+warmStarted, 3) })
	p.pool(1)
}
