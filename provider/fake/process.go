package fake

import (
	"context"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
)

// process implements remora.Process.
type process struct {
	cluster *state
	id      string
	started time.Time // with its monotonic reading
	cmd     *exec.Cmd // nil if it could not be started
	ended   chan struct{}

	mu    sync.Mutex
	known bool // exit says how it ended
	exit  remora.Exit
}

// start runs a driver; s.mu is held.
func (s *state) start(d remora.Driver) *process {
	p := &process{cluster: s, id: d.ID, started: time.Now(), ended: make(chan struct{})}
	tail := &supervise.LineTail{}
	stdout := s.host.sink.Writer(s.spec.Logs.Prefix+"/"+remora.ScriptLog, s.spec.Logs.Stream)
	stderr := s.host.sink.Writer(s.spec.Logs.Prefix+"/"+remora.ScriptLog, s.spec.Logs.Stream)

	dir, err := s.workDir(d)
	if err == nil {
		cmd := exec.Command(d.Argv[0], d.Argv[1:]...)
		cmd.Dir = dir
		cmd.Env = supervise.Environ(s.spec.ID, supervise.BaseEnv(s.spec.ID, s.dir), s.spec.Runtime.Environment(), s.spec.Env, d.Env,
			map[string]string{supervise.SocketVariable: supervise.DriverSocket(s.dir, d.ID)})
		cmd.Stdout, cmd.Stderr = stdout, io.MultiWriter(stderr, tail)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		cmd.WaitDelay = drainTimeout
		if err = startOnThread(cmd); err == nil {
			p.cmd = cmd
		}
	}
	if err != nil {
		p.finish(remora.Exit{Code: -1, Error: "the driver could not be started: " + err.Error()})
		return p
	}
	go func() {
		p.cmd.Wait() // the state says more than its error
		stdout.Close()
		stderr.Close()
		status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		exit := remora.Exit{Code: status.ExitStatus(), Elapsed: time.Since(p.started), Tail: tail.Lines()}
		if status.Signaled() {
			exit.Signal = int(status.Signal())
		}
		if s.isLost() {
			close(p.ended) // with nobody there to see how
			return
		}
		p.finish(exit)
	}()
	return p
}

// forks is served by one thread that never ends: PR_SET_PDEATHSIG, by which a
// test that is killed takes its drivers with it, fires when the thread ends that
// forked.
var forks = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for fork := range c {
			fork()
		}
	}()
	return c
})

func startOnThread(cmd *exec.Cmd) error {
	result := make(chan error)
	forks() <- func() { result <- cmd.Start() }
	return <-result
}

func (p *process) finish(exit remora.Exit) {
	p.mu.Lock()
	p.exit, p.known = exit, true
	p.mu.Unlock()
	close(p.ended)
}

func (p *process) result() (remora.Exit, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit, p.known
}

// Wait implements remora.Process.
func (p *process) Wait(ctx context.Context) (remora.Exit, error) {
	select {
	case <-p.ended:
	case <-ctx.Done():
		return remora.Exit{}, ctx.Err()
	}
	exit, known := p.result()
	if !known {
		return exit, remora.Unavailablef("fake: wait", p.id, "the cluster is gone and nobody saw how the driver ended")
	}
	return exit, nil
}

// Stop implements remora.Process.
func (p *process) Stop(ctx context.Context, grace time.Duration) error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	group := p.cmd.Process.Pid
	syscall.Kill(-group, syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		syscall.Kill(-group, syscall.SIGKILL)
	}
	if err := supervise.SweepGroup(p.cluster.spec.ID, p.cluster.dir, group); err != nil {
		return remora.Internalf("fake: stop", p.id, "kill the driver's group: %w", err)
	}
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Elapsed implements remora.Process.
func (p *process) Elapsed(context.Context) (time.Duration, error) {
	if exit, known := p.result(); known {
		return exit.Elapsed, nil
	}
	return time.Since(p.started), nil
}
