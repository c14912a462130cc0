// Package providertest is the contract of remora.Provider as tests. Every
// provider passes it; the suite needs no Ray, so that the fake does, too.
package providertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// Harness is a provider under test and what the suite must know about its host.
type Harness struct {
	// Provider returns a control plane's view of the host; a second one is what
	// there is after the first was killed.
	Provider func() remora.Provider
	Runtime  remora.Runtime
	// Lines returns what a log stream has so far.
	Lines func(group, stream string) []string
	// Lose kills, with SIGKILL, whatever keeps the cluster, supervisor included.
	Lose func(t *testing.T, h remora.Handle)
	// Processes lists the pids of the cluster's processes.
	Processes func(id string) ([]int, error)
	// Dir is the directory below which clusters keep all files. It is gone when
	// the last cluster is.
	Dir string
}

// deadline bounds everything that a test waits for, a cluster's start on a busy
// machine included.
const deadline = 2 * time.Minute

// logPrefix is where the suite's clusters log to.
const logPrefix = "/test/jobs"

// bed is a Harness in a test, with what the test has started.
type bed struct {
	Harness
	t        *testing.T
	ctx      context.Context
	provider remora.Provider

	mu      sync.Mutex
	ids     []string
	sockets map[string]string // inode of a listening socket: its address
	shm     []string          // before the test
	tmpRay  bool
}

func newBed(t *testing.T, h Harness) *bed {
	ctx, cancel := context.WithTimeout(t.Context(), 3*deadline)
	t.Cleanup(cancel)
	b := &bed{Harness: h, t: t, ctx: ctx, provider: h.Provider(), sockets: map[string]string{}, shm: SharedMemory(), tmpRay: exists("/tmp/ray")}
	t.Cleanup(b.checkNothingLeft)
	return b
}

// spec is of a small cluster of two nodes; no two are of the same name.
func (b *bed) spec() remora.ClusterSpec {
	id := "jr_" + strings.ToLower(rand.Text())
	b.mu.Lock()
	b.ids = append(b.ids, id)
	b.mu.Unlock()
	size := remora.NodeSize{CPUs: 1, MemoryBytes: 512 << 20, ObjectStore: 80 << 20}
	return remora.ClusterSpec{
		ID: id, Runtime: b.Runtime, Head: size, Worker: size, Workers: 1,
		Env:    map[string]string{"OF_CLUSTER": "cluster", "OF_BOTH": "cluster"},
		Logs:   remora.LogTarget{Prefix: logPrefix, Stream: id},
		Record: func(context.Context, remora.Handle) error { return nil },
	}
}

// start starts a cluster and stops it at the end of the test.
func (b *bed) start(spec remora.ClusterSpec) remora.Cluster {
	b.t.Helper()
	c, err := b.provider.Start(b.ctx, spec)
	if err != nil {
		b.t.Fatalf("start: %v", err)
	}
	b.t.Cleanup(func() {
		b.noteSockets(spec.ID)
		if err := c.Stop(context.WithoutCancel(b.ctx)); err != nil {
			b.t.Errorf("stop: %v", err)
		}
	})
	return c
}

// sh is a driver that runs a shell script.
func sh(id, script string) remora.Driver {
	return remora.Driver{ID: id, Argv: []string{"/bin/sh", "-c", script}}
}

func (b *bed) run(c remora.Cluster, d remora.Driver) remora.Process {
	b.t.Helper()
	p, err := c.Run(b.ctx, d)
	if err != nil {
		b.t.Fatalf("run %s: %v", d.ID, err)
	}
	return p
}

func (b *bed) wait(p remora.Process) remora.Exit {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, deadline)
	defer cancel()
	e, err := p.Wait(ctx)
	if err != nil {
		b.t.Fatalf("wait for the driver: %v", err)
	}
	return e
}

// lines returns the script log of a cluster.
func (b *bed) lines(id string) []string { return b.Lines(logPrefix+"/"+remora.ScriptLog, id) }

// logged waits for a line in the script log.
func (b *bed) logged(id, line string) {
	b.t.Helper()
	b.eventually(func() bool {
		for _, l := range b.lines(id) {
			if l == line {
				return true
			}
		}
		return false
	}, "the script log does not get the line %q", line)
}

// eventually waits for cond; what says what did not happen.
func (b *bed) eventually(cond func() bool, what string, args ...any) {
	b.t.Helper()
	if !until(cond) {
		b.t.Fatalf("after %v "+what, append([]any{deadline}, args...)...)
	}
}

func until(cond func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(deadline); time.Now().Before(end); <-tick.C {
		if cond() {
			return true
		}
	}
	return cond()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (b *bed) wantKind(err error, want remora.Kind, doing string) {
	b.t.Helper()
	if err == nil || remora.KindOf(err) != want {
		b.t.Errorf("%s: error %v, want one of kind %q", doing, err, want)
	}
}

func (b *bed) wantExit(e remora.Exit, code, signal int) {
	b.t.Helper()
	if e.Code != code || e.Signal != signal {
		b.t.Errorf("exit %s, want code %d and signal %d", fmt.Sprintf("%+v", e), code, signal)
	}
}
