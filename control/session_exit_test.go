package control_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

// atExit are statements that leave a line in a file when Python ends in order.
func atExit(file string) string {
	return "import atexit, os, time\n@atexit.register\ndef leave():\n    open(os.environ['out'] + '/" + file + "', 'a').write('ran\\n')\n"
}

// lasting lets the exit handlers that were registered before wait for the file
// leave.
const lasting = `
@atexit.register
def wait():
    open(os.environ['out'] + '/leaving', 'a').write('ran\n')
    while not os.path.exists(os.environ['out'] + '/leave'): time.sleep(0.01)
`

// patient is a control plane that leaves an interpreter all time to end.
func patient(c *control.Config) { c.Grace = deadline }

func TestInterpreterEndsInOrder(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]string{"idle": "", "busy": holding("begun")} {
		t.Run("stop/"+name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.newPlane(patient)
			p.open("s")
			p.eval("s", atExit("left"), "")
			if busy != "" {
				p.submit("s", busy)
				b.begun("begun")
			}
			p.end("s")
			if b.executions("left") != 1 {
				t.Errorf("exit handlers ran %d times", b.executions("left"))
			}
		})
	}
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		b := newBed(t)
		p := b.newPlane(patient)
		p.open("s")
		p.eval("s", atExit("left"), "")
		p.close()
		p = b.newPlane(patient)
		p.older = 10 * time.Hour
		if err := p.resume(); err != nil {
			t.Fatal(err)
		}
		p.wantSession("s", remora.SessionTimedOut, "exceeded its timeout")
		if b.executions("left") != 1 {
			t.Errorf("exit handlers ran %d times", b.executions("left"))
		}
	})
}

// What the end takes is nobody's to pay, also where another control plane sees
// to it.
func TestEndOfAnInterpreterIsNotBilled(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.newPlane(patient)
	p.open("s")
	p.eval("s", atExit("left")+lasting, "")
	p.askToStop("s")
	b.begun("leaving")
	asked := b.session("s")
	if asked.State != remora.SessionStopping || asked.ExecutionTime <= 0 {
		t.Errorf("the session is %s after %s", asked.State, asked.ExecutionTime)
	}
	p.kill()
	p = b.newPlane(patient)
	p.older = time.Hour
	p.holdAt("at " + driverStopped)
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	<-p.held
	b.touch("leave")
	close(p.release)
	if s := b.wantSession("s", remora.SessionStopped); s.ExecutionTime != asked.ExecutionTime || s.DPUSeconds != s.ExecutionTime.Seconds()*4 {
		t.Errorf("execution time %s, when it was asked to stop %s; %v DPU-seconds", s.ExecutionTime, asked.ExecutionTime, s.DPUSeconds)
	}
	if b.executions("leaving") != 1 || b.executions("left") != 1 {
		t.Error("the interpreter did not end in order")
	}
}

// One that takes too long ends with its cluster, and so does one whose host
// cannot be asked.
func TestInterpreterDoesNotEnd(t *testing.T) {
	t.Parallel()
	for _, fault := range []int{0, 1} {
		b := newBed(t)
		p := b.newPlane(func(c *control.Config) { c.Grace = 50 * time.Millisecond })
		p.open("s")
		n := p.submit("s", atExit("left")+"while True:\n    try:\n        "+"open(os.environ['out'] + '/begun', 'a').write('ran\\n')\n"+
			"        time.sleep(600)\n    except BaseException: pass\n")
		b.begun("begun")
		p.fault("at "+driverStopped, fault)
		p.end("s")
		b.wantStatement("s", n, remora.StatementCancelled)
		if b.executions("left") != 0 {
			t.Error("the interpreter ended in order")
		}
	}
}

// The host tells of output only now and then: what was said last is not lost.
func TestLastOutput(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", `import os, time
def on(file):
    while not os.path.exists(os.environ['out'] + file): time.sleep(0.01)
print('x' * (3 << 20))
on('/published')
print('last')
on('/logged')
print('heard')
on('/never')`)
	b.eventually(func() bool {
		st, err := p.sessions.Statement(t.Context(), "s", n, 0)
		return err == nil && st.Output != nil && len(st.Output.Text) == 3<<20+1
	}, "the output so far is not published")
	for _, step := range [][2]string{{"published", "last"}, {"logged", "heard"}} { // it logs a line before it is a statement's, and the next one after that
		b.touch(step[0])
		b.eventually(func() bool {
			page, err := b.logs.Read(t.Context(), remora.ReadQuery{Group: sessionPrefix + "/" + remora.ScriptLog, Stream: "s", Limit: 1})
			return err == nil && len(page.Events) == 1 && page.Events[0].Message == step[1]
		}, "the host has not heard of the line %q", step[1])
	}
	p.end("s")
	if st := b.wantStatement("s", n, remora.StatementCancelled); !strings.Contains(st.Output.Text, "x\nlast\n") {
		t.Errorf("the statement's output ends with %q", st.Output.Text[max(0, len(st.Output.Text)-20):])
	}
}

// The session ends under a control plane that has not looked at its statement.
func TestLastOutputAfterARestart(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{false, true} {
		b := newBed(t)
		p := b.plane()
		p.open("s")
		n := p.submit("s", "print('said')\n"+holding("begun")+"'value'\n")
		b.begun("begun")
		b.eventually(func() bool { return slices.Contains(b.logBelow(sessionPrefix, "s"), "said") }, "the host has not heard of the output")
		p.fault("before "+statementEnded, 1<<30)
		if ends {
			b.touch("go")
			p.says("s", n, "said\n'value'")
		}
		p.killAtMoment("after " + stopStored)
		p.do(func() { p.sessions.Stop(t.Context(), "s") })
		p.succeed("after " + stopStored)
		b.wantSession("s", remora.SessionStopped)
		if ends {
			b.wantStatement("s", n, remora.StatementAvailable, "said\n'value'")
		} else {
			b.wantStatement("s", n, remora.StatementCancelled, "said\n")
		}
	}
}

// A statement has ended, and before that could be stored the session ends.
func TestSessionEndsBeforeAStatementIsStored(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	n, next := p.busy("s", holding("begun")+"'value'")
	p.fault("before "+statementEnded, 1<<30)
	b.touch("go")
	p.says("s", n, "'value'")
	p.askToStop("s")
	b.eventually(func() bool { return b.session("s").ExecutionTime > 0 }, "the session is not settled")
	p.fault("before "+statementEnded, 0)
	p.wantSession("s", remora.SessionStopped)
	b.wantStatement("s", n, remora.StatementAvailable, "'value'")
	b.wantStatement("s", next, remora.StatementCancelled)
}

// A session that was to stop has stopped, however its cluster went.
func TestClusterOfAStoppingSessionIsLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", holding("begun"))
	b.begun("begun")
	p.killAtMoment("after " + stopStored)
	p.do(func() { p.sessions.Stop(t.Context(), "s") })
	p.kill()
	if err := b.host.Lose(b.clusterOf(b.session("s").Handle)); err != nil {
		t.Fatal(err)
	}
	b.plane()
	b.wantSession("s", remora.SessionStopped)
	b.wantStatement("s", n, remora.StatementCancelled)
}
