package supervise_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/providertest"
	"github.com/remora-project/remora/provider/supervise"
)

const deadline = time.Minute

// bed is a supervised cluster whose nodes are shell scripts.
type bed struct {
	t                *testing.T
	ctx              context.Context
	id, runDir, logs string
	spec             supervise.Spec
	c                *supervise.Cluster
}

func newBed(t *testing.T, nodes ...supervise.Node) *bed {
	t.Helper()
	runDir, err := supervise.RunDir(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*deadline)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx, id: "jr_" + t.Name(), runDir: runDir, logs: t.TempDir()}
	b.spec = supervise.Spec{ID: b.id, Env: supervise.BaseEnv(b.id, b.dir()), Nodes: nodes, LogStore: b.logs,
		Logs: remora.LogTarget{Prefix: "/test", Stream: b.id}}
	t.Cleanup(func() {
		if err := supervise.Remove(context.WithoutCancel(ctx), b.id, b.dir()); err != nil {
			t.Errorf("remove: %v", err)
		}
		if pids, err := supervise.Processes(b.id, b.dir()); err != nil || len(pids) > 0 {
			t.Errorf("processes %v are left (%v)", pids, err)
		}
		if _, err := os.Lstat(runDir); err == nil {
			t.Errorf("%s is left", runDir)
		}
	})
	return b
}

func (b *bed) dir() string { return supervise.ClusterDir(b.runDir, b.id) }

func (b *bed) launch() *bed {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := supervise.Create(b.dir(), b.spec); err != nil {
		b.t.Fatal(err)
	}
	if b.c, err = supervise.Launch(b.ctx, []string{self, "supervise"}, b.id, b.dir()); err != nil {
		b.t.Fatal(err)
	}
	return b
}

func shell(name, script string, essential bool) supervise.Node {
	return supervise.Node{Name: name, Argv: []string{"/bin/sh", "-c", script}, Essential: essential}
}

func (b *bed) run(id, script string) *supervise.Process {
	b.t.Helper()
	p, err := b.c.Run(b.ctx, remora.Driver{ID: id, Argv: []string{"/bin/sh", "-c", script}})
	if err != nil {
		b.t.Fatalf("run %s: %v", id, err)
	}
	return p
}

func (b *bed) wait(p *supervise.Process) remora.Exit {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, deadline)
	defer cancel()
	e, err := p.Wait(ctx)
	if err != nil {
		b.t.Fatalf("wait: %v", err)
	}
	return e
}

func (b *bed) log(group string) []string { return providertest.FileLog(b.logs, group, b.id) }

func (b *bed) eventually(what string, cond func() bool) {
	b.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(deadline); !cond(); <-tick.C {
		if time.Now().After(end) {
			b.t.Fatalf("after %v %s", deadline, what)
		}
	}
}

func (b *bed) logged(group, line string) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("%s has no line %q", group, line), func() bool { return slices.Contains(b.log(group), line) })
}

const idle = "while :; do sleep 0.05; done"

