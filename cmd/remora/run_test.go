package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remora-project/remora/internal/testenv"
	"golang.org/x/sys/unix"
)

// runBed is a place for scripts to run in that sees what they leave.
type runBed struct {
	t   *testing.T
	tmp string // short: sockets are below it
	env []string
}

func newRunBed(t *testing.T) *runBed {
	t.Helper()
	want(t, testenv.Run(t, testenv.Environ(t), "runtime", "build", "Ray2.60"), 0)
	tmp, err := os.MkdirTemp("/tmp", "rr-")
	if err != nil {
		t.Fatal(err)
	}
	b := &runBed{t: t, tmp: tmp, env: testenv.Environ(t, "TMPDIR="+tmp, "GREETING=hello")}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	return b
}

func (b *runBed) script(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// left lists processes of this bed's clusters and files in its folder.
func (b *runBed) left() []string {
	var left []string
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, e := range environs {
		env, _ := os.ReadFile(e)
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(e), "cmdline"))
		if bytes.Contains(env, []byte("REMORA_CLUSTER=local_")) && bytes.Contains(append(env, line...), []byte(b.tmp)) {
			left = append(left, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	files, err := os.ReadDir(b.tmp)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range files {
		left = append(left, f.Name())
	}
	return left
}

func (b *runBed) wantNothingLeft() {
	b.t.Helper()
	if left := b.left(); len(left) > 0 {
		b.t.Errorf("left behind: %q", left)
	}
}

func TestRun(t *testing.T) {
	b := newRunBed(t)
	script := b.script("job.py", `
import os, subprocess, sys
import humanize, ray

@ray.remote(runtime_env={"env_vars": {"OWN": "1"}})
def task():
    return os.getcwd(), os.environ["GREETING"], os.environ["in-put"], humanize.intcomma(1234567), os.environ["OWN"]

ray.init()
assert ray.get(task.remote()) == (os.getcwd(), "hello", "x=y", "1,234,567", "1"), ray.get(task.remote())
subprocess.Popen(["sleep", "3600"], start_new_session=True)  # a daemon
print("arguments", sys.argv[1:])
print("an error", file=sys.stderr)
sys.exit(7)
`)
	r := testenv.Run(t, b.env, "run", "--pip", "humanize==4.9.0", "--env", "in-put=x=y", script, "--flag", "-x", "--", "run")
	if r.Code != 7 || r.Stdout != "arguments ['--flag', '-x', '--', 'run']\n" || !strings.Contains(r.Stderr, "an error\n") {
		t.Errorf("exit code %d, output %q, errors:\n%s", r.Code, r.Stdout, r.Stderr)
	}
	b.wantNothingLeft()
}

func TestRunFailures(t *testing.T) {
	b := newRunBed(t)
	syntax := b.script("syntax.py", "def f(:\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"no script", []string{filepath.Join(b.tmp, "missing.py")}, 2, "no such file"},
		{"a folder", []string{t.TempDir()}, 2, "is a folder"},
		{"no such runtime", []string{"--runtime", "Ray1", syntax}, 1, "Runtime Ray1 is not supported; supported: Ray2.4, Ray2.60"},
		{"no such engine", []string{"--engine", "warp", syntax}, 2, "--engine"},
		{"another ray", []string{"--pip", "ray==2.9", syntax}, 1, "cannot be replaced"},
		{"a syntax error", []string{"--runtime", "Ray2.4", syntax}, 1, "SyntaxError"},
		{"killed", []string{b.script("killed.py", "import os\nos.kill(os.getpid(), 9)\n")}, 128 + 9, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			want(t, testenv.Run(t, b.env, append([]string{"run"}, c.args...)...), c.code, c.text)
			b.wantNothingLeft()
		})
	}
}

// waits is a script that says when it is ready and counts what interrupts it.
const waits = `
import signal, sys, time
import ray
def terminated(*_):
    print("terminated", flush=True)
    sys.exit(6)
ray.init()
signal.signal(signal.SIGTERM, terminated) # not before: Ray sets its own
print("ready", flush=True)
interrupts = 0
end = time.monotonic() + 120
while time.monotonic() < end:
    try:
        time.sleep(1 if interrupts else 120)
        if interrupts:
            print("interrupts:", interrupts, flush=True)
            sys.exit(5)
    except KeyboardInterrupt:
        interrupts += 1
`

// process is a `remora run` that has printed "ready".
type process struct {
	*exec.Cmd
	output *bufio.Reader
	ended  chan struct{}
}

func (b *runBed) start(script string, terminal bool) *process {
	t := b.t
	t.Helper()
	cmd := exec.Command(testenv.Remora(t), "run", script)
	cmd.Env = b.env
	var out io.Reader
	if terminal {
		master, slave := pty(t)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		out = master
		cmd.ExtraFiles = nil
		defer slave.Close()
		p := b.run(cmd, out)
		p.await(t, "ready")
		if _, err := master.Write([]byte{3}); err != nil { // Ctrl-C
			t.Fatal(err)
		}
		return p
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := b.run(cmd, pipe)
	p.await(t, "ready")
	return p
}

func (b *runBed) run(cmd *exec.Cmd, out io.Reader) *process {
	b.t.Helper()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	p := &process{cmd, bufio.NewReader(out), make(chan struct{})}
	b.t.Cleanup(func() { cmd.Process.Kill() })
	return p
}

// await reads on until a line has the text.
func (p *process) await(t *testing.T, text string) string {
	t.Helper()
	timer := time.AfterFunc(testenv.Deadline, func() { p.Process.Kill() })
	defer timer.Stop()
	var all strings.Builder
	for {
		line, err := p.output.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return line
		}
		if err != nil {
			t.Fatalf("the output ends (%v) without %q:\n%s", err, text, &all)
		}
	}
}

// end waits for the end and returns the exit code.
func (p *process) end(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(testenv.Deadline, func() { p.Process.Kill() })
	defer timer.Stop()
	go io.Copy(io.Discard, p.output)
	_ = p.Wait()
	return p.ProcessState.ExitCode()
}

// pty opens a pseudo-terminal.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// On a terminal Ctrl-C reaches the script once, which decides what it means.
func TestRunCtrlC(t *testing.T) {
	b := newRunBed(t)
	p := b.start(b.script("waits.py", waits), true)
	if line := p.await(t, "interrupts:"); strings.TrimSpace(strings.TrimPrefix(line, "^C")) != "interrupts: 1" {
		t.Errorf("the script says %q", line)
	}
	if code := p.end(t); code != 5 {
		t.Errorf("exit code %d", code)
	}
	b.wantNothingLeft()
}

// A signal to the program alone reaches the script too.
func TestRunTerminated(t *testing.T) {
	b := newRunBed(t)
	p := b.start(b.script("waits.py", waits), false)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "terminated")
	if code := p.end(t); code != 6 {
		t.Errorf("exit code %d", code)
	}
	b.wantNothingLeft()
}

