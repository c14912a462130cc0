package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	remora "github.com/remora-project/remora"
)

// Spec is what a supervisor is to run. It is written once, to DIR/spec.json,
// before the supervisor starts.
type Spec struct {
	V     int               `json:"v"` // 1
	ID    string            `json:"id"`
	Env   map[string]string `json:"env"`   // for every process; may hold secrets
	Nodes []Node            `json:"nodes"` // started at once, in this order
	Logs  remora.LogTarget  `json:"logs"`  // zero until Assign
	// Locks are of the runtime, see remora.Runtime: the supervisor holds them for
	// as long as it lives.
	Locks []string `json:"locks"`
	// LogStore says where the log store is; whoever opens the Sink reads it.
	LogStore string `json:"logStore"`
	Tails    []Tail `json:"tails"`

	// Lease is how long the cluster is kept while it has no live driver and no
	// control plane talks to it. A control plane that is restarted or upgraded
	// is back well before; one that never returns must not leave clusters behind.
	Lease time.Duration `json:"lease"`
	// Owner, if set, is a file that replaces the lease until Assign: the cluster is
	// kept as long as somebody else has an exclusive flock on it. The supervisor
	// then holds a shared one until it has ended.
	Owner string `json:"owner"`
	// LostGrace is how long a driver may go on after an essential node has died.
	// It usually notices and fails with a better message than ours.
	LostGrace time.Duration `json:"lostGrace"`
}

// Node is a process that makes the cluster.
type Node struct {
	Name string            `json:"name"` // also the name of its log file, NAME.log
	Argv []string          `json:"argv"`
	Dir  string            `json:"dir"` // working directory; empty: the cluster's
	Env  map[string]string `json:"env"` // over the cluster's
	// Essential says that the cluster is lost when the process ends.
	Essential bool `json:"essential"`
}

// Tail says which log files to follow. A file follows the first Tail that
// matches it.
type Tail struct {
	Dir     string `json:"dir"`     // relative to the cluster's directory; need not be there yet
	Pattern string `json:"pattern"` // as in path.Match, on the base name
	Group   string `json:"group"`   // empty: do not follow it
	Stream  string `json:"stream"`
}

// Defaults for Spec.
const (
	DefaultLease     = 15 * time.Minute
	DefaultLostGrace = 15 * time.Second
)

// Names in a cluster's directory. workName, homeName and tmpName hold what
// drivers write.
const (
	specName    = "spec.json"
	lockName    = "lock"
	socketName  = "control.sock"
	logName     = "supervisor.log"
	driversName = "drivers"
	workName    = "work"
	homeName    = "home"
	tmpName     = "tmp"
)

// Create makes the directory of a cluster and writes its spec there, durably.
// AlreadyExists if the directory is there.
func Create(dir string, s Spec) error {
	s.V = 1
	if s.Lease <= 0 {
		s.Lease = DefaultLease
	}
	if s.LostGrace <= 0 {
		s.LostGrace = DefaultLostGrace
	}
	if err := makeClusterDir(dir); err != nil {
		return err
	}
	for _, name := range []string{driversName, workName, homeName, tmpName} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return ioError("create cluster directory", dir, err)
		}
	}
	body, err := json.Marshal(s)
	if err != nil {
		return remora.Internalf("supervise: create", s.ID, "encode the spec: %w", err)
	}
	if err := writeDurably(filepath.Join(dir, specName), body); err != nil {
		return ioError("write the spec", dir, err)
	}
	return nil
}

func readSpec(dir string) (Spec, error) {
	var s Spec
	body, err := os.ReadFile(filepath.Join(dir, specName))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", specName, err)
	}
	if s.V != 1 {
		return s, fmt.Errorf("read %s: version %d is of a later release", specName, s.V)
	}
	return s, nil
}

// writeDurably replaces a file so that after a power cut there is either the
// old or the new content. Mode 0600.
func writeDurably(path string, body []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ioError is Unavailable: a full disk or a directory that vanished.
func ioError(doing, subject string, err error) error {
	return remora.Unavailablef("supervise: "+doing, subject, "%s: %w", doing, err)
}
