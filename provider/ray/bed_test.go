package ray_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/providertest"
	"github.com/remora-project/remora/provider/ray"
	"github.com/remora-project/remora/provider/supervise"
)

const deadline = 2 * time.Minute

// bed is a cluster of a test's own, with what the contract suite does not ask
// for.
type bed struct {
	t        *testing.T
	ctx      context.Context
	provider *ray.Provider
	spec     remora.ClusterSpec
	logs     string
	runDir   string
	cluster  remora.Cluster
}

func newBed(t *testing.T, change func(*ray.Config, *remora.ClusterSpec)) *bed {
	runDir, err := supervise.RunDir(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*deadline)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx, logs: t.TempDir(), runDir: runDir}
	size := remora.NodeSize{CPUs: 1, MemoryBytes: 512 << 20, ObjectStore: 80 << 20}
	id := "jr_" + t.Name()
	b.spec = remora.ClusterSpec{ID: id, Runtime: runtime(t),
		Head: size, Worker: size, Workers: 1, Env: map[string]string{"SECRET": "of-the-user"},
		Logs:   remora.LogTarget{Prefix: "/test/jobs", Stream: id},
		Record: func(context.Context, remora.Handle) error { return nil }}
	config := configure(t, runDir, b.logs)
	if change != nil {
		change(&config, &b.spec)
	}
	b.provider = ray.New(config)
	t.Cleanup(func() {
		if pids, err := supervise.Processes(id, b.dir()); err != nil || len(pids) > 0 {
			t.Errorf("processes %v are left (%v)", pids, err)
		}
		if _, err := os.Lstat(runDir); err == nil {
			t.Errorf("%s is left", runDir)
		}
	})
	return b
}

func (b *bed) start() {
	b.t.Helper()
	c, err := b.provider.Start(b.ctx, b.spec)
	if err != nil {
		b.t.Fatalf("start: %v", err)
	}
	b.cluster = c
	b.t.Cleanup(b.stop)
}

func (b *bed) stop() {
	if err := b.cluster.Stop(context.WithoutCancel(b.ctx)); err != nil {
		b.t.Errorf("stop: %v", err)
	}
}

func (b *bed) dir() string { return supervise.ClusterDir(b.runDir, b.spec.ID) }

func (b *bed) run(d remora.Driver) remora.Process {
	b.t.Helper()
	p, err := b.cluster.Run(b.ctx, d)
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
		b.t.Fatalf("wait for the driver: %v\n%s", err, strings.Join(b.log(remora.ScriptLog, ""), "\n"))
	}
	return e
}

// log returns the lines of a stream; node is "" for the driver's own.
func (b *bed) log(group, node string) []string {
	stream := b.spec.ID
	if node != "" {
		stream += "_" + node
	}
	return providertest.FileLog(b.logs, "/test/jobs/"+group, stream)
}

func (b *bed) eventually(what string, cond func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(deadline); !cond(); <-tick.C {
		if time.Now().After(end) {
			b.t.Fatalf("after %v %s; the driver's log:\n%s", deadline, what, strings.Join(b.log(remora.ScriptLog, ""), "\n"))
		}
	}
}

func (b *bed) logged(line string) {
	b.t.Helper()
	b.eventually("the script log has no line "+line, func() bool { return slices.Contains(b.log(remora.ScriptLog, ""), line) })
}

// processes lists the cluster's processes with their command lines.
func (b *bed) processes() map[int]string {
	b.t.Helper()
	pids, err := supervise.Processes(b.spec.ID, b.dir())
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[int]string{}
	for _, pid := range pids {
		cmd, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		out[pid] = strings.ReplaceAll(string(cmd), "\x00", " ")
	}
	return out
}

// find returns the process whose command line contains all parts.
func (b *bed) find(parts ...string) int {
	b.t.Helper()
	for pid, cmd := range b.processes() {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(cmd, p) }) {
			return pid
		}
	}
	b.t.Fatalf("no process has %q in its command line: %v", parts, b.processes())
	return 0
}

// script is a driver that runs a Python program of testdata.
func (b *bed) script(name string) remora.Driver {
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		b.t.Fatal(err)
	}
	return remora.Driver{ID: name, Argv: []string{b.spec.Runtime.Python, path}}
}