// A signal before the script is there ends all the same.
func TestRunInterruptedEarly(t *testing.T) {
	b := newRunBed(t)
	cmd := exec.Command(testenv.Remora(t), "run", b.script("waits.py", waits))
	cmd.Env = b.env
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return len(b.left()) > 1 }, "no supervisor of a cluster was started")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || strings.Contains(out.String(), "ready") {
		t.Errorf("exit code %d, output:\n%s", code, out)
	}
	b.wantNothingLeft()
}

// Killed, the program takes its script along, and the cluster's supervisor
// notices that nobody wants the cluster any more.
func TestRunKilled(t *testing.T) {
	b := newRunBed(t)
	p := b.start(b.script("waits.py", waits), false)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.end(t)
	gone := func() bool {
		for _, l := range b.left() {
			if strings.Contains(l, " ") { // a command line; the folder's is the next run's to remove
				return false
			}
		}
		return true
	}
	eventually(t, gone, "the cluster has not ended: %q", b.left())
	want(t, testenv.Run(t, b.env, "run", b.script("nothing.py", "")), 0)
	places, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".cache/remora/local/run-*"))
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(place, "logs")); err == nil && unlocked(place) {
			t.Errorf("%s is left", place)
		}
	}
}

func unlocked(place string) bool {
	f, err := os.Open(filepath.Join(place, "lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
