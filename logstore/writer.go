package logstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/remora-project/remora"
)

// WriterOptions tune a Writer. The zero value of each field is its default.
type WriterOptions struct {
	FlushEvery  time.Duration // how long a line waits for others at most. 100 ms
	FlushBytes  int           // so many bytes do not wait. 64 KiB
	Quiet       time.Duration // after which an unfinished line is shown. 1 s
	BufferBytes int           // held in memory at most, what Go needs beside the text included. 8 MiB
	Stall       time.Duration // how long Write waits for a busy disk at most. 250 ms
}

// Writer stores what a process prints, line by line, each stamped when it
// arrives. Its producer is never held up for long: what there is no room for
// while the disk is full, or too slow, is dropped in whole lines and counted,
// and a line in the log says so once there is room again.
//
// Its methods may be called by several goroutines.
type Writer struct {
	opts          WriterOptions
	store         *Store
	group, stream string

	in       sync.Mutex // held by Write, for its whole time
	lines    lines
	wrote    time.Time // when Write was last called
	deadline time.Time // for it to return

	mu       sync.Mutex
	queue    []remora.LogEvent
	queued   int           // cost of the queue
	failure  error         // of the last Append, nil if it went through
	dropping bool          // until half of the buffer is free again
	lost     int           // lines since the last notice
	reason   string        // why
	room     chan struct{} // closed when the queue has become shorter

	wake    chan struct{} // there is something in the queue, or unfinished
	full    chan struct{} // there is enough in it to be written now
	closing chan struct{}
	done    chan struct{}
}

const (
	// eventCost is what a queued event costs beside its text.
	eventCost = 128
	// batchBytes is what the Writer appends at once at most; a longer batch makes
	// a block that costs a reader more.
	batchBytes = 512 << 10
	// closeWait is how long Close tries to store what is left.
	closeWait = 5 * time.Second
)

// NewWriter returns a Writer to a stream, which is made with the first line.
func NewWriter(store *Store, group, stream string, opts WriterOptions) *Writer {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&opts.FlushEvery, 100*time.Millisecond)
	def(&opts.Quiet, time.Second)
	def(&opts.Stall, 250*time.Millisecond)
	if opts.FlushBytes <= 0 {
		opts.FlushBytes = 64 << 10
	}
	if opts.BufferBytes <= 0 {
		opts.BufferBytes = 8 << 20
	}
	w := &Writer{opts: opts, store: store, group: group, stream: stream, room: make(chan struct{}),
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{})}
	w.lines.emit = w.enqueue
	go w.run()
	return w
}

// Write takes the next bytes. It never fails before Close and reports all of p
// as written, whatever becomes of it.
func (w *Writer) Write(p []byte) (int, error) {
	w.in.Lock()
	defer w.in.Unlock()
	select {
	case <-w.closing:
		return 0, remora.Errorf(remora.WrongState, "logstore: write", w.group+":"+w.stream, "the writer is closed")
	default:
	}
	w.wrote = w.store.now()
	w.deadline = time.Now().Add(w.opts.Stall)
	w.lines.write(p, w.wrote)
	nudge(w.wake)
	return len(p), nil
}

// awaitRoom waits for the queue to become shorter, or for the news that it does
// not; false once Write has waited for long enough. w.mu is held, but not
// meanwhile.
func (w *Writer) awaitRoom() bool {
	left := time.Until(w.deadline)
	if left <= 0 {
		return false
	}
	room := w.room
	w.mu.Unlock()
	defer w.mu.Lock()
	nudge(w.full)
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-room:
		return true
	case <-timer.C:
		return false
	}
}

// enqueue is where the lines come out; w.in is held.
func (w *Writer) enqueue(line string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cost := len(line) + eventCost
	full := func() bool { return w.queued > 0 && w.queued+cost > w.opts.BufferBytes }
	for full() && w.failure == nil && !w.dropping && w.awaitRoom() {
	}
	if w.dropping || full() {
		if w.lost == 0 {
			w.reason = because(w.failure)
		}
		w.dropping = true
		w.lost++
		return
	}
	w.queue = append(w.queue, remora.LogEvent{Timestamp: at, Message: line})
	w.queued += cost
	if w.queued >= w.opts.FlushBytes {
		nudge(w.full)
	}
}

// notice ends a time of dropping once half of the buffer is free again; w.mu is
// held.
func (w *Writer) notice(at time.Time) {
	if w.queued > w.opts.BufferBytes/2 {
		return
	}
	w.dropping = false
	if w.lost == 0 {
		return
	}
	lines := "lines"
	if w.lost == 1 {
		lines = "line"
	}
	m := fmt.Sprintf("remora: %s %s lost: %s", thousands(w.lost), lines, w.reason)
	w.queue = append(w.queue, remora.LogEvent{Timestamp: at, Message: m})
	w.queued += len(m) + eventCost
	w.lost = 0
}

// Close stores what is left, an unfinished line included, and ends the Writer.
// It tries for five seconds; Unavailable says what was lost.
func (w *Writer) Close() error {
	w.in.Lock()
	select {
	case <-w.closing:
	default:
		now := w.store.now()
		w.deadline = time.Now().Add(w.opts.Stall)
		w.lines.close(now)
		close(w.closing)
	}
	w.in.Unlock()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.queue) + w.lost; n > 0 {
		return remora.Unavailablef("logstore: close", w.group+":"+w.stream, "%s lines lost: %s", thousands(n), because(w.failure))
	}
	return nil
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// because says in a few words why lines were lost.
func because(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "they came faster than the disk takes them"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, errLocked), errors.Is(err, context.DeadlineExceeded):
		return "another process holds the log stream's lock"
	}
	return err.Error()
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
