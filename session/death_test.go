package session

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"golang.org/x/sys/unix"
)

func TestDeathIsExplained(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code string
		says []string
	}{
		"exit":         {"import os\nos.write(2, b'last words\\n')\nos._exit(3)", []string{"exited with status 3", "last words"}},
		"signal":       {"import ctypes\nctypes.string_at(0)", []string{"SIGSEGV", "segmentation fault", "Fatal Python error: Segmentation fault", "<cell 2>"}},
		"abort":        {"import os\nos.abort()", []string{"SIGABRT", "Fatal Python error: Aborted"}},
		"memory":       {"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", []string{"SIGKILL", "memory"}},
		"many threads": {"import ctypes, threading, time\nfor i in range(90): threading.Thread(target=lambda: time.sleep(99)).start()\nctypes.string_at(0)", []string{"Fatal Python error: Segmentation fault\n\n", "<cell 2>"}},
		"many lines":   {"import os\nfor i in range(40): os.write(2, b'line %d\\n' % i)\nos.kill(os.getpid(), 9)", []string{"SIGKILL", "line 12\n", "line 39"}},
		"a long line":  {"import os\nos.write(2, b'x' * 20000)\nos._exit(3)", []string{"exited with status 3", "xxx"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serve(t, real(), func(o *Options) { o.Linger = deadline })
			b.run(1, "import os; os.write(2, b'of before\\n')")
			g := newGate(t)
			b.submit(2, g.wait()+"; print('in')\n"+c.code)
			b.submit(3, "'never'")
			g.open(t)
			s := b.ended(2)
			b.over()
			for _, part := range c.says {
				if s.State != remora.StatementErrored || !strings.Contains(s.Output.Error, part) || !strings.Contains(b.end.Error(), part) {
					t.Errorf("%q is not in %+v, or in %v", part, s, b.end)
				}
			}
			if !strings.HasPrefix(s.Output.Text, "in\n") || s.Output.ErrorName != "InterpreterDied" || strings.Contains(s.Output.Error, "of before") {
				t.Errorf("the statement is %+v", s)
			}
			if len(s.Output.Error) > maxLastBytes+500 {
				t.Errorf("the last words have %d bytes", len(s.Output.Error))
			}
			wantToldByEnd(b)
		})
	}
}

// What was said before the death is heard, to the last byte.
func TestLastEventsAreHeard(t *testing.T) {
	t.Parallel()
	b := serve(t, standIn(`
ready()
id = request()["id"]
for i in range(2000):
    say(id, f"{i}\n")
os.write(1, b"raw " * 4000)
done(id)
os._exit(0)
`), func(o *Options) { o.Linger = deadline })
	b.submit(1, "")
	s := b.ended(1)
	if s.State != remora.StatementAvailable || !strings.Contains(s.Output.Text, "\n1999\n") || strings.Count(s.Output.Text, "raw ") != 4000 {
		t.Errorf("it is %s with %d bytes", s.State, len(s.Output.Text))
	}
	if err := b.over(); err == nil || !strings.Contains(err.Error(), "exited with status 0") {
		t.Errorf("the host ends with %v", err)
	}
}

// An interpreter that misbehaves is killed, and all that waits for it ends.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	const idle = "\ntime.sleep(1000)"
	for name, c := range map[string]struct {
		argv []string
		says string
	}{
		"garbage":           {standIn("events.write('garbage\\n'); events.flush()" + idle), `killed because it sent what is not an event: invalid character 'g' looking for beginning of value: "garbage"`},
		"binary garbage":    {standIn("ready(); request(); os.write(4, os.urandom(1000) + b'\\n')" + idle), "not an event"},
		"ready twice":       {standIn("ready(); request(); ready()" + idle), "ready twice"},
		"done unasked":      {standIn("ready(); request(); done(99)" + idle), "statement 99 is not running"},
		"done with another": {standIn("ready(); request(); done(7)" + idle), "statement 7 is not running"},
		"an endless line":   {standIn("ready(); request()\nwhile True: os.write(4, b'x' * 1000000)"), "a line of more than"},
		"events closed":     {standIn("ready(); request(); events.close()" + idle), "closed its pipe of events"},
		"requests closed":   {standIn("requests.close(); ready()" + idle), "does not take requests"},
		"never ready":       {standIn("time.sleep(1000)"), "was not ready within 3s"},
		"shell":             {[]string{"/bin/sh", "-c", "echo oops >&2; exit 7"}, "exited with status 7\noops"},
		"no program":        {[]string{"/no/such/python"}, "could not be started: exec /no/such/python: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serve(t, c.argv, func(o *Options) {
				o.Linger = deadline
				if name == "never ready" {
					o.ReadyWithin = 3 * time.Second
				}
			})
			b.submit(1, "1")
			b.submit(2, "2")
			if s := b.ended(2); s.State != remora.StatementErrored || !strings.Contains(s.Output.Error, c.says) {
				t.Errorf("the second statement is %+v", s)
			}
			if err := b.over(); remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the host ends with %v, want %s", err, c.says)
			}
		})
	}
}

