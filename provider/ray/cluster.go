package ray

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
)

// How often a start is looked at. The GCS has no call that waits for nodes; a
// question costs it and us some 0.2 ms.
const (
	readyPoll  = 10 * time.Millisecond
	statusPoll = 100 * time.Millisecond
)

// Handle implements remora.Cluster.
func (c *cluster) Handle() remora.Handle { return c.handle.encode() }

// Run implements remora.Cluster. After an Adopt in the midst of a start it
// waits for the cluster first.
func (c *cluster) Run(ctx context.Context, d remora.Driver) (remora.Process, error) {
	if p, err := c.Cluster.Process(ctx, d.ID); err == nil {
		return p, nil
	}
	if err := c.waitReady(ctx); err != nil {
		return nil, err
	}
	env, err := c.finds()
	if err != nil {
		return nil, err
	}
	maps.Copy(env, d.Env)
	d.Env = env
	p, err := c.Cluster.Run(ctx, d)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// DriverEnv is the environment for a driver that the caller starts as a child
// of its own, on its own terminal. Stop ends what such a driver has left.
func (c *cluster) DriverEnv(ctx context.Context) (map[string]string, error) {
	if err := c.waitReady(ctx); err != nil {
		return nil, err
	}
	env, err := c.Cluster.Env()
	if err != nil {
		return nil, err
	}
	finds, err := c.finds()
	maps.Copy(env, finds)
	return env, err
}

// finds are the variables by which a driver finds the cluster; see the
// package's doc.
func (c *cluster) finds() (map[string]string, error) {
	g, err := c.store()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(g.addr)
	if err != nil {
		return nil, remora.Internalf("ray: run", c.handle.ID, "address of the GCS: %w", err)
	}
	return map[string]string{
		"RAY_ADDRESS": net.JoinHostPort("ray.localhost", port),
		// Modin that is used before ray.init would start a Ray of its own way, which
		// Ray refuses where an address is set; with these it connects. It looks up a
		// default password where Ray has none any more, unless one is given.
		"MODIN_RAY_CLUSTER":    "True",
		"MODIN_REDIS_PASSWORD": "unused",
	}, nil
}

// Process implements remora.Cluster.
func (c *cluster) Process(ctx context.Context, driverID string) (remora.Process, error) {
	p, err := c.Cluster.Process(ctx, driverID)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Nodes implements remora.Cluster: what the GCS says.
func (c *cluster) Nodes(ctx context.Context) ([]remora.Node, error) {
	g, err := c.store()
	if err != nil {
		return nil, err
	}
	nodes, err := g.nodes(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, remora.Unavailablef("ray: nodes", c.handle.ID, "ask the GCS for its nodes: %w", err)
	}
	return nodes, nil
}

// Assign implements remora.Cluster.
func (c *cluster) Assign(ctx context.Context, t remora.LogTarget) error {
	if err := checkStream(c.handle.ID, t.Stream); err != nil {
		return err
	}
	return c.Cluster.Assign(ctx, t, allTails(c.handle.Nodes, t))
}

// Stop implements remora.Cluster.
func (c *cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	if c.gcs != nil {
		c.gcs.close()
	}
	c.mu.Unlock()
	return c.Cluster.Stop(ctx)
}

// store returns the client of the GCS; Unavailable before its port is known.
func (c *cluster) store() (*gcs, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gcs != nil {
		return c.gcs, nil
	}
	l := layout{c.handle.Dir}
	port, err := os.ReadFile(l.gcsPortFile(c.handle.HeadID))
	if err == nil && len(port) == 0 { // made, not yet written
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, remora.Unavailablef("ray: connect", c.handle.ID, "the GCS is not listening: %w", err)
	}
	token, err := os.ReadFile(l.token())
	if err != nil {
		return nil, remora.Unavailablef("ray: connect", c.handle.ID, "read the cluster's token: %w", err)
	}
	c.gcs = newGCS(net.JoinHostPort("127.0.0.1", strings.TrimSpace(string(port))), string(token))
	return c.gcs, nil
}

// waitReady returns when all nodes have joined, or had joined once: a node may
// be lost later without harm to those that are left.
func (c *cluster) waitReady(ctx context.Context) error {
	ready := filepath.Join(c.handle.Dir, readyName)
	if _, err := os.Stat(ready); err == nil {
		return nil
	}
	if err := c.waitNodes(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		return remora.Unavailablef("ray: start", c.handle.ID, "note that the cluster is ready: %w", err)
	}
	return nil
}

func (c *cluster) waitNodes(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var lastStatus time.Time
	last := errors.New("the GCS has not started")
	for {
		alive, err := c.alive(limit)
		if err == nil && alive >= c.handle.Nodes {
			return nil
		}
		if err != nil {
			last = err
		} else {
			last = errors.New("the others have not joined")
		}
		if time.Since(lastStatus) > statusPoll {
			if err := c.checkProcesses(limit); err != nil && limit.Err() == nil {
				return err
			}
			lastStatus = time.Now()
		}
		select {
		case <-time.After(readyPoll):
		case <-limit.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return remora.Unavailablef("ray: start", c.handle.ID, "%d of %d nodes were there after %v (%v)%s",
				alive, c.handle.Nodes, c.timeout, last, c.logEnds())
		}
	}
}

func (c *cluster) alive(ctx context.Context) (int, error) {
	g, err := c.store()
	if err != nil {
		return 0, err
	}
	nodes, err := g.nodes(ctx)
	alive := 0
	for _, n := range nodes {
		if n.Alive {
			alive++
		}
	}
	return alive, err
}

// checkProcesses fails if a node process has ended.
func (c *cluster) checkProcesses(ctx context.Context) error {
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	for _, n := range st.Nodes {
		if n.Ended != "" {
			return remora.Unavailablef("ray: start", c.handle.ID, "node process %s ended (%s); its log ends:\n%s",
				n.Name, n.Ended, c.logEnd(n.Name))
		}
	}
	if st.Lost != "" {
		return remora.Unavailablef("ray: start", c.handle.ID, "%s", st.Lost)
	}
	return nil
}

// logEnds are the last lines of the first nodes' logs.
func (c *cluster) logEnds() string {
	var b strings.Builder
	for i := range min(c.handle.Nodes, 4) {
		name := nodeNameOf(i)
		fmt.Fprintf(&b, "; the log of %s ends:\n%s", name, c.logEnd(name))
	}
	return b.String()
}

func (c *cluster) logEnd(node string) string {
	return strings.Join(supervise.LastLines(c.handle.Dir, node+".log"), "\n")
}
