package control_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/fake"
)

// The idle time counts from the end of the last statement, not while one runs.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	const idle = time.Second
	b := newBed(t)
	p := b.plane()
	p.holdAt("after " + readyStored) // nothing is idle before
	if _, err := p.create("s", idleTimeout(idle)); err != nil {
		t.Fatal(err)
	}
	<-p.held
	p.submit("s", "import time\nprint('busy')\ntime.sleep(2)")
	p.submit("s", "'end'")
	close(p.release)
	s := p.wantSession("s", remora.SessionTimedOut, "The session was idle for 1s.")
	b.wantStatement("s", 1, remora.StatementAvailable, "busy")
	last := b.wantStatement("s", 2, remora.StatementAvailable, "end")
	if rest := s.CompletedOn.Sub(last.CompletedOn); rest < idle-10*time.Millisecond { // the store rounds
		t.Errorf("the session ended %s after its last statement", rest)
	}
	if s.ExecutionTime < 3*time.Second || s.DPUSeconds != s.ExecutionTime.Seconds()*4 {
		t.Errorf("execution time %s, %v DPU-seconds", s.ExecutionTime, s.DPUSeconds)
	}
}

// The idle time goes on while there is no control plane.
func TestIdleTimeAcrossARestart(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.eval("s", "1 + 1", "2")
	p.close()
	<-time.After(time.Second) // nobody looks after it
	reopened := time.Now()
	p = b.plane()
	var idle time.Time
	b.eventually(func() bool { idle = p.sessions.IdleSince("s"); return !idle.IsZero() }, "the interpreter has not been found again")
	if idle.After(reopened) {
		t.Errorf("it is idle since %s after this control plane began", idle.Sub(reopened))
	}
	p.eval("s", "2 + 2", "4")
	p.end("s")
}

// A statement that the store cannot take note of yet is one all the same.
func TestIdleTimeoutWhileAStatementWaits(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.holdAt("after " + readyStored)
	if _, err := p.create("s", idleTimeout(time.Second)); err != nil {
		t.Fatal(err)
	}
	<-p.held
	p.submit("s", "'run'")
	p.fault("before "+statementRunning, 4) // 1.5 s
	close(p.release)
	p.result("s", 1)
	b.wantStatement("s", 1, remora.StatementAvailable, "run")
	p.wantSession("s", remora.SessionTimedOut, "idle")
}

// The time counts from the interpreter's start, whoever looks after it, and
// also while a statement runs.
func TestTimeoutOfASession(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.busy("s", holding("begun"))
	p.close()
	p = b.newPlane()
	p.older = 10*time.Hour - 100*time.Millisecond
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	s := p.wantSession("s", remora.SessionTimedOut, "The session exceeded its timeout of 600 minutes.")
	if s.ExecutionTime < 10*time.Hour {
		t.Errorf("execution time %s", s.ExecutionTime)
	}
	b.wantStatement("s", 1, remora.StatementErrored, "exceeded its timeout")
	b.wantStatement("s", 2, remora.StatementErrored, "exceeded its timeout")
	b.wantNeverRun()
}

// A session that never gets ready has not been idle, but its time runs out.
func TestTimeoutBeforeReady(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.interpreter = func(remora.Runtime) []string { return host("/bin/sh", "-c", "exec sleep 600") }
	if _, err := b.plane().create("s", idleTimeout(100*time.Millisecond), timeout(time.Second)); err != nil {
		t.Fatal(err)
	}
	b.wantSession("s", remora.SessionFailed, "exceeded its timeout of 1s")
}

// kills are ways in which a statement ends its interpreter, or more than that.
var kills = map[string]struct {
	code string
	says []string
}{
	"exit":    {"os.write(2, b'last words\\n')\nos._exit(3)", []string{"exited with status 3", "last words"}},
	"SIGKILL": {"os.kill(os.getpid(), 9)", []string{"SIGKILL", "memory"}},
	"SIGSEGV": {"import ctypes\nctypes.string_at(0)", []string{"SIGSEGV", "Fatal Python error"}},
	"host":    {"os.kill(os.getppid(), 9)", []string{"SIGKILL"}},
}

