package remora

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net"
	"os"
	"strings"
	"time"
)

// Provider makes clusters. Each provider passes the contract suite in
// provider/providertest.
type Provider interface {
	// Start provisions a cluster and returns once all its nodes have joined and
	// the head accepts a driver.
	//
	// spec.Record is called with the cluster's handle before the first process
	// starts; if it fails, nothing is started. If Start fails or ctx ends,
	// nothing of the cluster is left behind. If the calling process dies
	// meanwhile, Adopt with the recorded handle finds what there is.
	Start(ctx context.Context, spec ClusterSpec) (Cluster, error)
	// Adopt takes over a cluster after a restart of the control plane. If its
	// processes are gone but it is on record how a driver ended, the cluster
	// answers from that record until it is stopped. Otherwise NotFound, and every
	// remainder (processes that escaped, shared memory, files) has been removed
	// when Adopt returns. A cluster that has an owner cannot be adopted: it ends
	// when the owner has ended, which is waited for.
	Adopt(ctx context.Context, h Handle) (Cluster, error)
	// Remove ends and removes whatever is left of a cluster, also of one that
	// cannot be adopted because what looks after it does not answer. Idempotent.
	Remove(ctx context.Context, h Handle) error
}

// Cluster is one run's or session's cluster. It outlives the control plane. All
// methods may be called from any goroutine.
type Cluster interface {
	Handle() Handle
	// Run starts a driver on the head node. It is idempotent by d.ID: a second
	// call, also after Adopt, returns the process that the first one started,
	// whether it is running or has ended. Nothing is started twice.
	Run(ctx context.Context, d Driver) (Process, error)
	// Process returns a driver that Run started earlier; NotFound.
	Process(ctx context.Context, driverID string) (Process, error)
	// Dial connects to the unix socket whose path a driver finds in the
	// environment variable REMORA_SOCKET, if it listens there. Unavailable if not.
	Dial(ctx context.Context, driverID string) (net.Conn, error)
	Nodes(ctx context.Context) ([]Node, error)
	// Assign says where the logs of a cluster go that was started without a
	// target, and frees it of its owner. Idempotent; WrongState if it has another
	// target.
	Assign(ctx context.Context, t LogTarget) error
	// Memory is the proportional size of all its processes, in bytes.
	Memory(ctx context.Context) (int64, error)
	// Stop ends all processes and removes every trace of the cluster: processes
	// (those that detached themselves too), sockets, ports, shared memory, files.
	// Idempotent.
	Stop(ctx context.Context) error
}

// Handle identifies a cluster to its provider, over restarts. Opaque and
// versioned; the provider that made it can read those of earlier releases.
type Handle = json.RawMessage

// ClusterSpec says what to provision.
type ClusterSpec struct {
	ID      string // of the run or session; unique
	Runtime Runtime
	Head    NodeSize
	Worker  NodeSize
	Workers int
	Env     map[string]string // for every process of the cluster; may hold secrets
	Dir     string            // working directory of tasks and actors; empty: one of the cluster's own
	Logs    LogTarget         // zero: logs are kept back until Assign says where they go
	Record  func(context.Context, Handle) error
	// Owner, if set, is a file: the cluster ends when nobody else has an exclusive
	// flock on it any more, unless Assign has been called before.
	Owner string
}

// NewClusterID names a cluster that nothing else on this machine names so: other
// control planes may have a session of the same id.
func NewClusterID(kind string) string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return kind + "_" + hex.EncodeToString(b[:])
}

// NodeSize is what one node offers to Ray.
type NodeSize struct {
	CPUs        int
	MemoryBytes int64 // for tasks and actors, the object store not included
	ObjectStore int64 // bytes of shared memory
}

