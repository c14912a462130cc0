package session

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// pipe is our end of a pipe that the interpreter writes to. Everything that
// comes out goes to take, from one goroutine at a time.
type pipe struct {
	file *os.File
	conn syscall.RawConn
	take func([]byte)

	mu    sync.Mutex // held from reading to the end of take, so that the order stays
	buf   []byte
	taken int64 // bytes
}

// newPipe returns a pipe, and the other end for the interpreter.
func newPipe(take func([]byte)) (*pipe, *os.File, error) {
	r, w, err := pipeFiles(false)
	if err != nil {
		return nil, nil, err
	}
	conn, err := r.SyscallConn()
	if err != nil {
		return nil, nil, errors.Join(err, r.Close(), w.Close())
	}
	return &pipe{file: r, conn: conn, take: take, buf: make([]byte, 64<<10)}, w, nil
}

// pipeFiles makes a pipe both ends of which block, as programs expect, unless
// w is ours: then closing it ends a write.
func pipeFiles(oursToWrite bool) (r, w *os.File, err error) {
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(fd[1], oursToWrite); err != nil {
		unix.Close(fd[0])
		unix.Close(fd[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd[0]), "interpreter"), os.NewFile(uintptr(fd[1]), "interpreter"), nil
}

// catchUp returns when all that was in the pipe has been taken. It does not
// wait for more, and is not to be called from take.
func (p *pipe) catchUp() { p.catchUpTo(p.mark()) }

// mark is how much has come in until now, in bytes.
func (p *pipe) mark() (total int64) {
	p.conn.Control(func(fd uintptr) {
		p.mu.Lock()
		defer p.mu.Unlock()
		total = p.taken
		if waiting, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ); err == nil {
			total += int64(waiting)
		}
	})
	return total
}

// catchUpTo returns when what had come in at the mark has been taken, and
// takes nothing that came later.
func (p *pipe) catchUpTo(mark int64) {
	p.conn.Control(func(fd uintptr) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for p.taken < mark {
			n, err := unix.Read(int(fd), p.buf[:min(mark-p.taken, int64(len(p.buf)))])
			if n > 0 {
				p.taken += int64(n)
				p.take(p.buf[:n])
			} else if err != unix.EINTR {
				return
			}
		}
	})
}

// Close closes our end.
func (p *pipe) Close() error {
	if p == nil { // it could not be made
		return nil
	}
	return p.file.Close()
}

// readiness reads the pipe of events before any other: its writer waits until
// the others are empty before it writes, so what is in it is older than what is
// in them. The others it reads in the order in which something has come into
// them; epoll keeps that order, which Go's own poller reverses. What is printed
// to one and then to another stands like that in the output, if it does not
// come too fast.
type readiness struct {
	epoll, wake int // descriptors
	pipes       []*pipe
	ended       chan struct{} // closed when run has returned
}

func newReadiness(events *pipe, others ...*pipe) (*readiness, error) {
	pipes := append([]*pipe{events}, others...)
	r := &readiness{epoll: -1, wake: -1, pipes: pipes, ended: make(chan struct{})}
	var err error
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC)
	}
	if err == nil {
		err = r.add(r.wake, len(pipes))
	}
	for i, p := range pipes {
		if err == nil {
			err = r.add(int(p.file.Fd()), i)
		}
	}
	if err != nil {
		r.close()
		return nil, os.NewSyscallError("epoll", err)
	}
	return r, nil
}

func (r *readiness) add(fd, index int) error {
	return unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(index)})
}

// run reads until stop is called, and calls closed for each pipe that has no
// writer any more.
func (r *readiness) run(closed func(*pipe)) {
	defer close(r.ended)
	ready := make([]unix.EpollEvent, len(r.pipes)+1)
	for {
		n, err := unix.EpollWait(r.epoll, ready, -1)
		if err != nil && err != unix.EINTR {
			panic("session: " + os.NewSyscallError("epoll_wait", err).Error()) // a descriptor that was closed too early
		}
		for _, e := range ready[:max(n, 0)] {
			if int(e.Fd) == len(r.pipes) {
				return
			}
			p := r.pipes[e.Fd]
			mark := p.mark()
			if p != r.pipes[0] {
				r.pipes[0].catchUp() // what is older than the mark, or not in the pipe before it is empty
			}
			p.catchUpTo(mark)
			if e.Events&(unix.EPOLLIN|unix.EPOLLHUP) == unix.EPOLLHUP {
				unix.EpollCtl(r.epoll, unix.EPOLL_CTL_DEL, int(p.file.Fd()), nil)
				closed(p)
			}
		}
	}
}

// stop ends run: a child that the interpreter has left behind may hold the
// pipes open for ever.
func (r *readiness) stop() {
	unix.Write(r.wake, binary.NativeEndian.AppendUint64(nil, 1))
	<-r.ended
	r.close()
}

func (r *readiness) close() {
	unix.Close(r.epoll)
	unix.Close(r.wake)
}

// raw is one of the interpreter's descriptors 1 and 2: what C code, other
// programs and forked children print.
type raw struct {
	*pipe
	whole func(string)
	part  []byte // the beginning of a character
}

// newRaw calls whole with whole characters, as far as there are.
func newRaw(whole func(string)) (*raw, *os.File, error) {
	r := &raw{whole: whole}
	var err error
	var w *os.File
	r.pipe, w, err = newPipe(func(p []byte) {
		p = append(r.part, p...)
		n := len(p) - unfinished(p)
		r.part = append([]byte(nil), p[n:]...)
		if n > 0 {
			whole(string(p[:n]))
		}
	})
	return r, w, err
}

// flush is catchUp, and gives out what was begun of a character as well.
func (r *raw) flush() {
	r.catchUp()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.part) > 0 {
		r.whole(string(r.part))
		r.part = nil
	}
}

// unfinished is the number of bytes at the end that begin a character.
func unfinished(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if b := p[len(p)-n]; utf8.RuneStart(b) {
			if utf8.FullRune(p[len(p)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
