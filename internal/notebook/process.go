package notebook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/remora-project/remora/internal/flock"
)

type command struct{ argv, env []string }

// process is a child in a session of its own: Ctrl-C on the terminal is for
// this program, which then ends its children in order.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when err is set
	err   error
}

// start starts a process that gets SIGTERM if this one dies.
func start(c command, dir string, out *os.File) (*process, error) {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.env, dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent death signal is tied to the thread that forks.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	return p, <-started
}

// startsWithin bounds how long a server or JupyterLab may take to be ready.
const startsWithin = 2 * time.Minute

// await waits until done says so.
func (p *process) await(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(startsWithin); !done(); {
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("it has ended: %v", p.cmd.ProcessState)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if time.Now().After(end) {
			return fmt.Errorf("it is not ready after %s", startsWithin)
		}
	}
	return nil
}

// end ends the process, and what it has started if it does not end in time.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(grace):
	}
	// The session's process group, also of what outlived its parent.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// hold keeps files locked against others, see remora.Runtime.Locks.
func hold(paths []string) (release func(), err error) {
	var files []*os.File
	release = func() {
		for _, f := range files {
			f.Close()
		}
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a cache that is read-only has no marks, and removes nothing
		}
		if err == nil {
			files = append(files, f)
			err = flock.Shared(f)
		}
		if err != nil {
			release()
			return nil, fmt.Errorf("keep the notebook's environment: %w", err)
		}
	}
	return release, nil
}
