package control_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/provider/fake"
)

// Steps of a cluster that is kept ready.
const (
	warmStarted = "warm cluster started"
	assigned    = "cluster assigned"
	nodes       = "nodes"
	memory      = "memory"
)

// warmShell and warmPython are pools of one cluster.
var (
	warmShell  = control.WarmSpec{Runtime: "sh", WorkerType: "Z.2X", Workers: 2, Count: 1}
	warmPython = control.WarmSpec{Runtime: "python", WorkerType: "Z.2X", Workers: 2, Count: 1}
)

// newWarmPlane makes a control plane that keeps clusters ready and has not
// resumed yet. Whether they are there it finds out by claiming them, unless
// change says otherwise.
func (b *bed) newWarmPlane(specs []control.WarmSpec, change ...func(*control.Config)) *plane {
	b.t.Helper()
	return b.newPlane(append(change, func(c *control.Config) {
		own := *c
		own.ProbeByDefault(2 * deadline)
		own.Provider = warmProvider{fake.New(b.host), c.Provider.(provider).gate}
		w, err := control.NewWarm(own, filepath.Join(b.dir, "warm"), specs)
		if err != nil {
			b.t.Fatal(err)
		}
		c.Warm = w
		b.t.Cleanup(w.Close)
	})...)
}

// warmPlane is newWarmPlane, running, with its clusters ready.
func (b *bed) warmPlane(specs ...control.WarmSpec) *plane {
	b.t.Helper()
	p := b.newWarmPlane(specs)
	if err := p.resume(); err != nil {
		b.t.Fatal(err)
	}
	p.pool(len(specs))
	return p
}

// pool waits until so many clusters are ready, and returns the ids of all
// clusters that are kept so.
func (p *plane) pool(n int) (ids []string) {
	p.t.Helper()
	p.eventually(func() bool { return len(p.warm.State(p.t.Context())) == n }, "there are not %d clusters ready", n)
	for _, id := range p.host.Clusters() {
		if isWarm(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func isWarm(cluster string) bool { return strings.HasPrefix(cluster, "warm_") }

// gone waits until a cluster is not there any more.
func (b *bed) gone(cluster string) {
	b.t.Helper()
	b.eventually(func() bool { return !slices.Contains(b.host.Clusters(), cluster) }, "the cluster %s is there", cluster)
}

// counted leaves a line for each execution, on whichever cluster.
const counted = "echo ran >> \"$out/count\"\n"

// warmProvider starts the clusters that are kept ready.
type warmProvider struct {
	remora.Provider
	*gate
}

func (p warmProvider) Start(ctx context.Context, spec remora.ClusterSpec) (remora.Cluster, error) {
	if err := p.pass("before", warmStarted); err != nil {
		return nil, err
	}
	c, err := p.Provider.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return cluster{c, p.gate}, nil
}