// TestSupervisorKilled: with it go its children, and what had detached goes
// with the next Attach.
func TestSupervisorKilled(t *testing.T) {
	b := newBed(t, shell("head", "echo $$ > pid; "+idle, true)).launch()
	b.run("d", "(setsid sh -c 'echo detached; "+idle+"' &); echo up; "+idle)
	b.logged("/test/script-log", "detached")
	b.logged("/test/script-log", "up")
	st, err := b.c.Status(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.eventually("the head lives on without its supervisor", func() bool {
		return syscall.Kill(st.Nodes[0].PID, 0) == syscall.ESRCH || zombie(st.Nodes[0].PID)
	})
	if _, err := supervise.Attach(b.ctx, b.id, b.dir()); remora.KindOf(err) != remora.NotFound {
		t.Errorf("attach: %v", err)
	}
	if pids, err := supervise.Processes(b.id, b.dir()); err != nil || len(pids) > 0 {
		t.Errorf("processes %v are there after attach (%v)", pids, err)
	}
}

// zombie reports whether a process only waits to be reaped, by whoever adopts
// orphans here.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// TestRecordPrecedesExec: a driver sees its own record.
func TestRecordPrecedesExec(t *testing.T) {
	b := newBed(t).launch()
	p := b.run("d", `grep -l '"id":"d"' `+b.dir()+`/drivers/*.json`)
	if e := b.wait(p); e.Code != 0 {
		t.Errorf("exit %+v: the record was not there", e)
	}
}

// TestLost: the driver is told, in time, and the error says why.
func TestLost(t *testing.T) {
	b := newBed(t, shell("head", "while ! test -e gone; do sleep 0.01; done; exit 5", true), shell("worker-1", idle, false))
	b.spec.LostGrace = 50 * time.Millisecond
	b.launch()
	p := b.run("d", "trap '' TERM; echo up; "+idle)
	b.logged("/test/script-log", "up")
	if err := os.WriteFile(filepath.Join(b.dir(), "gone"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e := b.wait(p)
	if e.Signal != int(syscall.SIGKILL) || !strings.Contains(e.Error, "head ended: exit status 5") {
		t.Errorf("exit %+v", e)
	}
	b.logged("/test/script-log", "remora: the cluster was lost: node process head ended: exit status 5")
	if st, err := b.c.Status(b.ctx); err != nil || st.Lost == "" || st.Nodes[0].Ended == "" || st.Nodes[1].Ended != "" {
		t.Errorf("status %+v, %v", st, err)
	}
}

// TestLease: no driver, no control plane.
func TestLease(t *testing.T) {
	b := newBed(t, shell("head", idle, true))
	b.spec.Lease = 3 * time.Second
	b.launch()
	b.eventually("the cluster is there", func() bool {
		pids, err := supervise.Processes(b.id, b.dir())
		if err != nil {
			t.Fatal(err)
		}
		return len(pids) == 0
	})
	if _, err := supervise.Attach(b.ctx, b.id, b.dir()); remora.KindOf(err) != remora.NotFound {
		t.Errorf("attach: %v; no driver ended, so there is nothing to say", err)
	}
}

// TestLeaseCountsDrivers: a driver keeps its cluster, however long it takes.
func TestLeaseCountsDrivers(t *testing.T) {
	b := newBed(t)
	b.spec.Lease = 2 * time.Second
	b.launch()
	b.run("d", "sleep 4; echo survived")
	b.logged("/test/script-log", "survived") // nobody has asked meanwhile
}

// TestSigterm: the end that a service manager asks for loses no record.
func TestSigterm(t *testing.T) {
	b := newBed(t).launch()
	b.wait(b.run("d", "exit 4"))
	st, err := b.c.Status(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(st.PID, syscall.SIGHUP) // no reason to end
	if again, err := b.c.Status(b.ctx); err != nil || again.PID != st.PID {
		t.Errorf("status after SIGHUP: %+v, %v", again, err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.eventually("the supervisor is there", func() bool { _, err := b.c.Status(b.ctx); return err != nil })
	c, err := supervise.Attach(b.ctx, b.id, b.dir())
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Process(b.ctx, "d")
	if err != nil {
		t.Fatal(err)
	}
	if e := b.wait(p); e.Code != 4 {
		t.Errorf("exit %+v", e)
	}
}

// TestHungSupervisor: a stop does not depend on the supervisor's help.
func TestHungSupervisor(t *testing.T) {
	if testing.Short() {
		t.Skip("waits 10 s for an answer that does not come")
	}
	b := newBed(t, shell("head", idle, true)).launch()
	st, err := b.c.Status(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := b.c.Stop(b.ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestReaping: many short orphans neither stay zombies nor take the exit of a
// driver.
func TestReaping(t *testing.T) {
	b := newBed(t).launch()
	for i := range 20 {
		p := b.run(fmt.Sprint("d", i), "for i in 1 2 3 4 5; do (setsid true &) ; done; exit 3")
		if e := b.wait(p); e.Code != 3 {
			t.Fatalf("exit %+v", e)
		}
	}
	st, err := b.c.Status(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.eventually("the supervisor has zombies", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", st.PID, st.PID))
		return err == nil && len(strings.Fields(string(children))) == 0
	})
}

// TestTails: files are followed into their groups, over a rotation, and to their
// last byte when the cluster is stopped.
func TestTails(t *testing.T) {
	b := newBed(t, shell("head", `mkdir -p logs; echo first > logs/a.log; echo skip > logs/a.txt
		while ! test -e turn; do sleep 0.01; done
		echo second >> logs/a.log; mv logs/a.log logs/a.log.1; echo third > logs/a.log; touch turned; `+idle, true))
	b.spec.Tails = []supervise.Tail{
		{Dir: "logs", Pattern: "a.log*", Group: "/test/a", Stream: b.id},
		{Dir: "logs", Pattern: "*", Group: "", Stream: b.id},
	}
	b.launch()
	b.logged("/test/a", "first")
	if err := os.WriteFile(filepath.Join(b.dir(), "turn"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.logged("/test/a", "third")
	b.eventually("the head does not turn its logs", func() bool {
		_, err := os.Stat(filepath.Join(b.dir(), "turned"))
		return err == nil
	})
	f, err := os.OpenFile(filepath.Join(b.dir(), "logs", "a.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, strings.Repeat("x", 200<<10)+"\nno end") // right before the stop
	f.Close()
	if err := b.c.Stop(b.ctx); err != nil {
		t.Fatal(err)
	}
	got := b.log("/test/a")
	slices.Sort(got)
	want := []string{"first", "no end", "second", "third", strings.Repeat("x", 200<<10)}
	if !slices.Equal(got, want) {
		t.Errorf("the stream has %d lines: %.200q", len(got), got)
	}
}
