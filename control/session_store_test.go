package control_test

import (
	"testing"

	"github.com/remora-project/remora"
)

// A full disk holds a session up, at whatever step; nothing is lost or done
// twice. After: it was stored, and nobody told us.
func TestStoreIsUnavailableForASession(t *testing.T) {
	t.Parallel()
	faults := moments([]string{handleRecorded, readyStored, statementRunning, statementEnded, sessionClosed})
	for _, at := range append(faults, "at session read", "at statements read") {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.fault(at, 2)
			if _, err := p.create("s"); err != nil {
				t.Fatal(err)
			}
			b.eventually(func() bool { return b.session("s").State == remora.SessionReady }, "the session is not READY")
			n := p.submit("s", appending("ran")+"x = 41")
			p.result("s", n)
			b.wantStatement("s", n, remora.StatementAvailable)
			p.eval("s", "x + 1", "42")
			if n := b.executions("ran"); n != 1 {
				t.Errorf("the statement was executed %d times", n)
			}
			p.end("s")
			b.eventually(func() bool { return p.sessions.Open() == 0 }, "the session is still driven")
		})
	}
}

// The same while a session fails.
func TestStoreIsUnavailableWhenASessionFails(t *testing.T) {
	t.Parallel()
	for _, at := range moments([]string{settled, statementEnded, sessionClosed}) {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.busy("s", holding("begun")+"os.kill(os.getppid(), 9)")
			p.fault(at, 2)
			b.touch("go")
			b.wantSession("s", remora.SessionFailed, "SIGKILL")
			b.wantStatement("s", 1, remora.StatementErrored, "SIGKILL")
			b.wantStatement("s", 2, remora.StatementErrored, "SIGKILL")
			b.eventually(func() bool { return p.sessions.Open() == 0 }, "the session is still driven")
		})
	}
}

// A statement ends while the disk is full, which lasts; until there is room
// again its output can be read, and the next one waits.
func TestStatementEndsWhileTheStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", holding("begun")+"print('said')\n"+appending("done")+"'value'")
	next := p.submit("s", "'next'")
	b.begun("begun")
	p.fault("before "+statementEnded, 1<<30)
	b.touch("go")
	b.begun("done")
	p.says("s", n, "said\n'value'")
	b.wantStatement("s", next, remora.StatementWaiting)
	p.fault("before "+statementEnded, 0)
	p.result("s", n)
	b.wantStatement("s", n, remora.StatementAvailable, "said\n'value'")
	p.result("s", next)
	b.wantStatement("s", next, remora.StatementAvailable, "'next'")
	p.end("s")
}

// Requests that the store refuses have no effect, and can be made again.
func TestSessionRequestsWhileTheStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	refused := func(what string, err error) {
		t.Helper()
		if remora.KindOf(err) != remora.Unavailable {
			t.Errorf("%s: error %v, want one of kind %q", what, err, remora.Unavailable)
		}
	}
	p.fault("before "+sessionStored, 1)
	refused("create", errorOf(p.create("s")))
	p.open("s")
	p.fault("before "+statementStored, 1)
	refused("submit", errorOf(p.trySubmit("s", appending("ran"))))
	n := p.submit("s", holding("ran"))
	b.begun("ran")
	p.fault("before "+cancelStored, 1)
	refused("cancel", p.sessions.CancelStatement(t.Context(), "s", n))
	p.cancel("s", n)
	p.result("s", n)
	b.wantStatement("s", n, remora.StatementCancelled)
	p.fault("before "+stopStored, 1)
	refused("stop", p.sessions.Stop(t.Context(), "s"))
	p.eval("s", "1", "1")
	p.end("s")
	if n := b.executions("ran"); n != 1 {
		t.Errorf("executed %d times", n)
	}
}