// A child that has left the process group holds every pipe open.
func TestChildrenHoldThePipes(t *testing.T) {
	t.Parallel()
	b := serve(t, standIn(`
ready()
request()
left, leave = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.write(leave, b"x")
    time.sleep(1000)
os.read(left, 1)
if os.fork() == 0:
    time.sleep(1000)
os._exit(5)
`), func(o *Options) { o.Linger = deadline })
	pid := b.interpreter().PID
	b.submit(1, "")
	b.ended(1)
	if err := b.over(); err == nil || !strings.Contains(err.Error(), "status 5") {
		t.Errorf("the host ends with %v", err)
	}
	ours := func() (pids []int) {
		for _, p := range processes(marker) {
			if line, _ := os.ReadFile("/proc/" + p + "/cmdline"); strings.Contains(string(line), "os._exit(5)") {
				n, _ := strconv.Atoi(p)
				pids = append(pids, n)
			}
		}
		return pids
	}
	b.check(eventually(func() error { // who was killed has ended a moment later
		for _, n := range ours() {
			if group, _ := unix.Getpgid(n); group == pid {
				return fmt.Errorf("process %d of the interpreter's group is left", n)
			}
		}
		return nil
	}))
	left := 0
	for _, n := range ours() {
		left++
		unix.Kill(n, unix.SIGKILL)
	}
	if left == 0 {
		t.Error("there is no child that holds the pipes")
	}
}

// An interpreter that dies between statements takes none along that somebody
// asks for: the host's end tells, and at once.
func TestDeathBetweenStatements(t *testing.T) {
	t.Parallel()
	longer := func(o *Options) { o.Linger = 10 * deadline }
	b := serve(t, real(), longer)
	b.run(1, "import os; os.write(2, b'no end of line')")
	b.check(unix.Kill(b.interpreter().PID, unix.SIGKILL))
	if err := b.over(); err == nil || !strings.Contains(err.Error(), "SIGKILL") || !strings.HasSuffix(err.Error(), "\nno end of line") {
		t.Errorf("the host ends with %v", err)
	}
	wantToldByEnd(b)

	g := newGate(t)
	b = serve(t, standIn("ready(); "+g.wait()+"; done(99)\ntime.sleep(1000)"), longer)
	b.interpreter()
	g.open(t)
	if err := b.over(); err == nil || !strings.Contains(err.Error(), "statement 99 is not running") {
		t.Errorf("the host ends with %v", err)
	}
}

// Nobody asks: the host ends by itself.
func TestDeathUnasked(t *testing.T) {
	t.Parallel()
	b := serve(t, standIn("os._exit(6)"))
	if err := b.over(); err == nil || !strings.Contains(err.Error(), "status 6") {
		t.Errorf("the host ends with %v", err)
	}
}

// An answer that was sent may not have been read: the next one who asks is told.
func TestHostStaysUntilItIsHeard(t *testing.T) {
	t.Parallel()
	b := serve(t, standIn("ready(); request(); os._exit(3)"), func(o *Options) { o.Linger = 10 * deadline })
	b.submit(1, "")
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", b.socket)
	}}}
	for _, path := range []string{"statements/1?after=9&wait=1m", "interpreter?wait=1m"} {
		answer, err := plain.Get("http://interpreter/v1/" + path)
		b.check(err)
		text, err := io.ReadAll(answer.Body)
		b.check(err)
		answer.Body.Close()
		if !strings.Contains(string(text), "exited with status 3") {
			t.Errorf("%s: %s", path, text)
		}
	}
	if s := b.ended(1); s.State != remora.StatementErrored {
		t.Errorf("the statement is %+v", s)
	}
	b.over()
}

// How a statement ended before the interpreter died must be known as well.
func TestHostStaysForWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	b := serve(t, real(), func(o *Options) { o.Linger = deadline })
	g := newGate(t)
	b.submit(1, "'kept'")
	b.submit(2, g.wait()+"; import os; os._exit(1)")
	g.open(t)
	b.check(eventually(func() error {
		if i, err := b.c.Interpreter(b.ctx(), 0); err != nil || i.Died == "" {
			return fmt.Errorf("it has not died: %+v, %v", i, err)
		}
		return nil
	}))
	b.submit(3, "3")
	if s := b.now(3); s.State != remora.StatementErrored {
		t.Errorf("a statement after the death is %+v", s)
	}
	select {
	case <-b.done:
		t.Fatal("the host has gone")
	default:
	}
	b.want(b.now(1), remora.StatementAvailable, "'kept'")
	b.over()
}
