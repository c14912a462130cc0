package providertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// testDrivers is about drivers, in one cluster that all its parts share.
func testDrivers(b *bed) {
	b.t.Setenv("SECRET_OF_SERVER", "must not leak")
	spec := b.spec()
	spec.Dir = b.t.TempDir() // for tasks and actors
	spec.Runtime.Path = []string{"/brought/first", "/brought/second"}
	c := b.start(spec)
	parts := []struct {
		name string
		test func(b *bed, c remora.Cluster, id string)
	}{
		{"Exit", testExit},
		{"CannotStart", testCannotStart},
		{"Env", testEnv},
		{"Output", testOutput},
		{"Once", testOnce},
		{"Grace", testGrace},
		{"NoGrace", testNoGrace},
		{"Group", testGroup},
		{"ChildHoldsOutput", testChildHoldsOutput},
		{"WaitEndsWithItsContext", testWaitContext},
		{"Elapsed", testElapsed},
		{"Nodes", testNodes},
	}
	for _, part := range parts {
		b.t.Run(part.name, func(t *testing.T) {
			inner := &bed{Harness: b.Harness, t: t, ctx: b.ctx, provider: b.provider}
			part.test(inner, c, spec.ID)
		})
	}
}

func testExit(b *bed, c remora.Cluster, _ string) {
	b.wantExit(b.wait(b.run(c, sh("exit/0", "exit 0"))), 0, 0)
	e := b.wait(b.run(c, sh("exit 3?&", "for i in $(seq 100); do echo line $i >&2; done; exit 3")))
	b.wantExit(e, 3, 0)
	if n := len(e.Tail); n == 0 || n > 100 || e.Tail[n-1] != "line 100" || e.Elapsed <= 0 {
		b.t.Errorf("exit %+v: want the last lines of stderr and the time it took", e)
	}
	b.wantExit(b.wait(b.run(c, sh("kill", "kill -KILL $$"))), -1, int(syscall.SIGKILL))
	if _, err := c.Process(b.ctx, "kill"); err != nil {
		b.t.Errorf("a driver that has ended: %v", err)
	}
	_, err := c.Process(b.ctx, "nobody")
	b.wantKind(err, remora.NotFound, "a driver that was never started")
}

func testCannotStart(b *bed, c remora.Cluster, _ string) {
	e := b.wait(b.run(c, remora.Driver{ID: "none", Argv: []string{"/no/such/program"}}))
	if e.Code == 0 || !strings.Contains(e.Error, "/no/such/program") {
		b.t.Errorf("exit %+v, want an error that names the program", e)
	}
	if err := b.run(c, remora.Driver{ID: "none"}).Stop(b.ctx, time.Second); err != nil {
		b.t.Errorf("stop: %v", err)
	}
}

func testEnv(b *bed, c remora.Cluster, _ string) {
	out := filepath.Join(b.t.TempDir(), "env")
	d := sh("env", `tr "\0" "\n" < /proc/$$/environ > "$OUT"; pwd > "$OUT.dir"; touch made-here`)
	d.Env = map[string]string{"OUT": out, "OF_BOTH": "driver", "with-dash": "ä b\nc"}
	b.wantExit(b.wait(b.run(c, d)), 0, 0)
	text, err := os.ReadFile(out)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, want := range []string{"OF_CLUSTER=cluster\n", "OF_BOTH=driver\n", "with-dash=ä b\nc\n", "PYTHONUNBUFFERED=1\n", "PATH=", "HOME=" + b.Dir,
		"/brought/first:/brought/second\n"} {
		if !strings.Contains(string(text), want) {
			b.t.Errorf("the driver's environment has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "SECRET_OF_SERVER") {
		b.t.Error("the driver has got the server's environment")
	}
	dir, _ := os.ReadFile(out + ".dir")
	if !strings.HasPrefix(string(dir), b.Dir+"/") {
		b.t.Errorf("the driver ran in %s, want a private directory", dir)
	}
	own := b.t.TempDir()
	d = sh("env dir", `pwd > here`)
	d.Dir = own
	b.wantExit(b.wait(b.run(c, d)), 0, 0)
	if !exists(filepath.Join(own, "here")) {
		b.t.Errorf("the driver did not run in its Dir %s", own)
	}
}

func testOutput(b *bed, c remora.Cluster, id string) {
	script := `i=0; while [ $i -lt 1000 ]; do echo out $i; i=$((i+1)); done; echo "err 1" >&2; printf 'no end'`
	b.wantExit(b.wait(b.run(c, sh("output", script))), 0, 0)
	b.logged(id, "no end")
	b.logged(id, "err 1")
	next := 0
	for _, l := range b.lines(id) {
		if l == fmt.Sprintf("out %d", next) {
			next++
		}
	}
	if next != 1000 {
		b.t.Errorf("line %q is not in the log where it should be", fmt.Sprintf("out %d", next))
	}
}

func testOnce(b *bed, c remora.Cluster, id string) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p, err := c.Run(b.ctx, sh("once", fmt.Sprintf("echo once by %d", i)))
			if err != nil {
				b.t.Errorf("run: %v", err)
				return
			}
			if e, err := p.Wait(b.ctx); err != nil || e.Code != 0 {
				b.t.Errorf("wait: %+v, %v", e, err)
			}
		})
	}
	wg.Wait()
	count := func() (n int) {
		for _, l := range b.lines(id) {
			if strings.HasPrefix(l, "once by ") {
				n++
			}
		}
		return n
	}
	b.eventually(func() bool { return count() > 0 }, "the driver has not said anything")
	if n := count(); n != 1 {
		b.t.Errorf("the driver was started %d times", n)
	}
}

