package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/modules"
)

// claim hands out a cluster for what is needed, if one waits: recorded, and its
// logs going to the target. One that does not answer is taken down.
func (w *Warm) claim(ctx context.Context, n need, env modules.Ready, head, worker remora.NodeSize, target remora.LogTarget) remora.Cluster {
	if w == nil || env.WorkingDir != "" {
		return nil
	}
	current := w.cfg.Env()
	outdated := func(c *warmCluster) bool { return !maps.Equal(c.env, current) }
	for c := w.take(outdated); c != nil; c = w.take(outdated) { // no one would ever be given it
		w.drop(c)
	}
	for {
		c := w.take(func(c *warmCluster) bool {
			return c.spec.Workers == n.workers && c.head == head && c.worker == worker && !outdated(c) &&
				c.runtime.Dir == env.Runtime.Dir && maps.Equal(c.runtime.Env, env.Runtime.Env) && slices.Equal(c.runtime.Path, env.Runtime.Path)
		})
		if c == nil {
			return nil
		}
		err := w.hand(ctx, c, n, target)
		if err == nil {
			return c.Cluster
		}
		w.cfg.Log.Warn("a cluster that was kept ready cannot be used", "err", err)
		w.drop(c)
		if ctx.Err() != nil || remora.KindOf(err) == remora.WrongState {
			return nil // the run or session does not want one any more
		}
	}
}

// drop ends a cluster that is not in the pool any more.
func (w *Warm) drop(c *warmCluster) {
	w.wg.Go(func() { takeDown(context.Background(), w.cfg.Log, c, func(string) {}) })
}

func (w *Warm) hand(ctx context.Context, c *warmCluster, n need, target remora.LogTarget) error {
	if err := c.whole(ctx, w.cfg.warm.answer); err != nil {
		return err
	}
	if err := n.record(ctx, c.Handle()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.warm.answer)
	defer cancel()
	return c.Assign(ctx, target)
}

// whole returns an error if a node is lost or there is no answer in time.
func (c *warmCluster) whole(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if !node.Alive {
			return fmt.Errorf("node %s is lost", node.ID)
		}
	}
	return nil
}

// take removes the longest waiting cluster that fits; nil if there is none.
func (w *Warm) take(fits func(*warmCluster) bool) *warmCluster {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.ready, fits)
	if i < 0 {
		return nil
	}
	c := w.ready[i]
	w.ready = slices.Delete(w.ready, i, i+1)
	c.taken()
	return c
}
