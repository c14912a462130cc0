package supervise

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long the output of a driver is read after it has ended: a child that it
// left behind may hold the pipe open for ever.
const (
	drainQuiet = time.Second     // without a byte
	drainMax   = 5 * time.Second // in all
)

// pipeSize is what a pipe of Linux holds, so that one read empties it.
const pipeSize = 64 << 10

// output reads a driver's stdout and stderr into one log.
//
// The pipes say nothing about the order of what is in both. A program that
// speaks on both within the moment that it takes to wake a reader has mostly
// said why it ends last: what is in stdout goes ahead of what was read from
// stderr. All reading is done under one lock, or the two readers of a busy
// machine would pass each other between the read and the log.
type output struct {
	log            *mixer
	notes          []string // what went wrong with the log; set by drain
	stdout, stderr *source
	wg             sync.WaitGroup

	reading sync.Mutex

	mu   sync.Mutex
	hard time.Time // set once the driver has ended
}

// source is our end of one of the pipes.
type source struct {
	file *os.File
	raw  syscall.RawConn
	tail *LineTail // or nil
	buf  []byte
}

// openOutput returns, besides, the ends to give to the driver. What comes out
// of the others goes to the log, and stderr to tail as well.
func openOutput(log *mixer, tail *LineTail) (o *output, stdout, stderr *os.File, err error) {
	o = &output{log: log}
	if o.stdout, stdout, err = newSource(nil); err != nil {
		return nil, nil, nil, err
	}
	if o.stderr, stderr, err = newSource(tail); err != nil {
		o.stdout.file.Close()
		stdout.Close()
		return nil, nil, nil, err
	}
	o.wg.Go(func() { o.read(o.stdout) })
	o.wg.Go(func() { o.read(o.stderr) })
	return o, stdout, stderr, nil
}

func newSource(tail *LineTail) (*source, *os.File, error) {
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	unix.SetNonblock(fd[0], true) // ours can have a deadline; the driver's blocks, as programs expect
	s := &source{file: os.NewFile(uintptr(fd[0]), "driver output"), tail: tail, buf: make([]byte, pipeSize)}
	w := os.NewFile(uintptr(fd[1]), "driver output")
	raw, err := s.file.SyscallConn()
	if err != nil {
		s.file.Close()
		w.Close()
		return nil, nil, err
	}
	s.raw = raw
	return s, w, nil
}

// read copies a source to the log until its end, or until its time is over.
func (o *output) read(s *source) {
	defer s.file.Close()
	for ended := false; !ended; {
		err := s.raw.Read(func(fd uintptr) (done bool) {
			done, ended = o.readOnce(s, fd)
			return done
		})
		if err != nil { // what came before the deadline is in the pipe, if this process was slow
			s.raw.Control(func(fd uintptr) { o.readOnce(s, fd) })
			return
		}
	}
}

// readOnce does nothing if there is nothing to read.
func (o *output) readOnce(s *source, fd uintptr) (done, ended bool) {
	o.reading.Lock()
	defer o.reading.Unlock()
	n, err := unix.Read(int(fd), s.buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return err == unix.EINTR, false
	}
	if n <= 0 {
		return true, true
	}
	if s == o.stderr {
		o.catchUp()
	}
	o.take(s, s.buf[:n])
	return true, false
}

// catchUp takes what is in stdout now.
func (o *output) catchUp() {
	o.stdout.raw.Control(func(fd uintptr) { // not Read, which waits for the other reader
		if n, _ := unix.Read(int(fd), o.stdout.buf); n > 0 {
			o.take(o.stdout, o.stdout.buf[:n])
		}
	})
}

func (o *output) take(s *source, text []byte) {
	if s.tail != nil {
		s.tail.Write(text)
	}
	o.log.write(s.file, text)
	o.extend(s.file)
}

// extend gives the pipe of an ended driver more time after it has said something.
func (o *output) extend(r *os.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hard.IsZero() {
		return
	}
	t := time.Now().Add(drainQuiet)
	if t.After(o.hard) {
		t = o.hard
	}
	r.SetReadDeadline(t)
}

// drain returns when all output has been read or its time is over.
func (o *output) drain() {
	o.mu.Lock()
	o.hard = time.Now().Add(drainMax)
	o.mu.Unlock()
	o.extend(o.stdout.file)
	o.extend(o.stderr.file)
	o.wg.Wait()
	if err := o.log.close(); err != nil {
		o.notes = append(o.notes, logNote(err))
	}
}
