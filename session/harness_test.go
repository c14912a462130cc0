package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// deadline bounds what tests wait for, on a busy machine too.
const deadline = 3 * time.Minute

// python is the interpreter's path, not that of a script which looks for it.
var python string

// marker is in the environment of every process that the tests start.
var marker = fmt.Sprintf("REMORA_SESSION_TEST=%d", os.Getpid())

// TestMain is also the host: tests that kill one run the test binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "host" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := Serve(ctx, Options{Socket: os.Args[2], Argv: os.Args[3:]}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	name, value, _ := strings.Cut(marker, "=")
	os.Setenv(name, value)
	path, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "find Python:", err)
		os.Exit(1)
	}
	python = strings.TrimSpace(string(path))
	before := runtime.NumGoroutine()
	code := m.Run()
	left := eventually(func() error {
		if n := runtime.NumGoroutine(); n > before+1 { // one of os/signal may be new
			buf := make([]byte, 1<<20)
			return fmt.Errorf("%d goroutines are left of %d\n%s", n, before, buf[:runtime.Stack(buf, true)])
		}
		if all := processes(marker); len(all) > 0 {
			return fmt.Errorf("processes %v are left", all)
		}
		return nil
	})
	if code == 0 && left != nil {
		fmt.Fprintln(os.Stderr, left)
		code = 1
	}
	os.Exit(code)
}

// processes are those that have the variable in their environment, without
// this one.
func processes(variable string) (pids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		env, _ := os.ReadFile(path)
		pid := filepath.Base(filepath.Dir(path))
		if pid != fmt.Sprint(os.Getpid()) && bytes.Contains(append([]byte{0}, env...), append([]byte("\x00"+variable), 0)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// eventually returns nil as soon as f does, f's error at the deadline.
func eventually(f func() error) error {
	for end := time.Now().Add(deadline); ; time.Sleep(5 * time.Millisecond) {
		if err := f(); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// bed is a host at work.
type bed struct {
	t        testing.TB
	c        *Client
	socket   string
	out, err *buffer
	stop     context.CancelFunc
	done     chan struct{}
	end      error // of Serve, once done is closed
}

// real is the command of the real interpreter.
func real() []string {
	return []string{python, "-u", filepath.Join("..", "python", "remora", "session", "__main__.py")}
}

// standIn is an interpreter that does what the script says.
func standIn(script string) []string {
	return []string{python, "-u", "-c", `
import json, os, signal, sys, threading, time
requests, events = os.fdopen(3), os.fdopen(4, "w")
signal.signal(signal.SIGURG, lambda *_: None)
def send(**event): # at once: a signal handler may send another one in the middle
    os.write(4, json.dumps(event).encode() + b"\n")
def ready():
    send(event="ready", python="3.99", pid=os.getpid())
def request():
    return json.loads(requests.readline() or '{"op":"shutdown"}')
def done(id, **more):
    send(**{"event": "done", "id": id, "status": "ok", "data": None, **more})
def say(id, text):
    send(event="stream", id=id, name="stdout", text=text)
` + script}
}

func serve(t testing.TB, argv []string, set ...func(*Options)) *bed {
	t.Helper()
	dir, err := os.MkdirTemp("", "remora") // t's own may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, socket: filepath.Join(dir, "s"), out: &buffer{}, err: &buffer{}, done: make(chan struct{})}
	o := Options{Argv: argv, Socket: b.socket, Stdout: b.out, Stderr: b.err, Linger: 20 * time.Millisecond,
		CancelGrace: deadline / 2, StopGrace: deadline / 2}
	for _, f := range set {
		f(&o)
	}
	var ctx context.Context
	ctx, b.stop = context.WithCancel(context.Background())
	go func() {
		defer close(b.done)
		b.end = Serve(ctx, o)
	}()
	b.c = b.client()
	t.Cleanup(func() {
		b.stop()
		b.over()
		if _, err := os.Lstat(b.socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("stdout: %.2000s\nstderr: %.2000s", b.out, b.err)
		}
	})
	b.check(eventually(func() error { // its file is there before it listens
		conn, err := net.Dial("unix", b.socket)
		if err == nil {
			conn.Close()
		}
		return err
	}))
	return b
}

// client is a new control plane.
func (b *bed) client() *Client {
	c := NewClient("test", func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", b.socket)
	})
	b.t.Cleanup(c.Close)
	return c
}

func (b *bed) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// over waits for the end of Serve.
func (b *bed) over() error {
	b.t.Helper()
	select {
	case <-b.done:
	case <-time.After(deadline):
		buf := make([]byte, 1<<20)
		b.t.Fatalf("the host has not ended\n%s", buf[:runtime.Stack(buf, true)])
	}
	return b.end
}

func (b *bed) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bed) submit(id int, code string) {
	b.t.Helper()
	b.check(b.c.Submit(b.ctx(), id, code))
}

func (b *bed) cancel(id int) {
	b.t.Helper()
	b.check(b.c.Cancel(b.ctx(), id))
}

// now is the statement as it is.
func (b *bed) now(id int) Snapshot {
	b.t.Helper()
	s, err := b.c.Statement(b.ctx(), id, 0, 0)
	b.check(err)
	return s
}

// until watches a statement until its snapshot is as it should be.
func (b *bed) until(id int, what string, is func(Snapshot) bool) Snapshot {
	b.t.Helper()
	ctx := b.ctx()
	for after := int64(0); ; {
		s, err := b.c.Statement(ctx, id, after, 10*time.Second)
		if err != nil {
			b.t.Fatalf("statement %d is not %s: %v", id, what, err)
		}
		if is(s) {
			return s
		}
		if s.State.Ended() {
			b.t.Fatalf("statement %d is not %s but %+v", id, what, s)
		}
		after = s.Version
	}
}

func (b *bed) ended(id int) Snapshot {
	b.t.Helper()
	return b.until(id, "ended", func(s Snapshot) bool { return s.State.Ended() })
}

func (b *bed) says(id int, text string) Snapshot {
	b.t.Helper()
	return b.until(id, "saying "+text, func(s Snapshot) bool { return strings.Contains(s.Output.Text, text) })
}

// run submits a statement and returns how it ended.
func (b *bed) run(id int, code string) Snapshot {
	b.t.Helper()
	b.submit(id, code)
	return b.ended(id)
}

// want fails unless the statement has ended so, with that text.
func (b *bed) want(s Snapshot, state remora.StatementState, text string) {
	b.t.Helper()
	if s.State != state || s.Output.Text != text {
		b.t.Errorf("it is %s and says %q, want %s and %q: %+v", s.State, s.Output.Text, state, text, s.Output)
	}
}

// interpreter waits until it is ready or dead.
func (b *bed) interpreter() Interpreter {
	b.t.Helper()
	i, err := b.c.Interpreter(b.ctx(), deadline)
	b.check(err)
	return i
}

// gate is a named pipe: a statement that reads it waits until it is opened.
type gate struct{ path string }

func newGate(t testing.TB) gate {
	t.Helper()
	g := gate{filepath.Join(t.TempDir(), "gate")}
	if err := syscall.Mkfifo(g.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// wait is Python that waits for the gate.
func (g gate) wait() string { return fmt.Sprintf("open(%q).read()", g.path) }

func (g gate) open(t testing.TB) {
	t.Helper()
	err := eventually(func() error {
		f, err := os.OpenFile(g.path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil { // nobody reads yet
			return err
		}
		return f.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// buffer is bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var _ io.Writer = (*buffer)(nil)
