package control

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/modules"
	"golang.org/x/sys/unix"
)

// WarmSpec says which clusters to keep ready.
type WarmSpec struct {
	Runtime    string
	WorkerType string
	Workers    int
	Count      int
}

// Warm keeps clusters ready for runs and sessions that ask for just that: the
// runtime as it is, the workers, nothing brought along that Ray's workers would
// have to see. A cluster is handed out once and replaced in the background. It
// belongs to nobody before, so it is in no listing and on no bill; it ends with
// this control plane, however that ends, by the lock that it holds.
type Warm struct {
	cfg   Config // Store and Blobs are not used
	owner *os.File
	ctx   context.Context
	end   context.CancelFunc
	wg    sync.WaitGroup
	mu    sync.Mutex
	ready []*warmCluster
}

// warmCluster is a cluster that waits.
type warmCluster struct {
	remora.Cluster
	spec    WarmSpec
	runtime remora.Runtime
	head    remora.NodeSize
	worker  remora.NodeSize
	env     map[string]string
	since   time.Time
	taken   chan struct{} // closed when it is not in the pool any more
}

// NewWarm starts to keep clusters ready. dir is for the lock on which they
// depend.
func NewWarm(cfg Config, dir string, specs []WarmSpec) (*Warm, error) {
	ctx, end := context.WithCancel(context.Background())
	w := &Warm{cfg: cfg, ctx: ctx, end: end}
	if len(specs) == 0 {
		return w, nil
	}
	var err error
	if w.owner, err = lockOwner(dir); err != nil {
		end()
		return nil, err
	}
	for _, s := range specs {
		for range s.Count {
			w.wg.Go(func() { w.keep(s) })
		}
	}
	return w, nil
}

// lockOwner makes a file with a lock of this process's, and removes those of
// processes that were killed.
func lockOwner(dir string) (*os.File, error) {
	const op = "control: keep clusters warm"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, remora.Unavailablef(op, dir, "make a folder: %w", err)
	}
	former, _ := filepath.Glob(filepath.Join(dir, "owner-*"))
	for _, path := range former {
		if f, err := os.Open(path); err == nil {
			if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				os.Remove(path)
			}
			f.Close()
		}
	}
	f, err := os.CreateTemp(dir, "owner-*")
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, remora.Unavailablef(op, dir, "lock a file: %w", err)
	}
	return f, nil
}

// Close ends the clusters that wait and returns when they are gone.
func (w *Warm) Close() {
	w.end()
	w.wg.Wait()
	if w.owner != nil {
		os.Remove(w.owner.Name())
		w.owner.Close()
	}
}

// keep has one cluster wait after the other, until Close.
func (w *Warm) keep(s WarmSpec) {
	log := w.cfg.Log.With("runtime", s.Runtime, "workers", s.Workers)
	for wait := firstWait; ; {
		c, err := w.start(s)
		if w.ctx.Err() != nil {
			if err == nil {
				takeDown(context.Background(), log, c, func(string) {})
			}
			return
		}
		if err != nil {
			log.Warn("no cluster can be kept ready, trying again", "err", err)
			if !pause(w.ctx, wait) {
				return
			}
			wait = min(2*wait, 6*longestWait)
			continue
		}
		wait = firstWait
		log.Info("a cluster is ready", "seconds", time.Since(c.since).Seconds())
		c.since = time.Now()
		w.mu.Lock()
		w.ready = append(w.ready, c)
		w.mu.Unlock()
		select {
		case <-c.taken:
		case <-w.ctx.Done():
			if w.take(func(o *warmCluster) bool { return o == c }) != nil {
				takeDown(context.Background(), log, c, func(string) {})
			}
			return
		}
	}
}

func (w *Warm) start(s WarmSpec) (*warmCluster, error) {
	rt, err := w.cfg.Runtimes.Ensure(w.ctx, s.Runtime, func(string) {})
	if err != nil {
		return nil, err
	}
	c := &warmCluster{spec: s, runtime: rt, env: w.cfg.Env(), since: time.Now(), taken: make(chan struct{})}
	c.head, c.worker, _ = w.cfg.Sizing.Nodes(s.WorkerType, s.Workers, 0, 0)
	c.Cluster, err = w.cfg.Provider.Start(w.ctx, remora.ClusterSpec{
		ID: remora.NewClusterID("warm"), Runtime: rt, Head: c.head, Worker: c.worker, Workers: s.Workers, Env: c.env,
		Record: func(context.Context, remora.Handle) error { return nil }, // it ends with its owner
		Owner:  w.owner.Name(),
	})
	return c, err
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
	close(c.taken)
	return c
}

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
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if !node.Alive {
			return fmt.Errorf("node %s is lost", node.ID)
		}
	}
	if err := n.record(ctx, c.Handle()); err != nil {
		return err
	}
	return c.Assign(ctx, target)
}

// WarmState is a cluster that waits, for who wants to know what it costs.
type WarmState struct {
	WarmSpec
	Since  time.Time
	Memory int64 // bytes
}

// State lists the clusters that wait.
func (w *Warm) State(ctx context.Context) []WarmState {
	w.mu.Lock()
	ready := slices.Clone(w.ready)
	w.mu.Unlock()
	out := make([]WarmState, 0, len(ready))
	for _, c := range ready {
		memory, err := c.Memory(ctx)
		if err != nil {
			continue // taken or lost meanwhile
		}
		out = append(out, WarmState{c.spec, c.since, memory})
	}
	return out
}
