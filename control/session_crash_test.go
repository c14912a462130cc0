package control_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// succeed waits until a control plane has come to where it is killed, and
// returns the next one.
func (p *plane) succeed(moment string) *plane {
	p.t.Helper()
	p.eventually(func() bool { return isClosed(p.killed) }, "the control plane did not come to %q", moment)
	p.kill()
	return p.bed.plane()
}

func TestKilledWhileASessionStarts(t *testing.T) {
	t.Parallel()
	for _, moment := range moments([]string{sessionStored, handleRecorded, clusterStarted, driverStarted, readyStored})[1:] {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.killAtMoment(moment)
			p.create("s")
			p = p.succeed(moment)
			b.eventually(func() bool { return b.session("s").State == remora.SessionReady }, "the session is not READY")
			p.eval("s", "6 * 7", "42")
			if ids := b.host.Clusters(); len(ids) != 1 {
				t.Errorf("there are clusters %q", ids)
			}
			p.end("s")
		})
	}
}

// Python goes on while nobody looks: what a statement before has set is there,
// the one that runs is run once, the ones that wait are not lost.
func TestKilledWhileAStatementRuns(t *testing.T) {
	t.Parallel()
	for _, moment := range moments([]string{statementRunning, submitted, statementEnded}) {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.open("s")
			p.eval("s", "x = 40", "")
			ends := strings.HasSuffix(moment, statementEnded)
			p.killAtMoment(moment)
			p.trySubmit("s", holding("begun")+"x += 1; print('said'); x")
			if ends {
				if _, err := p.trySubmit("s", appending("next")+"x += 1; x"); err != nil {
					t.Fatal(err)
				}
				b.touch("go")
			}
			p = p.succeed(moment)
			if !ends {
				p.submit("s", appending("next")+"x += 1; x")
				b.touch("go")
			}
			if st := p.result("s", 2); st.State != remora.StatementAvailable || st.Output.Text != "said\n41" {
				t.Errorf("the statement is %s with %+v", st.State, st.Output)
			}
			if st := p.result("s", 3); st.State != remora.StatementAvailable || st.Output.Text != "42" {
				t.Errorf("the next one is %s with %+v", st.State, st.Output)
			}
			p.eval("s", "x", "42")
			if b.executions("begun") != 1 || b.executions("next") != 1 {
				t.Errorf("executed %d and %d times", b.executions("begun"), b.executions("next"))
			}
			if got := b.watch.statement(t, "s", 2); got != "WAITING RUNNING AVAILABLE" {
				t.Errorf("the statement was %s", got)
			}
			p.end("s")
		})
	}
}

// Statements that were stored are run, whether their client was told or not.
func TestKilledWhileAStatementIsStored(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	moment := "after " + statementStored
	p.killAtMoment(moment)
	if _, err := p.trySubmit("s", appending("ran")+"7"); err == nil {
		t.Error("the client was told")
	}
	p = p.succeed(moment)
	if st := p.result("s", 1); st.State != remora.StatementAvailable || st.Output.Text != "7" || b.executions("ran") != 1 {
		t.Errorf("the statement is %s with %+v", st.State, st.Output)
	}
	p.end("s")
}

// A statement that ended while nobody looked has its output.
func TestStatementEndsMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", "print('said')\n"+holding("begun")+appending("done")+"'value'")
	b.begun("begun")
	p.kill()
	b.touch("go")
	b.begun("done")
	p = b.plane()
	if st := p.result("s", n); st.State != remora.StatementAvailable || st.Output.Text != "said\n'value'" {
		t.Errorf("the statement is %s with %+v", st.State, st.Output)
	}
	p.end("s")
}

func TestKilledWhileCancelling(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"after " + cancelStored, "before " + statementEnded, "after " + statementEnded} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.open("s")
			n := p.submit("s", "x = 1\n"+holding("begun"))
			b.begun("begun")
			p.killAtMoment(moment)
			p.do(func() { p.sessions.CancelStatement(t.Context(), "s", n) })
			p = p.succeed(moment)
			p.result("s", n)
			b.wantStatement("s", n, remora.StatementCancelled)
			p.eval("s", "x", "1")
			p.end("s")
		})
	}
}

