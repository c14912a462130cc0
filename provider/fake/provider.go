// Package fake makes clusters without Ray, for tests of the control plane.
//
// Drivers are real processes of the calling process; nodes are entries in a
// table. It passes the contract suite in provider/providertest, and it fails on
// demand in the ways that a real provider fails on its own.
package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/flock"
	"github.com/remora-project/remora/provider/supervise"
)

// Host is where clusters live. It outlives Providers as a machine outlives the
// control plane: one that is "restarted" gets a new Provider of the same Host.
type Host struct {
	dir  string
	sink supervise.Sink

	mu       sync.Mutex
	clusters map[string]*state
	faults   Faults
	starts   int
}

// Faults is what goes wrong. The zero value is that nothing does.
type Faults struct {
	// Start is called in each Start, after Record and before the cluster exists,
	// with the number of the start from 1 on; its error fails the start. It may
	// block until ctx ends, which is a slow start.
	Start func(ctx context.Context, n int) error
	// Run is called before each driver is started; its error fails Run.
	Run func(ctx context.Context, d remora.Driver) error
}

// NewHost makes a Host that keeps its clusters' files below dir and hands their
// output to sink.
func NewHost(dir string, sink supervise.Sink) *Host {
	return &Host{dir: dir, sink: sink, clusters: map[string]*state{}}
}

// Inject sets the faults from now on.
func (h *Host) Inject(f Faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = f
}

// Clusters lists the ids of the clusters that are there.
func (h *Host) Clusters() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for id := range h.clusters {
		ids = append(ids, id)
	}
	return ids
}

// KillNode lets a node of a cluster die; 0 is the head. As with Ray the drivers
// go on, and the loss of the head is for them to notice.
func (h *Host) KillNode(id string, node int) {
	if s := h.find(id); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.nodes[node].Alive = false
	}
}

// Lose kills all processes of a cluster, and with them the knowledge of how the
// drivers end that are running: as if its machine had failed.
func (h *Host) Lose(id string) error {
	if s := h.find(id); s != nil {
		return s.lose()
	}
	return nil
}

// Processes lists the pids of a cluster's processes.
func (h *Host) Processes(id string) ([]int, error) { return supervise.Processes(id, h.clusterDir(id)) }

func (h *Host) find(id string) *state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clusters[id]
}

func (h *Host) clusterDir(id string) string { return supervise.ClusterDir(h.dir, id) }

// Provider implements remora.Provider on a Host.
type Provider struct{ host *Host }

var _ remora.Provider = (*Provider)(nil)

// New returns a Provider of clusters on h.
func New(h *Host) *Provider { return &Provider{h} }

type handle struct {
	V        int    `json:"v"` // 1
	Provider string `json:"provider"`
	ID       string `json:"id"`
}

// Start implements remora.Provider.
func (p *Provider) Start(ctx context.Context, spec remora.ClusterSpec) (remora.Cluster, error) {
	h := p.host
	raw, err := json.Marshal(handle{V: 1, Provider: "fake", ID: spec.ID})
	if err != nil {
		return nil, remora.Internalf("fake: start", spec.ID, "encode the handle: %w", err)
	}
	if err := spec.Record(ctx, raw); err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.starts++
	n, fault := h.starts, h.faults.Start
	h.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, n); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &state{host: h, spec: spec, dir: h.clusterDir(spec.ID), drivers: map[string]*process{}, nodes: nodes(spec)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clusters[spec.ID] != nil {
		return nil, remora.Errorf(remora.AlreadyExists, "fake: start", spec.ID, "the cluster %s is there already", spec.ID)
	}
	for _, d := range []string{s.dir, filepath.Join(s.dir, "home"), filepath.Join(s.dir, "tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			os.RemoveAll(s.dir)
			return nil, remora.Unavailablef("fake: start", spec.ID, "make the cluster's directory: %w", err)
		}
	}
	h.clusters[spec.ID] = s
	c := &cluster{state: s, handle: raw}
	if spec.Owner != "" {
		if err := c.watchOwner(spec.Owner); err != nil {
			delete(h.clusters, spec.ID)
			os.RemoveAll(s.dir)
			return nil, err
		}
	}
	return c, nil
}

// watchOwner ends the cluster when nobody has a lock on the file any more.
func (c *cluster) watchOwner(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return remora.Unavailablef("fake: start", c.spec.ID, "watch the cluster's owner: %w", err)
	}
	go func() {
		defer f.Close()
		flock.Shared(f)
		c.mu.Lock()
		owned := c.spec.Owner != ""
		c.mu.Unlock()
		if owned {
			c.Stop(context.Background())
		}
	}()
	return nil
}

func nodes(spec remora.ClusterSpec) []remora.Node {
	out := make([]remora.Node, spec.Workers+1)
	for i := range out {
		size := spec.Worker
		if i == 0 {
			size = spec.Head
		}
		out[i] = remora.Node{ID: fmt.Sprintf("%s-%d", spec.ID, i), Address: fmt.Sprintf("127.0.0.1:%d", i+1), Head: i == 0,
			Alive: true, CPUs: float64(size.CPUs), Memory: size.MemoryBytes}
	}
	return out
}

func decode(op string, raw remora.Handle) (handle, error) {
	var h handle
	if err := json.Unmarshal(raw, &h); err != nil || h.V != 1 || h.Provider != "fake" {
		return h, remora.Internalf(op, "", "not a handle of this provider: %s", raw)
	}
	return h, nil
}

// Remove implements remora.Provider.
func (p *Provider) Remove(ctx context.Context, raw remora.Handle) error {
	h, err := decode("fake: remove", raw)
	if err != nil {
		return err
	}
	s := p.host.find(h.ID)
	if s == nil {
		return nil
	}
	return (&cluster{state: s, handle: raw}).Stop(ctx)
}

// Adopt implements remora.Provider.
func (p *Provider) Adopt(ctx context.Context, raw remora.Handle) (remora.Cluster, error) {
	h, err := decode("fake: adopt", raw)
	if err != nil {
		return nil, err
	}
	s := p.host.find(h.ID)
	if s == nil {
		return nil, remora.NotFoundf("fake: adopt", h.ID, "the cluster's processes are gone")
	}
	c := &cluster{state: s, handle: raw}
	if s.isLost() && !s.anyEnd() {
		if err := c.Stop(ctx); err != nil {
			return nil, err
		}
		return nil, remora.NotFoundf("fake: adopt", h.ID, "the cluster's processes are gone")
	}
	return c, nil
}

// drainTimeout is how long a driver's output is read after its end.
const drainTimeout = time.Second
