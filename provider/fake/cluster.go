package fake

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
)

// state is a cluster, shared by all that adopt it.
type state struct {
	host *Host
	spec remora.ClusterSpec
	dir  string

	mu      sync.Mutex
	nodes   []remora.Node
	drivers map[string]*process
	lost    bool // its processes were killed from outside
	stopped bool
}

// cluster implements remora.Cluster.
type cluster struct {
	*state
	handle remora.Handle
}

func (c *cluster) Handle() remora.Handle { return slices.Clone(c.handle) }

// Run implements remora.Cluster.
func (c *cluster) Run(ctx context.Context, d remora.Driver) (remora.Process, error) {
	if d.ID == "" {
		return nil, remora.Invalidf("fake: run", c.spec.ID, "a driver needs an id")
	}
	c.host.mu.Lock()
	fault := c.host.faults.Run
	c.host.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, d); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.drivers[d.ID]; p != nil {
		return p, nil
	}
	if c.lost || c.stopped {
		return nil, remora.Unavailablef("fake: run", d.ID, "the cluster has ended")
	}
	p := c.start(d)
	c.drivers[d.ID] = p
	return p, nil
}

// Process implements remora.Cluster.
func (c *cluster) Process(_ context.Context, driverID string) (remora.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.drivers[driverID]; p != nil {
		return p, nil
	}
	return nil, remora.NotFoundf("fake: driver", driverID, "no driver %q was started in this cluster", driverID)
}

// Dial implements remora.Cluster.
func (c *cluster) Dial(ctx context.Context, driverID string) (net.Conn, error) {
	return supervise.DialDriver(ctx, c.dir, driverID)
}

// Assign implements remora.Cluster.
func (c *cluster) Assign(_ context.Context, t remora.LogTarget) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.spec.Logs == t:
	case c.spec.Logs != remora.LogTarget{}:
		return remora.Errorf(remora.WrongState, "fake: assign", c.spec.ID, "the cluster's logs go to %s already", c.spec.Logs.Stream)
	case c.lost || c.stopped:
		return remora.Unavailablef("fake: assign", c.spec.ID, "the cluster has ended")
	}
	c.spec.Logs, c.spec.Owner = t, ""
	return nil
}

// Memory implements remora.Cluster.
func (c *cluster) Memory(context.Context) (int64, error) {
	return supervise.Memory(c.spec.ID, c.dir), nil
}

// Nodes implements remora.Cluster.
func (c *cluster) Nodes(context.Context) ([]remora.Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost || c.stopped {
		return nil, remora.Unavailablef("fake: nodes", c.spec.ID, "the cluster has ended")
	}
	return slices.Clone(c.nodes), nil
}

// Stop implements remora.Cluster.
func (c *cluster) Stop(context.Context) error {
	c.mu.Lock()
	c.stopped = true
	drivers := make([]*process, 0, len(c.drivers))
	for _, p := range c.drivers {
		drivers = append(drivers, p)
	}
	c.mu.Unlock()
	if err := c.sweep(); err != nil {
		return err
	}
	for _, p := range drivers {
		<-p.ended
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return remora.Unavailablef("fake: stop", c.spec.ID, "remove the cluster's directory: %w", err)
	}
	c.host.mu.Lock()
	if c.host.clusters[c.spec.ID] == c.state {
		delete(c.host.clusters, c.spec.ID)
	}
	if len(c.host.clusters) == 0 {
		os.Remove(c.host.dir)
	}
	c.host.mu.Unlock()
	return nil
}

func (s *state) sweep() error {
	if err := supervise.Sweep(s.spec.ID, s.dir); err != nil {
		return remora.Internalf("fake: stop", s.spec.ID, "kill the cluster's processes: %w", err)
	}
	return nil
}

// lose kills everything; no driver that is running will be known to have ended.
func (s *state) lose() error {
	s.mu.Lock()
	s.lost = true
	s.mu.Unlock()
	return s.sweep()
}

func (s *state) isLost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// anyEnd reports whether the end of a driver is known.
func (s *state) anyEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.drivers {
		if _, known := p.result(); known {
			return true
		}
	}
	return false
}

func (s *state) workDir(d remora.Driver) (string, error) {
	if d.Dir != "" {
		return d.Dir, nil
	}
	return os.MkdirTemp(filepath.Join(s.dir, "tmp"), "work")
}
