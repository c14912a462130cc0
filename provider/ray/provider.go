package ray

import (
	"context"
	"encoding/json"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
)

// Config is what a Provider needs to know.
type Config struct {
	// Supervisor is the command that calls supervise.Main with its last argument,
	// the cluster's directory, which is appended: remora's own binary and
	// "supervise".
	Supervisor []string
	RunDir     string // from supervise.RunDir
	LogStore   string // for supervise.OpenSink
	// Overlay is called on nodes for a runtime_env with packages.
	Overlay OverlayCommand
	// The rest has defaults: StartTimeout, supervise.DefaultLease and
	// supervise.DefaultLostGrace.
	StartTimeout time.Duration
	Lease        time.Duration
	LostGrace    time.Duration
}

// OverlayCommand puts packages over a runtime. Argv is completed by the
// runtime's name; the command reads a JSON list of pip's requirements from its
// standard input and prints, as JSON, what the members path, bin and locks of
// an overlay are (lists of folders of modules, of folders of programs, and of
// files to hold a shared flock on). Failing, it says why on standard error.
type OverlayCommand struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"` // whole: the operator's, where the package index is configured
}

// maxWorkers is what the names of nodes have room for in a socket's path, see
// supervise.RunDir.
const maxWorkers = 999

// Provider implements remora.Provider.
type Provider struct {
	config Config
	// Held while a cluster starts. Ray bounds the start of a node's agents by 30
	// seconds, which many clusters that start together do not keep.
	starting chan struct{}
}

var _ remora.Provider = (*Provider)(nil)

// New returns a Provider; it starts nothing.
func New(c Config) *Provider {
	if c.StartTimeout <= 0 {
		c.StartTimeout = StartTimeout
	}
	return &Provider{config: c, starting: make(chan struct{}, runtime.NumCPU())}
}

// handle is what a remora.Handle of this provider says.
type handle struct {
	V        int    `json:"v"` // 1
	Provider string `json:"provider"`
	ID       string `json:"id"`
	Dir      string `json:"dir"`
	HeadID   string `json:"headId"` // Ray's id of the head node
	Nodes    int    `json:"nodes"`
}

func (h handle) encode() remora.Handle {
	b, err := json.Marshal(h)
	if err != nil {
		panic("ray: encode a handle: " + err.Error()) // strings and numbers
	}
	return b
}

// Start implements remora.Provider. As many clusters start at a time as there
// are CPUs.
func (p *Provider) Start(ctx context.Context, spec remora.ClusterSpec) (remora.Cluster, error) {
	if err := check(spec); err != nil {
		return nil, err
	}
	h := handle{V: 1, Provider: "ray", ID: spec.ID, Dir: supervise.ClusterDir(p.config.RunDir, spec.ID),
		HeadID: newNodeID(), Nodes: spec.Workers + 1}
	if err := spec.Record(ctx, h.encode()); err != nil {
		return nil, err
	}
	select {
	case p.starting <- struct{}{}:
		defer func() { <-p.starting }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &cluster{handle: h, timeout: p.config.StartTimeout}
	err := p.prepare(h, spec)
	if err == nil {
		c.Cluster, err = supervise.Launch(ctx, p.config.Supervisor, h.ID, h.Dir)
	}
	if err == nil {
		err = c.waitReady(ctx)
	}
	switch {
	case err == nil:
		return c, nil
	case remora.KindOf(err) == remora.AlreadyExists:
		return nil, err // that directory is not ours to remove
	default:
		return nil, p.undo(ctx, h, err)
	}
}

// undo removes what a failed Start has left; it takes its time even if ctx has
// ended.
func (p *Provider) undo(ctx context.Context, h handle, why error) error {
	if err := supervise.Remove(context.WithoutCancel(ctx), h.ID, h.Dir); err != nil {
		return remora.Internalf("ray: start", h.ID, "%w; and then: %w", why, err)
	}
	return why
}

func check(spec remora.ClusterSpec) error {
	const op = "ray: start"
	switch {
	case spec.ID == "":
		return remora.Invalidf(op, "", "a cluster needs an id")
	case spec.Workers < 0 || spec.Workers > maxWorkers:
		return remora.Invalidf(op, spec.ID, "a cluster on one host has 0 to %d workers, not %d", maxWorkers, spec.Workers)
	case !filepath.IsAbs(spec.Runtime.Python):
		return remora.Invalidf(op, spec.ID, "the runtime's interpreter %q is not an absolute path", spec.Runtime.Python)
	case spec.Record == nil:
		return remora.Internalf(op, spec.ID, "nobody records the cluster's handle")
	}
	return checkStream(spec.ID, spec.Logs.Stream)
}

func checkStream(id, stream string) error {
	if strings.ContainsAny(stream, ":*") {
		return remora.Invalidf("ray: start", id, "a log stream's name cannot contain ':' or '*': %q", stream)
	}
	return nil
}

func decode(op string, raw remora.Handle) (handle, error) {
	var h handle
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, remora.Internalf(op, "", "read the handle %s: %w", raw, err)
	}
	if h.V != 1 || h.Provider != "ray" {
		return h, remora.Internalf(op, h.ID, "the handle is version %d of provider %q; this is version 1 of \"ray\"", h.V, h.Provider)
	}
	return h, nil
}

// Remove implements remora.Provider.
func (p *Provider) Remove(ctx context.Context, raw remora.Handle) error {
	h, err := decode("ray: remove", raw)
	if err != nil {
		return err
	}
	return supervise.Remove(ctx, h.ID, h.Dir)
}

// Adopt implements remora.Provider. A cluster whose processes are gone is
// adopted nevertheless, if it is known how one of its drivers ended.
func (p *Provider) Adopt(ctx context.Context, raw remora.Handle) (remora.Cluster, error) {
	h, err := decode("ray: adopt", raw)
	if err != nil {
		return nil, err
	}
	sc, err := supervise.Attach(ctx, h.ID, h.Dir)
	if err != nil {
		return nil, err
	}
	return &cluster{Cluster: sc, handle: h, timeout: p.config.StartTimeout}, nil
}

// cluster implements remora.Cluster.
type cluster struct {
	*supervise.Cluster
	handle  handle
	timeout time.Duration

	mu  sync.Mutex
	gcs *gcs // nil until its port is known
}