func testGrace(b *bed, c remora.Cluster, id string) {
	p := b.run(c, sh("grace", `trap 'exit 7' TERM; echo grace is up; while :; do sleep 0.01; done`))
	b.logged(id, "grace is up")
	if err := p.Stop(b.ctx, deadline); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	b.wantExit(b.wait(p), 7, 0)
	if err := p.Stop(b.ctx, 0); err != nil {
		b.t.Errorf("stop again: %v", err)
	}
}

func testNoGrace(b *bed, c remora.Cluster, id string) {
	p := b.run(c, sh("stubborn", `trap '' TERM; echo stubborn is up; while :; do sleep 0.01; done`))
	b.logged(id, "stubborn is up")
	if err := p.Stop(b.ctx, 100*time.Millisecond); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	b.wantExit(b.wait(p), -1, int(syscall.SIGKILL))
}

// testGroup: a child that ignores SIGTERM does not survive its driver's stop.
func testGroup(b *bed, c remora.Cluster, id string) {
	before, err := b.Processes(id)
	if err != nil {
		b.t.Fatal(err)
	}
	p := b.run(c, sh("group", `sh -c 'trap "" TERM; echo child is up; while :; do sleep 0.01; done' & trap 'exit 0' TERM; wait`))
	b.logged(id, "child is up")
	if err := p.Stop(b.ctx, deadline); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	after, err := b.Processes(id)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, pid := range after {
		if cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); !slices.Contains(before, pid) && strings.Contains(string(cmd), "child is up") {
			b.t.Errorf("process %d of the driver's group is there after stop", pid)
		}
	}
}

func testChildHoldsOutput(b *bed, c remora.Cluster, id string) {
	p := b.run(c, sh("parent", `(while :; do sleep 1; done) & echo parent is done`))
	b.wantExit(b.wait(p), 0, 0)
	b.logged(id, "parent is done")
}

func testWaitContext(b *bed, c remora.Cluster, id string) {
	p := b.run(c, sh("waited", `echo waited is up; while :; do sleep 0.01; done`))
	ctx, cancel := context.WithCancel(b.ctx)
	got := make(chan error, 1)
	go func() { _, err := p.Wait(ctx); got <- err }()
	b.logged(id, "waited is up")
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		b.t.Errorf("wait: %v, want the context's error", err)
	}
	if err := p.Stop(b.ctx, deadline); err != nil {
		b.t.Errorf("the driver is not there any more: %v", err)
	}
	b.wantExit(b.wait(p), -1, int(syscall.SIGTERM))
}

func testElapsed(b *bed, c remora.Cluster, id string) {
	p := b.run(c, sh("timed", `echo timed is up; while :; do sleep 0.01; done`))
	b.logged(id, "timed is up")
	first, err1 := p.Elapsed(b.ctx)
	second, err2 := p.Elapsed(b.ctx)
	if err1 != nil || err2 != nil || first <= 0 || second <= first {
		b.t.Errorf("elapsed: %v (%v), then %v (%v)", first, err1, second, err2)
	}
	if err := p.Stop(b.ctx, deadline); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	e := b.wait(p)
	if last, err := p.Elapsed(b.ctx); err != nil || last != e.Elapsed || last < second {
		b.t.Errorf("elapsed at the end: %v (%v), exit says %v", last, err, e.Elapsed)
	}
}

func testNodes(b *bed, c remora.Cluster, _ string) {
	nodes, err := c.Nodes(b.ctx)
	if err != nil || len(nodes) != 2 {
		b.t.Fatalf("nodes: %+v, %v", nodes, err)
	}
	heads := 0
	for _, n := range nodes {
		if n.Head {
			heads++
		}
		if !n.Alive || n.CPUs != 1 || n.Memory != 512<<20 || n.ID == "" || n.Address == "" {
			b.t.Errorf("node %+v is not what was asked for", n)
		}
	}
	if heads != 1 || nodes[0].ID == nodes[1].ID || nodes[0].Address == nodes[1].Address {
		b.t.Errorf("nodes %+v: want one head, and ids and addresses of their own", nodes)
	}
}
