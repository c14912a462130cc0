package supervise

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
)

// children starts and reaps all child processes of the supervisor.
//
// A subreaper inherits orphans and must reap them, with wait4(-1). That would
// snatch the exit status of a child from os/exec, which waits for one pid, so
// os/exec is not used at all: the one loop reaps whoever ended and hands the
// status to whoever started it. mu is held while a child is forked and entered
// (so that its end is never seen before its entry) and while children are
// reaped or signalled (so that a pid in live is that child, not its successor).
//
// PR_SET_PDEATHSIG fires when the thread ends that forked, not the process.
// Hence one goroutine, locked to a thread that lives as long as the process,
// does all forking.
type children struct {
	mu    sync.Mutex
	live  map[int]*child
	forks chan func()
}

// child is a process that start made. done is closed once it has been reaped;
// status is valid from then on.
type child struct {
	pid    int
	all    *children
	done   chan struct{}
	status syscall.WaitStatus
}

func newChildren() *children {
	c := &children{live: map[int]*child{}, forks: make(chan func())}
	ended := make(chan os.Signal, 1) // one pending notice stands for any number
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			c.reap()
		}
	}()
	go func() {
		runtime.LockOSThread()
		for fork := range c.forks {
			fork()
		}
	}()
	return c
}

// start executes argv in a process group of its own. files are its descriptors
// from 0 on; all others are closed on exec.
func (c *children) start(argv, env []string, dir string, files []*os.File) (*child, error) {
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	attr := &syscall.ProcAttr{Dir: dir, Env: env, Files: fds,
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}}
	ch := &child{all: c, done: make(chan struct{})}
	result := make(chan error)
	c.forks <- func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		pid, err := syscall.ForkExec(argv[0], argv, attr)
		if err == nil {
			ch.pid = pid
			c.live[pid] = ch
		}
		result <- err
	}
	err := <-result
	runtime.KeepAlive(files)
	if err != nil {
		return nil, &os.PathError{Op: "exec", Path: argv[0], Err: err}
	}
	return ch, nil
}

// reap collects every child that has ended, our own and adopted ones.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if ch := c.live[pid]; ch != nil {
			delete(c.live, pid)
			ch.status = status
			close(ch.done)
		}
	}
}

// signalGroup signals the child's process group, if the child has not been
// reaped: after that its group's number may be another's.
func (ch *child) signalGroup(sig syscall.Signal) {
	ch.all.mu.Lock()
	defer ch.all.mu.Unlock()
	if ch.all.live[ch.pid] == ch {
		syscall.Kill(-ch.pid, sig)
	}
}

func (ch *child) ended() bool {
	select {
	case <-ch.done:
		return true
	default:
		return false
	}
}
