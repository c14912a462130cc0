package session

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// closedGrace is how long an interpreter that has closed a pipe may take to end.
const closedGrace = 2 * time.Second

// listener hears what an interpreter says. It is called from several
// goroutines, and nothing of it after died.
type listener interface {
	event(event) error // an error means that the interpreter breaks the contract
	printed(stream, text string)
	died(why string)
}

// process is a Python interpreter, in a process group of its own.
type process struct {
	pid      int
	to       listener
	events   *pipe
	out, err *raw
	ready    *readiness   // of these three
	requests chan request // one statement and one shutdown at most, so sending never waits
	input    *os.File
	gone     chan struct{} // closed when it has been reaped
	kills    int64         // the kernel's count of kills for want of memory when it started

	mu     sync.Mutex // held while it is reaped or signalled, so that pid is never another's
	status *syscall.WaitStatus
	fault  string // why it was killed
}

// startProcess starts an interpreter and reports to l from then on.
func startProcess(argv []string, l listener) (*process, error) {
	p := &process{to: l, requests: make(chan request, 4), gone: make(chan struct{}), kills: memoryKills()}
	theirs, err := p.open()
	for _, f := range theirs {
		defer f.Close()
	}
	if err == nil {
		p.ready, err = newReadiness(p.events, p.out.pipe, p.err.pipe)
	}
	if err == nil {
		if err = p.fork(argv, theirs); err != nil {
			p.ready.close()
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	go p.run()
	return p, nil
}

// open makes the pipes, and returns the interpreter's descriptors from 0 on.
func (p *process) open() (theirs []*os.File, err error) {
	add := func(f *os.File, e error) {
		if e != nil {
			err = e
		} else {
			theirs = append(theirs, f)
		}
	}
	cut := lines{line: p.line}
	add(os.Open(os.DevNull))
	var f, in *os.File
	var e error
	p.out, f, e = newRaw(func(s string) { p.to.printed(stdout, s) })
	add(f, e)
	p.err, f, e = newRaw(func(s string) { p.to.printed(stderr, s) })
	add(f, e)
	in, p.input, e = pipeFiles(true)
	add(in, e)
	p.events, f, e = newPipe(func(b []byte) {
		if err := cut.write(b); err != nil {
			p.kill("it sent what is not an event: " + err.Error())
		}
	})
	add(f, e)
	return theirs, err
}

func (p *process) line(line []byte) error {
	e, err := decodeEvent(line)
	if err == nil {
		if e.Event == "done" { // what it printed before belongs to the statement
			p.settle()
		}
		err = p.to.event(e)
	}
	if err != nil {
		return fmt.Errorf("%w: %.200q", err, line)
	}
	return nil
}

// settle returns when the listener has heard all that is in the pipes of
// descriptors 1 and 2.
func (p *process) settle() {
	p.out.flush()
	p.err.flush()
}

// fork starts it. PR_SET_PDEATHSIG fires when the thread ends that forked, not
// the process; hence the thread is kept until the child has been reaped.
func (p *process) fork(argv []string, files []*os.File) error {
	attr := &syscall.ProcAttr{Env: slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, Socket+"=") }),
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var err error
		p.pid, err = syscall.ForkExec(argv[0], argv, attr)
		if err != nil {
			started <- &os.PathError{Op: "exec", Path: argv[0], Err: err}
			return
		}
		started <- nil
		p.reap()
	}()
	err := <-started
	runtime.KeepAlive(files)
	return err
}

// reap waits for its end, and ends what it has left in its group.
func (p *process) reap() {
	for unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	syscall.Kill(-p.pid, syscall.SIGKILL)
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(p.pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	p.status = &status
	close(p.gone)
}

// run sees it to its end. What it has said until then is in the pipes, so
// nothing need be waited for once it is gone.
func (p *process) run() {
	var busy sync.WaitGroup
	busy.Go(p.write)
	busy.Go(func() {
		p.ready.run(func(closed *pipe) {
			if closed == p.events {
				busy.Go(func() { p.killUnlessGone("it closed its pipe of events") })
			}
		})
	})
	<-p.gone
	p.ready.stop()
	p.events.catchUp()
	p.settle()
	p.close()
	busy.Wait()
	p.to.died(p.obituary())
}

// send makes a request.
func (p *process) send(r request) { p.requests <- r }

// write passes requests on. The interpreter may take its time to read them.
func (p *process) write() {
	for {
		select {
		case <-p.gone:
			return
		case r := <-p.requests:
			line, err := json.Marshal(r)
			if err == nil {
				_, err = p.input.Write(append(line, '\n'))
			}
			if err != nil {
				p.killUnlessGone("it does not take requests: " + err.Error())
				return
			}
		}
	}
}

// signal signals it, or its whole group.
func (p *process) signal(sig syscall.Signal, group bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status != nil {
		return
	}
	if group {
		syscall.Kill(-p.pid, sig)
	} else {
		syscall.Kill(p.pid, sig)
	}
}

// killUnlessGone is for what may be a sign that it is ending by itself.
func (p *process) killUnlessGone(reason string) {
	timer := time.NewTimer(closedGrace)
	defer timer.Stop()
	select {
	case <-p.gone:
	case <-timer.C:
		p.kill(reason)
	}
}

// kill ends it, for a reason that the obituary gives.
func (p *process) kill(reason string) {
	p.mu.Lock()
	if p.fault == "" && p.status == nil {
		p.fault = reason
	}
	p.mu.Unlock()
	p.signal(syscall.SIGKILL, true)
}

// close closes our ends of the pipes.
func (p *process) close() {
	for _, f := range []io.Closer{p.input, p.events, p.out, p.err} {
		f.Close()
	}
}
