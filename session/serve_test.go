package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	info, err := os.Lstat(b.socket)
	b.check(err)
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket has mode %s", info.Mode())
	}
	b.want(b.run(1, "import os; os.environ.get('"+Socket+"'), os.read(0, 1)"), remora.StatementAvailable, "(None, b'')")
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		o    Options
		kind remora.Kind
	}{
		{Options{Socket: filepath.Join(dir, "s")}, remora.Invalid},
		{Options{Argv: real()}, remora.Invalid},
		{Options{Argv: real(), Socket: filepath.Join(dir, "none", "s")}, remora.Unavailable},
	} {
		if err := Serve(context.Background(), c.o); remora.KindOf(err) != c.kind {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// An idle interpreter, and one that runs a statement, end as Python does.
func TestStopInOrder(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		b := serve(t, real())
		b.run(1, "import atexit, time\natexit.register(print, 'at exit')")
		if busy {
			b.submit(2, "try:\n    print('in'); time.sleep(1000)\nfinally:\n    print('finally')")
			b.submit(3, "print('never')")
			b.says(2, "in")
		}
		b.stop()
		if err := b.over(); err != nil {
			t.Errorf("the host ends with %v", err)
		}
		log := b.out.String()
		if !strings.Contains(log, "at exit") || busy != strings.Contains(log, "finally") || strings.Contains(log, "never") {
			t.Errorf("busy %v: the log is %q", busy, log)
		}
	}
}

// One that ignores whatever can be ignored is killed, and a watcher hears it.
func TestStopOfStubborn(t *testing.T) {
	t.Parallel()
	b := serve(t, standIn(`
signal.signal(signal.SIGINT, lambda *_: say(1, "interrupted "))
signal.signal(signal.SIGTERM, lambda *_: say(1, "terminated "))
ready()
say(request()["id"], "in ")
while True: time.sleep(1)
`), func(o *Options) { o.StopGrace = 4 * time.Second })
	b.submit(1, "")
	b.submit(2, "")
	b.says(1, "in")
	type answer struct {
		s   Snapshot
		err error
	}
	watching := make(chan answer)
	begun := make(chan bool)
	for _, id := range []int{1, 2} {
		go func() {
			s, err := b.c.Statement(b.ctx(), id, 0, 0)
			begun <- true
			for err == nil && !s.State.Ended() {
				s, err = b.c.Statement(b.ctx(), id, s.Version, deadline)
			}
			watching <- answer{s, err}
		}()
	}
	<-begun
	<-begun
	b.stop()
	for range 2 {
		if a := <-watching; a.err != nil || a.s.State != remora.StatementErrored || !strings.Contains(a.s.Output.Error, "was stopped") {
			t.Errorf("the watcher hears %+v, %v", a.s, a.err)
		}
	}
	if err := b.over(); err != nil {
		t.Errorf("the host ends with %v", err)
	}
	if log := b.out.String(); log != "in interrupted terminated " {
		t.Errorf("the log is %q", log)
	}
}

// With the host goes the interpreter, whatever it does at that moment.
func TestKilledHostTakesTheInterpreterAlong(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		dir, err := os.MkdirTemp("", "remora")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		b := &bed{t: t, socket: filepath.Join(dir, "s")}
		b.c = b.client()
		mark := fmt.Sprintf("REMORA_KILLED=%s%d", filepath.Base(dir), sig)
		host := exec.Command(os.Args[0], append([]string{"host", b.socket}, standIn("ready()\nwhile True: time.sleep(1000)")...)...)
		host.Env = append(os.Environ(), mark)
		log, err := host.StdoutPipe()
		b.check(err)
		b.check(host.Start())
		b.check(eventually(func() error {
			i, err := b.c.Interpreter(b.ctx(), deadline)
			if err == nil && !i.Ready {
				err = errors.New("it is not ready")
			}
			return err
		}))
		if n := len(processes(mark)); n != 2 {
			t.Errorf("%d processes, not host and interpreter", n)
		}
		b.check(host.Process.Signal(sig))
		bufio.NewReader(log).ReadString(0)
		if err := host.Wait(); (err == nil) != (sig == syscall.SIGTERM) {
			t.Errorf("after %s the host ends with %v", sig, err)
		}
		b.check(eventually(func() error {
			if left := processes(mark); len(left) > 0 {
				return fmt.Errorf("processes %v are left", left)
			}
			return nil
		}))
	}
}

// Watching a statement takes one connection, not one for each version.
func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	var dials atomic.Int32
	b.c = NewClient("s", func(ctx context.Context) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, "unix", b.socket)
	})
	defer b.c.Close()
	for id := 1; id <= 10; id++ {
		b.run(id, "print('x' * 100000)")
		b.cancel(id)
		if err := b.c.Cancel(b.ctx(), 1000); remora.KindOf(err) != remora.NotFound {
			t.Error(err)
		}
	}
	if n := dials.Load(); n > 2 {
		t.Errorf("%d connections were made", n)
	}
}

func TestClientErrors(t *testing.T) {
	t.Parallel()
	nobody := NewClient("s", func(context.Context) (net.Conn, error) { return nil, errors.New("no route") })
	err := nobody.Submit(context.Background(), 1, "1")
	if remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), "no route") {
		t.Errorf("nobody answers: %v", err)
	}
	b := serve(t, real())
	g := newGate(t)
	b.submit(1, g.wait())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.c.Statement(ctx, 1, 1000, deadline); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a watch whose time is over: %v", err)
	}
	g.open(t)
	b.ended(1)
}
