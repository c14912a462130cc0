package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Signals catches what ends a run, for Options.Signals.
func Signals() <-chan os.Signal {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup: a script inherits that
		signal.Notify(c, syscall.SIGHUP)
	}
	return c
}

// interruption is a signal that came before the script was started.
type interruption struct{ os.Signal }

func (i interruption) Error() string { return i.String() }

func (i interruption) status() int { return 128 + int(i.Signal.(syscall.Signal)) }

// untilSignal returns a context that a signal ends, with an interruption.
func untilSignal(ctx context.Context, signals <-chan os.Signal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-signals:
			cancel(interruption{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(context.Canceled)
		<-done
	}
}

// drive runs the script on the caller's terminal. A signal is passed on, and a
// script that has not ended after grace is killed. Not os/exec's context: the
// script decides what a signal means.
func drive(argv, env []string, grace time.Duration, signals <-chan os.Signal) (status int, err error) {
	// The parent death signal is tied to the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start the script: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var kill <-chan time.Time
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, fmt.Errorf("wait for the script: %w", err)
			}
			state := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if state.Signaled() {
				return 128 + int(state.Signal()), nil
			}
			return state.ExitStatus(), nil
		case s := <-signals:
			if s != syscall.SIGINT || !fromTerminal() {
				_ = cmd.Process.Signal(s)
			}
			if kill == nil {
				kill = time.After(grace)
			}
		case <-kill:
			_ = cmd.Process.Kill()
		}
	}
}

// fromTerminal reports whether Ctrl-C reaches the script without us: it is in
// our process group, which is the terminal's.
func fromTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
