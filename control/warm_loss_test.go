package control_test

import (
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

// Who claims a cluster that does not answer does not wait for it for long.
func TestWarmClusterHangs(t *testing.T) {
	t.Parallel()
	for _, step := range []string{nodes, assigned} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.job("j", counted)
			p := b.newWarmPlane([]control.WarmSpec{warmShell}, func(c *control.Config) { c.Within(50 * time.Millisecond) })
			warm := p.pool(1)
			p.fault("before "+warmStarted, 1<<30) // no further one
			p.hangAt(step)
			r := b.want(p.start("j").ID, remora.Succeeded)
			if id := b.clusterOf(r.Handle); isWarm(id) || b.executions("count") != 1 {
				t.Errorf("the run was executed %d times, last on %s", b.executions("count"), id)
			}
			b.gone(warm[0])
		})
	}
}

// What `remora status` shows does not wait either.
func TestMemoryOfAWarmClusterIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.newWarmPlane([]control.WarmSpec{warmShell}, func(c *control.Config) { c.Within(50 * time.Millisecond) })
	p.pool(1)
	p.hangAt(memory)
	if all := p.warm.State(t.Context()); len(all) != 0 {
		t.Errorf("the clusters are %+v", all)
	}
	p.hangAt("")
	p.pool(1)
}

// A cluster that is lost while it waits is replaced before anybody asks for it.
func TestLostWarmClusterIsReplaced(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(b *bed, p *plane, id string) error{
		"machine": func(b *bed, _ *plane, id string) error { return b.host.Lose(id) },
		"node":    func(b *bed, _ *plane, id string) error { b.host.KillNode(id, 1); return nil },
		"hangs":   func(_ *bed, p *plane, _ string) error { p.hangAt(nodes); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.job("j", counted)
			p := b.newWarmPlane([]control.WarmSpec{warmShell}, func(c *control.Config) { c.Probe(10*time.Millisecond, 200*time.Millisecond) })
			lost := p.pool(1)
			if err := harm(b, p, lost[0]); err != nil {
				t.Fatal(err)
			}
			b.gone(lost[0])
			p.hangAt("")
			p.pool(1)
			r := b.want(p.start("j").ID, remora.Succeeded)
			if id := b.clusterOf(r.Handle); !isWarm(id) || id == lost[0] {
				t.Errorf("the run is on %s; %s was lost", id, lost[0])
			}
		})
	}
}
