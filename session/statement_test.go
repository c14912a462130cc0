package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func TestStatementsRunInOrder(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	g := newGate(t)
	b.submit(1, g.wait()+"; seen = [1]; 'first'")
	for id := 2; id <= 5; id++ {
		b.submit(id, fmt.Sprintf("seen.append(%d); print(seen)", id))
	}
	b.until(1, "running", func(s Snapshot) bool { return s.State == remora.StatementRunning })
	if s := b.now(3); s.State != remora.StatementWaiting || !s.Started.IsZero() {
		t.Errorf("behind a statement that runs: %+v", s)
	}
	g.open(t)
	b.want(b.ended(1), remora.StatementAvailable, "'first'")
	s := b.ended(5)
	b.want(s, remora.StatementAvailable, "[1, 2, 3, 4, 5]\n")
	if s.Progress != 1 || s.Started.IsZero() || s.Completed.Before(s.Started) {
		t.Errorf("a statement that has ended: %+v", s)
	}
	if i := b.interpreter(); !i.Ready || !strings.HasPrefix(i.Python, "3.") || i.PID == 0 || i.Died != "" {
		t.Errorf("the interpreter is %+v", i)
	}
}

func TestErrorIsAnAnswer(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	s := b.run(1, "print('before')\n1/0")
	b.want(s, remora.StatementAvailable, "before\n")
	if s.Output.ErrorName != "ZeroDivisionError" || s.Output.Error != "division by zero" ||
		!strings.Contains(strings.Join(s.Output.Traceback, "\n"), "1/0") {
		t.Errorf("the error is %+v", s.Output)
	}
	b.want(b.run(2, "1+1"), remora.StatementAvailable, "2")
}

func TestSubmitTwiceRunsOnce(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	b.want(b.run(1, "n = 1; n"), remora.StatementAvailable, "1")
	b.submit(1, "n = 100")
	b.submit(2, "n += 1; n")
	b.submit(2, "n += 1; n")
	b.want(b.ended(2), remora.StatementAvailable, "2")
	b.want(b.run(4, "n"), remora.StatementAvailable, "2")
	if err := b.c.Submit(b.ctx(), 3, "n"); remora.KindOf(err) != remora.Invalid || !strings.Contains(err.Error(), "too late") {
		t.Errorf("statement 3 after 4: %v", err)
	}
}

func TestCancelOfWaiting(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	g := newGate(t)
	b.submit(1, "ran = []; "+g.wait())
	b.submit(2, "ran.append(2)")
	b.submit(3, "print(ran)")
	b.cancel(2)
	if s := b.now(2); s.State != remora.StatementCancelled || !s.Started.IsZero() || s.Completed.IsZero() {
		t.Errorf("a cancelled statement: %+v", s)
	}
	g.open(t)
	b.want(b.ended(3), remora.StatementAvailable, "[]\n")
}

func TestCancelOfRunning(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	b.submit(1, "import time\nkept = 5\nprint('in')\ntime.sleep(1000)")
	b.submit(2, "kept")
	b.says(1, "in")
	b.cancel(1)
	s := b.ended(1)
	b.want(s, remora.StatementCancelled, "in\n")
	b.want(b.ended(2), remora.StatementAvailable, "5")

	b.cancel(1)
	b.cancel(2)
	if again := b.now(1); again.Version != s.Version || again.State != s.State {
		t.Errorf("a cancel after the end makes %+v of %+v", again, s)
	}
}

func TestInterruptIsRepeated(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	b.submit(1, "import time\ntry:\n    print('in'); time.sleep(1000)\nexcept KeyboardInterrupt:\n    print('caught')\ntime.sleep(1000)")
	b.says(1, "in")
	b.cancel(1)
	b.until(1, "cancelling", func(s Snapshot) bool { return s.State == remora.StatementCancelling })
	b.want(b.ended(1), remora.StatementCancelled, "in\ncaught\n")
}

// os.system ignores the interrupt while its program runs, which must end.
func TestInterruptReachesPrograms(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	b.submit(1, "import os\nos.system('echo in; exec sleep 1000')")
	b.says(1, "in")
	b.cancel(1)
	b.want(b.ended(1), remora.StatementAvailable, "in\n2")
}

func TestNativeCodeIsGivenUp(t *testing.T) {
	t.Parallel()
	b := serve(t, real(), func(o *Options) { o.CancelGrace = 100 * time.Millisecond })
	g := newGate(t)
	b.submit(1, "kept = 7\nfrom signal import *\npthread_sigmask(SIG_BLOCK, [SIGINT])\nprint('in')\n"+g.wait()+
		"\nprint('late')\npthread_sigmask(SIG_UNBLOCK, [SIGINT])")
	b.submit(2, "kept")
	b.says(1, "in")
	b.cancel(1)
	s := b.ended(1)
	if s.State != remora.StatementCancelled || !strings.HasPrefix(s.Output.Text, "in\n[") || !strings.Contains(s.Output.Text, "native code") {
		t.Errorf("given up: %+v", s)
	}
	if s := b.now(2); s.State != remora.StatementWaiting {
		t.Errorf("the next one is %s", s.State)
	}
	g.open(t)
	b.want(b.ended(2), remora.StatementAvailable, "7")
	if again := b.now(1); again.Version != s.Version {
		t.Errorf("the late end makes %+v", again)
	}
}

// The statement ends by itself when the interrupt comes.
func TestTrueEndWins(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]remora.StatementState{
		"ok": remora.StatementAvailable, "error": remora.StatementAvailable, "cancelled": remora.StatementCancelled,
	} {
		b := serve(t, standIn(fmt.Sprintf(`
signal.signal(signal.SIGINT, lambda *_: done(1, status=%q, ename="E", evalue="", traceback=[]))
ready()
say(request()["id"], "in")
request()
`, status)))
		b.submit(1, "")
		b.says(1, "in")
		b.cancel(1)
		b.want(b.ended(1), want, "in")
	}
}

func TestCancelBeforeReady(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	b := serve(t, standIn(g.wait()+`
ready()
while True:
    r = request()
    if r["op"] == "shutdown": break
    done(r["id"], data={"text/plain": r["code"]})
`))
	b.submit(1, "one")
	b.submit(2, "two")
	b.cancel(1)
	if i, err := b.c.Interpreter(b.ctx(), 0); err != nil || i.Ready {
		t.Errorf("the interpreter is %+v: %v", i, err)
	}
	g.open(t)
	b.want(b.ended(2), remora.StatementAvailable, "two")
	b.want(b.now(1), remora.StatementCancelled, "")
}

// Idle time counts from the end of the last statement.
func TestIdle(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	b.run(1, "1")
	b.check(eventually(func() error {
		if i := b.interpreter(); i.Idle < 50*time.Millisecond {
			return fmt.Errorf("it is idle for %s", i.Idle)
		}
		return nil
	}))
	g := newGate(t)
	b.submit(2, "print('in'); "+g.wait())
	b.submit(3, "3")
	b.says(2, "in")
	if i := b.interpreter(); i.Idle != 0 {
		t.Errorf("while a statement runs it is idle for %s", i.Idle)
	}
	b.cancel(3)
	g.open(t)
	b.ended(2)
	b.check(eventually(func() error {
		if b.interpreter().Idle == 0 {
			return errors.New("it is not idle after the statement")
		}
		return nil
	}))
}
