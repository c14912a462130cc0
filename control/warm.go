package control

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/remora-project/remora"
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
	waits   context.Context // ends when it is not in the pool any more, or with Close
	taken   context.CancelFunc
}

// warmTimes bound what is asked of clusters that wait; zero values are the
// defaults.
type warmTimes struct {
	answer  time.Duration // to who waits; 5 s
	probe   time.Duration // between two questions whether a cluster is there; 5 s
	patient time.Duration // for the answer to that: a busy machine is no reason to start more on it; 1 minute
}

func (t warmTimes) withDefaults() warmTimes {
	t.answer = cmp.Or(t.answer, 5*time.Second)
	t.probe = cmp.Or(t.probe, 5*time.Second)
	t.patient = cmp.Or(t.patient, time.Minute)
	return t
}

// NewWarm starts to keep clusters ready. dir is for the lock on which they
// depend.
func NewWarm(cfg Config, dir string, specs []WarmSpec) (*Warm, error) {
	ctx, end := context.WithCancel(context.Background())
	cfg.warm = cfg.warm.withDefaults()
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
		if err := w.watch(c); err != nil {
			log.Warn("a cluster that was kept ready is lost", "err", err)
		}
		if w.take(func(o *warmCluster) bool { return o == c }) != nil {
			takeDown(context.Background(), log, c, func(string) {})
		}
		if w.ctx.Err() != nil {
			return
		}
	}
}

// watch returns when a cluster is taken or Close is called, or with an error if
// the cluster is lost: else who claims it would be the one to notice, and start
// cold.
func (w *Warm) watch(c *warmCluster) error {
	tick := time.NewTicker(w.cfg.warm.probe)
	defer tick.Stop()
	for {
		select {
		case <-c.waits.Done():
			return nil
		case <-tick.C:
			if err := c.whole(c.waits, w.cfg.warm.patient); err != nil && c.waits.Err() == nil {
				return err
			}
		}
	}
}

func (w *Warm) start(s WarmSpec) (*warmCluster, error) {
	rt, err := w.cfg.Runtimes.Ensure(w.ctx, s.Runtime, func(string) {})
	if err != nil {
		return nil, err
	}
	c := &warmCluster{spec: s, runtime: rt, env: w.cfg.Env(), since: time.Now()}
	c.waits, c.taken = context.WithCancel(w.ctx)
	c.head, c.worker, _ = w.cfg.Sizing.Nodes(s.WorkerType, s.Workers, 0, 0)
	c.Cluster, err = w.cfg.Provider.Start(w.ctx, remora.ClusterSpec{
		ID: remora.NewClusterID("warm"), Runtime: rt, Head: c.head, Worker: c.worker, Workers: s.Workers, Env: c.env,
		Record: func(context.Context, remora.Handle) error { return nil }, // it ends with its owner
		Owner:  w.owner.Name(),
	})
	if err != nil {
		c.taken()
	}
	return c, err
}

// WarmState is a cluster that waits, for who wants to know what it costs.
type WarmState struct {
	WarmSpec
	Since  time.Time
	Memory int64 // bytes
}

// State lists the clusters that wait, and that answer.
func (w *Warm) State(ctx context.Context) []WarmState {
	w.mu.Lock()
	ready := slices.Clone(w.ready)
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, w.cfg.warm.answer)
	defer cancel()
	answers := make([]*WarmState, len(ready))
	var asked sync.WaitGroup
	for i, c := range ready {
		asked.Go(func() {
			if memory, err := c.Memory(ctx); err == nil { // else it was taken or is lost
				answers[i] = &WarmState{c.spec, c.since, memory}
			}
		})
	}
	asked.Wait()
	out := make([]WarmState, 0, len(ready))
	for _, s := range answers {
		if s != nil {
			out = append(out, *s)
		}
	}
	return out
}