func TestKilledWhileASessionStops(t *testing.T) {
	t.Parallel()
	for _, moment := range append(moments([]string{statementEnded, clusterStopped, sessionClosed}), "after "+stopStored, "at "+driverStopped) {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.busy("s", holding("begun"))
			p.killAtMoment(moment)
			p.do(func() { p.sessions.Stop(t.Context(), "s") })
			p.succeed(moment)
			if s := b.wantSession("s", remora.SessionStopped); s.ExecutionTime <= 0 || s.DPUSeconds != s.ExecutionTime.Seconds()*4 {
				t.Errorf("execution time %s, %v DPU-seconds", s.ExecutionTime, s.DPUSeconds)
			}
			b.wantStatement("s", 1, remora.StatementCancelled)
			b.wantStatement("s", 2, remora.StatementCancelled)
			b.wantNeverRun()
		})
	}
}

// Why a session failed is not forgotten, nor that its statements were open.
func TestKilledWhileASessionFails(t *testing.T) {
	t.Parallel()
	for _, moment := range moments([]string{settled, clusterStopped, sessionClosed}) {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.open("s")
			p.killAtMoment(moment)
			p.submit("s", holding("begun")+"os.kill(os.getppid(), 9)")
			if _, err := p.trySubmit("s", appending("never")); err != nil {
				t.Fatal(err)
			}
			b.begun("begun")
			b.touch("go")
			p.succeed(moment)
			b.wantSession("s", remora.SessionFailed, "SIGKILL")
			b.wantStatement("s", 1, remora.StatementErrored, "SIGKILL")
			b.wantStatement("s", 2, remora.StatementErrored, "SIGKILL")
			b.wantNeverRun()
		})
	}
}

// The interpreter is there and could go on; the session may not.
func TestKilledWhileASessionTimesOut(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"after " + settled, "at " + driverStopped, "before " + clusterStopped} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.busy("s", holding("begun"))
			p.close()
			p = b.newPlane()
			p.older = 10 * time.Hour
			p.killAtMoment(moment)
			p.do(func() { p.resume() })
			p.succeed(moment)
			if s := b.wantSession("s", remora.SessionTimedOut, "exceeded its timeout"); s.ExecutionTime < 10*time.Hour {
				t.Errorf("execution time %s", s.ExecutionTime)
			}
			b.wantStatement("s", 1, remora.StatementErrored, "exceeded its timeout")
			b.wantStatement("s", 2, remora.StatementErrored, "exceeded its timeout")
			b.wantNeverRun()
		})
	}
}

// The processes die while nobody looks. What had no interpreter gets one, since
// nothing is lost.
func TestProcessesOfASessionDieMeanwhile(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"after " + handleRecorded, "after " + clusterStarted, "after " + readyStored, "after " + statementRunning,
		"before " + statementEnded} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			again := strings.HasSuffix(moment, handleRecorded) || strings.HasSuffix(moment, clusterStarted)
			open := strings.HasSuffix(moment, statementRunning) || strings.HasSuffix(moment, statementEnded)
			if open {
				p.open("s")
				p.killAtMoment(moment)
				p.trySubmit("s", "1")
			} else {
				p.killAtMoment(moment)
				p.create("s")
			}
			b.eventually(func() bool { return isClosed(p.killed) }, "the control plane did not come to %q", moment)
			p.kill()
			if err := b.host.Lose(b.clusterOf(b.session("s").Handle)); err != nil {
				t.Fatal(err)
			}
			p = b.plane()
			if again {
				p.ready("s")
				p.eval("s", "1", "1")
				p.end("s")
				return
			}
			p.wantSession("s", remora.SessionFailed, "died while the control plane was down")
			if open {
				b.wantStatement("s", 1, remora.StatementErrored, "died while the control plane was down")
			}
		})
	}
}

// The provider may need a while after a restart, and taking down may fail.
func TestProviderFailsASessionForAWhile(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.eval("s", "x = 1", "")
	p.kill()
	p = b.newPlane()
	p.fault("at adoption", 2)
	p.fault("before "+clusterStopped, 2)
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	p.eval("s", "x", "1")
	p.end("s")
}

// Control planes come and go; a session does not notice.
func TestManyControlPlanes(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.eval("s", "seen = []", "")
	for i := range 5 {
		p.submit("s", fmt.Sprintf("seen.append(%d)", i))
		p.kill()
		p = b.plane()
	}
	p.eval("s", "seen", "[0, 1, 2, 3, 4]")
	p.end("s")
}
