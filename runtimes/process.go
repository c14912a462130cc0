package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a subprocess of a build. It gets a process group of its own, which
// is killed as a whole when ctx ends, and dies with Remora.
type process struct {
	argv []string
	dir  string
	env  []string
	lock *lock             // kept by the process and its children while any of them lives; may be nil
	line func(line string) // called for every line of stderr; may be nil
}

// failure is how a process failed, in its own words.
type failure struct {
	argv0 string
	tail  []string // last lines of stderr
	err   error
}

func (f *failure) Error() string {
	if len(f.tail) == 0 {
		return f.argv0 + ": " + f.err.Error()
	}
	tail := f.tail
	for i, line := range f.tail {
		// What uv and pip print before it is progress.
		if len(line) > 6 && strings.EqualFold(line[:6], "error:") {
			tail = append([]string{strings.TrimSpace(line[6:])}, f.tail[i+1:]...)
			break
		}
	}
	return strings.Join(tail, "\n")
}

func (f *failure) Unwrap() error { return f.err }

// tailLines is how much of stderr an error carries.
const tailLines = 12

// run runs the process to its end and returns its standard output. The error is
// a *failure, or ctx's cause.
func (p process) run(ctx context.Context) ([]byte, error) {
	// The parent death signal is tied to the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	var stdout bytes.Buffer
	stderr := &lines{each: p.line}
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.Stdout, cmd.Stderr = &stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	if p.lock != nil {
		cmd.ExtraFiles = []*os.File{p.lock.file}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // for a child that keeps the pipes
	err := cmd.Run()
	stderr.end()
	if err == nil {
		return stdout.Bytes(), nil
	}
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what the leader left behind
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, &failure{argv0: p.argv[0], tail: stderr.tail, err: err}
}

// lines is a writer that splits what it gets into lines and keeps the last ones.
type lines struct {
	each func(string)
	mu   sync.Mutex
	part []byte
	tail []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, b...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 {
			return len(b), nil
		}
		l.add(string(l.part[:i]))
		l.part = l.part[i+1:]
	}
}

// end takes what came after the last line's end for a line.
func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.add(string(l.part))
		l.part = nil
	}
}

func (l *lines) add(line string) {
	line = strings.TrimRight(line, "\r")
	if strings.TrimSpace(line) == "" {
		return
	}
	l.tail = append(l.tail, line)
	if len(l.tail) > tailLines {
		l.tail = l.tail[1:]
	}
	if l.each != nil {
		l.each(line)
	}
}

// cleanEnviron is an environment without what would lead an interpreter to
// modules that are not its own.
func cleanEnviron(env []string) []string {
	return without(env, "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONPYCACHEPREFIX",
		"VIRTUAL_ENV", "CONDA_PREFIX")
}

// without returns env less the named variables.
func without(env []string, names ...string) []string {
	kept := make([]string, 0, len(env))
next:
	for _, e := range env {
		for _, n := range names {
			if strings.HasPrefix(e, n+"=") {
				continue next
			}
		}
		kept = append(kept, e)
	}
	return kept
}

// exited reports whether err is that of a process that ran and ended with a
// status other than zero.
func exited(err error) bool {
	var e *exec.ExitError
	return errors.As(err, &e)
}

// seconds is a duration for a person.
func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }
