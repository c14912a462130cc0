package session

import (
	"fmt"
	"os"
	"strings"
	"syscall"
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
		"many threads": {"import ctypes, threading, time\nfor i in range(90): threading.Thread(target=lambda: time.sleep(99)).start()\nctypes.string_at(0)", []string{"Fatal Python error: Segmentation fault\n\n"}},
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
		})
	}
}

func TestCauseOfDeath(t *testing.T) {
	t.Parallel()
	killed := syscall.WaitStatus(unix.SIGKILL)
	for _, c := range []struct {
		status syscall.WaitStatus
		fault  string
		memory bool
		says   string
	}{
		{0x0300, "", false, "exited with status 3"},
		{0x0300, "it is bad", true, "exited with status 3"},
		{killed, "it is bad", true, "killed because it is bad"},
		{killed, "", false, "the usual reason"},
		{killed, "", true, "the kernel has killed for want of memory"},
		{syscall.WaitStatus(unix.SIGTERM), "", true, "ended by SIGTERM (terminated)"},
	} {
		if got := causeOfDeath(c.status, c.fault, c.memory); !strings.Contains(got, c.says) {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if data, err := os.ReadFile("/proc/vmstat"); err == nil && strings.Contains(string(data), "oom_kill") {
		var want int64
		_, after, _ := strings.Cut(string(data), "\noom_kill ")
		fmt.Sscan(after, &want)
		if got := memoryKills(); got < want {
			t.Errorf("the kernel has killed %d, not %d", want, got)
		}
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
	if i := b.interpreter(); !strings.Contains(i.Died, "exited with status 0") {
		// It may be asked while it is still ready.
		b.check(eventually(func() error {
			if i, err := b.c.Interpreter(b.ctx(), 0); err != nil || i.Died == "" {
				return fmt.Errorf("it has not died: %+v, %v", i, err)
			}
			return nil
		}))
	}
	b.over()
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
		"binary garbage":    {standIn("ready(); os.write(4, os.urandom(1000) + b'\\n')" + idle), "not an event"},
		"ready twice":       {standIn("ready(); ready()" + idle), "ready twice"},
		"done unasked":      {standIn("ready(); done(99)" + idle), "statement 99 is not running"},
		"done with another": {standIn("ready(); request(); done(7)" + idle), "statement 7 is not running"},
		"an endless line":   {standIn("ready()\nwhile True: os.write(4, b'x' * 1000000)"), "a line of more than"},
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
	left := 0
	for _, p := range processes(marker) {
		stat, _ := os.ReadFile("/proc/" + p + "/cmdline")
		if !strings.Contains(string(stat), "os._exit(5)") {
			continue
		}
		left++
		var n int
		fmt.Sscan(p, &n)
		if group, _ := unix.Getpgid(n); group == pid {
			t.Errorf("process %d of the interpreter's group is left", n)
		}
		unix.Kill(n, unix.SIGKILL)
	}
	if left == 0 {
		t.Error("there is no child that holds the pipes")
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
