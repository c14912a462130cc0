package ray

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
	"golang.org/x/sys/unix"
)

var (
	//go:embed start_hook.py
	startHook []byte
	//go:embed runtime_env_agent.py
	runtimeEnvAgent []byte
)

// Names in the cluster's directory. They are short for the sake of the sockets
// below them, see supervise.RunDir.
const (
	hookModule  = "start_hook"
	agentScript = "runtime_env_agent.py"
	agentConfig = "runtime_env_agent.json"
	tokenName   = "token"
	readyName   = "ready"     // is there once all nodes have joined
	sessionName = "session_x" // Ray wants the prefix; the directory is the cluster's own already
)

// nodeConfig is what start_hook.py reads.
type nodeConfig struct {
	ID             string  `json:"id"` // 28 bytes in hexadecimal
	Session        string  `json:"session"`
	GCSPortFile    string  `json:"gcsPortFile"`
	HeadTempDir    string  `json:"headTempDir"`
	HeadSessionDir string  `json:"headSessionDir"`
	Deadline       float64 `json:"deadline"`   // seconds to wait for the head
	PythonPath     string  `json:"pythonPath"` // of workers
	Agent          string  `json:"agent"`      // the script that stands for the runtime env agent's
}

// layout is where things of a cluster are.
type layout struct{ dir string }

func (l layout) tempDir(node int) string    { return filepath.Join(l.dir, fmt.Sprintf("n%d", node)) }
func (l layout) sessionDir(node int) string { return filepath.Join(l.tempDir(node), sessionName) }
func (l layout) token() string              { return filepath.Join(l.dir, tokenName) }

// gcsPortFile is where gcs_server writes its port as soon as it listens.
func (l layout) gcsPortFile(headID string) string {
	return filepath.Join(l.sessionDir(0), "gcs_server_port_"+headID)
}

// prepare makes the cluster's directory with all that its supervisor and nodes
// read.
func (p *Provider) prepare(h handle, spec remora.ClusterSpec) error {
	l := layout{h.Dir}
	s := supervise.Spec{
		ID:        spec.ID,
		Env:       clusterEnv(l, spec),
		Logs:      spec.Logs,
		Locks:     spec.Runtime.Locks,
		LogStore:  p.config.LogStore,
		Lease:     p.config.Lease,
		Owner:     spec.Owner,
		LostGrace: p.config.LostGrace,
	}
	sizes := make([]remora.NodeSize, spec.Workers+1)
	for i := range sizes {
		sizes[i] = spec.Worker
	}
	sizes[0] = spec.Head
	fitSharedMemory(sizes, sharedMemory())

	pythonPath := spec.Runtime.Environment()["PYTHONPATH"]
	configs := map[string]nodeConfig{}
	for i, size := range sizes {
		name := nodeNameOf(i)
		c := nodeConfig{
			ID: h.HeadID, Session: sessionName, GCSPortFile: l.gcsPortFile(h.HeadID),
			HeadTempDir: l.tempDir(0), HeadSessionDir: l.sessionDir(0), Deadline: p.config.StartTimeout.Seconds(),
			PythonPath: pythonPath, Agent: filepath.Join(h.Dir, agentScript),
		}
		if i > 0 {
			c.ID = newNodeID()
		}
		configs[name+".json"] = c
		s.Nodes = append(s.Nodes, supervise.Node{
			Name: name,
			Argv: startCommand(l, spec.Runtime, i, size),
			Dir:  spec.Dir,
			Env: map[string]string{
				"RAY_START_HOOK":     hookModule + ".hook",
				"REMORA_NODE_CONFIG": filepath.Join(h.Dir, name+".json"),
				"PYTHONPATH":         h.Dir,
			},
			Essential: i == 0,
		})
	}
	if spec.Logs != (remora.LogTarget{}) {
		s.Tails = allTails(len(sizes), spec.Logs)
	}
	if err := supervise.Create(h.Dir, s); err != nil {
		return err
	}
	files := map[string][]byte{hookModule + ".py": startHook, agentScript: runtimeEnvAgent, tokenName: []byte(newToken())}
	encode := func(name string, config any) error {
		body, err := json.Marshal(config)
		if err != nil {
			return remora.Internalf("ray: start", spec.ID, "encode %s: %w", name, err)
		}
		files[name] = body
		return nil
	}
	overlay := p.config.Overlay
	overlay.Argv = append(slices.Clone(overlay.Argv), spec.Runtime.Name)
	err := encode(agentConfig, overlay)
	for name, c := range configs {
		err = errors.Join(err, encode(name, c))
	}
	if err != nil {
		return err
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(h.Dir, name), body, 0o600); err != nil {
			return remora.Unavailablef("ray: start", spec.ID, "write %s: %w", name, err)
		}
	}
	return nil
}