func TestInterpreterDies(t *testing.T) {
	t.Parallel()
	for name, kill := range kills {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.busy("s", holding("begun")+"print('said', flush=True)\n"+kill.code)
			b.touch("go")
			s := p.wantSession("s", remora.SessionFailed, kill.says...)
			if s.ExecutionTime <= 0 {
				t.Errorf("execution time %s", s.ExecutionTime)
			}
			says := kill.says
			if name != "host" { // or who knew what was said is gone
				says = append([]string{"said\n"}, says...)
			}
			b.wantStatement("s", 1, remora.StatementErrored, says...)
			b.wantStatement("s", 2, remora.StatementErrored, kill.says[0])
			b.wantNeverRun()
		})
	}
}

func TestInterpreterDiesBetweenStatements(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	pid, err := strconv.Atoi(p.result("s", p.submit("s", "import os; os.getpid()")).Output.Text)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.wantSession("s", remora.SessionFailed, "the Python interpreter was killed (SIGKILL)")
}

func TestClusterOfASessionIsLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.busy("s", holding("begun"))
	if err := b.host.Lose(b.clusterOf(b.session("s").Handle)); err != nil {
		t.Fatal(err)
	}
	if s := p.wantSession("s", remora.SessionFailed, "nobody saw how the driver ended"); s.ExecutionTime <= 0 {
		t.Errorf("execution time %s", s.ExecutionTime)
	}
	for n := 1; n <= 2; n++ {
		st := b.wantStatement("s", n, remora.StatementErrored)
		if why := st.Output.Error; !strings.Contains(why, "nobody saw how the driver ended") && !strings.Contains(why, "SIGKILL") { // the host may have seen Python go
			t.Errorf("statement %d ended because %q", n, why)
		}
	}
}

func TestSessionCannotBeStarted(t *testing.T) {
	t.Parallel()
	fault := remora.Unavailablef("fake", "", "1 of 3 nodes were there: %w", errors.New("no memory"))
	for name, c := range map[string]struct {
		change      func(*request)
		faults      fake.Faults
		interpreter []string
		message     []string
	}{
		"module":  {argument("--s3-py-modules", "s3://b/none.zip"), fake.Faults{}, nil, []string{"--s3-py-modules s3://b/none.zip: there is no object"}},
		"runtime": {func(q *request) { q.Plan.Command.Runtime = "other" }, fake.Faults{}, nil, []string{"there is no runtime other"}},
		"cluster": {nil, fake.Faults{Start: func(context.Context, int) error { return fault }}, nil, []string{"1 of 3 nodes were there: no memory"}},
		"driver":  {nil, fake.Faults{Run: func(context.Context, remora.Driver) error { return fault }}, nil, []string{"no memory"}},
		"host":    {nil, fake.Faults{}, []string{"/nonexistent/remora"}, []string{"could not be started", "/nonexistent/remora"}},
		"python":  {nil, fake.Faults{}, host("/nonexistent/python"), []string{"could not be started", "/nonexistent/python"}},
		"exit":    {nil, fake.Faults{}, host("/bin/sh", "-c", "echo oops >&2; exit 7"), []string{"exited with status 7", "oops"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.host.Inject(c.faults)
			if c.interpreter != nil {
				b.interpreter = func(remora.Runtime) []string { return c.interpreter }
			}
			p := b.plane()
			if _, err := p.create("s", func(q *request) {
				if c.change != nil {
					c.change(q)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if s, err := p.sessions.Session(t.Context(), "s", deadline); err != nil || s.State != remora.SessionFailed {
				t.Errorf("who waits for the session hears that it is %s, %v", s.State, err)
			}
			p.wantSession("s", remora.SessionFailed, c.message...)
			if got := b.watch.session(t, "s"); got != "PROVISIONING FAILED CLOSED" {
				t.Errorf("the session was %s", got)
			}
			if log := strings.Join(b.logBelow(sessionPrefix, "s"), "\n"); !strings.Contains(log, c.message[0]) {
				t.Errorf("the session's log does not say why:\n%s", log)
			}
		})
	}
}