// Runtime is a built environment on this host. What a process needs in order to
// use it is in Environment.
type Runtime struct {
	Name   string            // "Ray2.60"
	Dir    string            // root of the environment
	Python string            // absolute path of its interpreter
	Own    string            // folder with Remora's own Python, the package remora; "" where nothing needs it
	Env    map[string]string // to set for processes that use it, Path not included
	// Path are folders of modules that programs see before the runtime's own.
	Path []string
	// Locks are files: as long as somebody has a shared flock on each of them, the
	// runtime is not removed. Whoever lets processes use it holds them.
	Locks []string
}

// Environment is Env with Path behind what Env has on PYTHONPATH.
func (r Runtime) Environment() map[string]string {
	env := maps.Clone(r.Env)
	if len(r.Path) == 0 {
		return env
	}
	if env == nil {
		env = map[string]string{}
	}
	path := strings.Join(r.Path, string(os.PathListSeparator))
	if first := env["PYTHONPATH"]; first != "" {
		path = first + string(os.PathListSeparator) + path
	}
	env["PYTHONPATH"] = path
	return env
}

// LogTarget says where the output of a cluster goes: log groups below Prefix
// (see LogGroups), streams whose names start with Stream.
type LogTarget struct {
	Prefix string // "/aws-glue/ray/jobs"
	Stream string // the run's id
}

// Driver is a process to run on the head node: a job's script or a session's
// interpreter.
type Driver struct {
	ID   string
	Argv []string          // Argv[0] is an absolute path
	Dir  string            // working directory; empty: a private one that Stop removes
	Env  map[string]string // over the cluster's
}

// Process is a driver, running or ended.
type Process interface {
	// Wait returns when the driver has ended. If ctx ends first it returns ctx's
	// error and the driver goes on. Unavailable if the cluster died and nobody
	// knows how the driver ended.
	Wait(ctx context.Context) (Exit, error)
	// Stop sends SIGTERM, and SIGKILL to the whole process group after grace.
	// It returns when the driver has ended. Idempotent.
	Stop(ctx context.Context, grace time.Duration) error
	// Elapsed is the time since the driver started, or that it took, from the
	// monotonic clock: it does not jump when the wall clock does.
	Elapsed(ctx context.Context) (time.Duration, error)
}

// Exit is how a driver ended.
type Exit struct {
	Code    int           `json:"code"`   // exit status, or -1 if a signal ended it
	Signal  int           `json:"signal"` // 0 if none
	Elapsed time.Duration `json:"elapsed"`
	Tail    []string      `json:"tail"`  // the last lines of stderr, oldest first; bounded
	Error   string        `json:"error"` // why it could not be started, if so
	Notes   []string      `json:"notes"` // what the reader of its log should know: lines that could not be stored
}

// Node is a member of a cluster as its engine reports it.
type Node struct {
	ID      string
	Address string
	Head    bool
	Alive   bool
	CPUs    float64
	Memory  int64
}

// Runtimes builds and keeps environments.
type Runtimes interface {
	// Ensure returns the named runtime, building it if it is not there. While it
	// builds it reports progress in lines for a person to read. Of several calls
	// at the same time, in this process or others, one builds. Invalid if there
	// is no runtime of that name.
	Ensure(ctx context.Context, name string, progress func(line string)) (Runtime, error)
	// Overlay is Ensure, and puts packages over the runtime, which itself stays
	// as it is; they are installed if nobody has asked for the same before.
	// Requirements are pip's, or absolute paths of wheels and source
	// distributions. Invalid, in the resolver's words, if one does not exist,
	// contradicts others, is damaged or would replace Ray; Unavailable if the
	// package index cannot be reached or the disk is full.
	Overlay(ctx context.Context, name string, requirements []string, progress func(line string)) (Runtime, error)
	// Names lists the runtimes that Ensure accepts.
	Names() []string
}

// Blobs reads objects from S3.
type Blobs interface {
	// Fetch copies an object of at most limit bytes to w. After an error w may
	// hold a part of it. NotFound, Invalid (not an s3:// address, too large),
	// Unauthorized or Unavailable, also if w fails.
	Fetch(ctx context.Context, uri string, w io.Writer, limit int64) error
}