// startCommand is the `ray start` of a node. A worker's --address is completed
// by the hook, when the head's port is known: so all nodes start at once.
func startCommand(l layout, rt remora.Runtime, node int, size remora.NodeSize) []string {
	argv := []string{rt.Python, "-u", filepath.Join(rt.Dir, "bin", "ray"), "start"}
	if node == 0 {
		argv = append(argv, "--head", "--port=0", "--include-dashboard=false", "--no-monitor")
	} else {
		argv = append(argv, "--address=127.0.0.1:0")
	}
	return append(argv, "--block", "--disable-usage-stats", "--log-color=false",
		"--node-name="+nodeNameOf(node),
		fmt.Sprintf("--num-cpus=%d", size.CPUs),
		fmt.Sprintf("--memory=%d", size.MemoryBytes),
		fmt.Sprintf("--object-store-memory=%d", size.ObjectStore),
		"--temp-dir="+l.tempDir(node),
		"--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0")
}

func nodeNameOf(i int) string {
	if i == 0 {
		return "head"
	}
	return fmt.Sprintf("worker-%d", i)
}

// clusterEnv is the environment of all processes: what the caller set wins over
// what the runtime sets, but not over what keeps the cluster together.
func clusterEnv(l layout, spec remora.ClusterSpec) map[string]string {
	env := supervise.BaseEnv(spec.ID, l.dir)
	maps.Copy(env, spec.Runtime.Environment())
	maps.Copy(env, spec.Env)
	maps.Copy(env, map[string]string{
		"RAY_TMPDIR":              env["TMPDIR"],
		"RAY_AUTH_MODE":           "token",
		"RAY_AUTH_TOKEN_PATH":     l.token(),
		"RAY_USAGE_STATS_ENABLED": "0",
	})
	return env
}

// Ray refuses a smaller object store (OBJECT_STORE_MINIMUM_MEMORY_BYTES).
const minObjectStore = 75 << 20

// fitSharedMemory scales the nodes' object stores down to what the host has:
// Ray would otherwise put them on disk, with a warning, and be slow.
func fitSharedMemory(sizes []remora.NodeSize, available int64) {
	var want int64
	for i := range sizes {
		sizes[i].ObjectStore = max(sizes[i].ObjectStore, minObjectStore)
		want += sizes[i].ObjectStore
	}
	if available <= 0 || want <= available {
		return
	}
	for i := range sizes {
		fit := int64(float64(sizes[i].ObjectStore) * float64(available) / float64(want))
		sizes[i].ObjectStore = max(fit, minObjectStore)
	}
}

// sharedMemory is what may be taken of /dev/shm, or 0 if that is not known.
func sharedMemory() int64 {
	var st unix.Statfs_t
	if unix.Statfs("/dev/shm", &st) != nil {
		return 0
	}
	return int64(st.Bavail) * st.Bsize / 20 * 19
}

func newNodeID() string {
	var b [28]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}

func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// StartTimeout is how long a cluster may take to start unless Config says
// otherwise: seconds on an idle machine, more when many start at once.
const StartTimeout = 120 * time.Second
