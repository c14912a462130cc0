package ray

import (
	"path/filepath"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
)

// logFiles says to which group a file in a node's session/logs goes; the first
// match counts. Files that are rewritten in place (debug_state.txt) or made by
// nobody here (ray_client_server) are not followed.
var logFiles = []struct{ pattern, group string }{
	{"gcs_server*.out", remora.GCSLogs},
	{"gcs_server*.err", remora.GCSLogs},
	{"raylet*.out", remora.RayletLogs},
	{"raylet*.err", remora.RayletLogs},
	{"monitor.*", remora.MonitorLog},
	{"runtime_env*", remora.RuntimeEnvLog},
	{"worker-*.out", remora.WorkerOutLogs},
	{"worker-*.err", remora.WorkerErrLogs},
	{"*.log", remora.ProcessLogs}, // agents, log monitor, core workers
	{"*.out", remora.ProcessLogs},
	{"*.err", remora.ProcessLogs},
}

// allTails returns what to follow of a cluster with so many nodes.
func allTails(nodes int, t remora.LogTarget) (all []supervise.Tail) {
	for i := range nodes {
		all = append(all, tails(i, t)...)
	}
	return all
}

// tails returns what to follow of a node. Its streams end in the node's address
// and name: on one host all nodes have the same address.
func tails(node int, t remora.LogTarget) []supervise.Tail {
	name := nodeNameOf(node)
	dir := filepath.Join(filepath.Base(layout{}.tempDir(node)), sessionName, "logs")
	stream := t.Stream + "_127.0.0.1-" + name
	var out []supervise.Tail
	for _, f := range logFiles {
		out = append(out, supervise.Tail{Dir: dir, Pattern: f.pattern, Group: t.Prefix + "/" + f.group, Stream: stream})
	}
	return append(out, supervise.Tail{Dir: ".", Pattern: name + ".log", Group: t.Prefix + "/" + remora.ProcessLogs, Stream: stream})
}
