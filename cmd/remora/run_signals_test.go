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

// waits is a script that says when it is ready and counts what interrupts it.
const waits = `
import signal, sys, time
import ray
def terminated(*_):
    print("terminated", flush=True)
    sys.exit(6)
ray.init()
signal.signal(signal.SIGTERM, terminated) # not before: Ray sets its own
interrupts = 0
end = time.monotonic() + 120
while time.monotonic() < end:
    try:
        if not interrupts:
            print("ready", flush=True)
        # Not one long sleep: a signal just before it would not end it.
        for _ in range(10 if interrupts else 1200):
            time.sleep(0.1)
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

func (b *runBed) start(script string, terminal bool, by ...string) *process {
	t := b.t
	t.Helper()
	argv := append(by, testenv.Remora(t), "--config", b.config("[runs]\ngrace = \"3m\"\n"), "run", script)
	cmd := exec.Command(argv[0], argv[1:]...)
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

func (b *runBed) config(text string) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
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

// A signal to the program alone reaches the script too, unless nohup has it
// ignored.
func TestRunTerminated(t *testing.T) {
	b := newRunBed(t)
	p := b.start(b.script("waits.py", waits), false, "nohup")
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := p.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	p.await(t, "terminated")
	if code := p.end(t); code != 6 {
		t.Errorf("exit code %d", code)
	}
	b.wantNothingLeft()
}

// A script that takes no notice is killed when the grace is over.
func TestRunOfAStubbornScript(t *testing.T) {
	b := newRunBed(t)
	cmd := exec.Command(testenv.Remora(t), "--config", b.config("[runs]\ngrace = \"100ms\"\n"), "run", b.script("stubborn.py", `
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: time.sleep(1)
`))
	cmd.Env = b.env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := b.run(cmd, out)
	p.await(t, "ready")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.end(t); code != 128+int(syscall.SIGKILL) {
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
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	places, _ := filepath.Glob(filepath.Join(cache, "remora", "local", "run-*"))
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
