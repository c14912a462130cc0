package logstore

import (
	"context"
	"time"

	"github.com/remora-project/remora"
)

// run is the Writer's other half: it takes lines off the queue and stores them.
func (w *Writer) run() {
	defer close(w.done)
	var quiet <-chan time.Time
	for {
		select {
		case <-w.wake:
		case <-quiet:
		case <-w.closing:
			w.finish()
			return
		}
		pause := time.NewTimer(w.opts.FlushEvery)
		select {
		case <-pause.C:
		case <-w.full:
		case <-w.closing:
		}
		pause.Stop()
		w.drain()
		quiet = w.unfinished()
	}
}

// unfinished shows an unfinished line that has been quiet for long enough, and
// returns when to look again; nil if nothing is unfinished.
func (w *Writer) unfinished() <-chan time.Time {
	if !w.in.TryLock() {
		return time.After(w.opts.Quiet) // being written to
	}
	defer w.in.Unlock()
	if !w.lines.pending() {
		return nil
	}
	left := w.opts.Quiet - w.store.now().Sub(w.wrote)
	if left > 0 {
		return time.After(min(left, w.opts.Quiet))
	}
	w.deadline = time.Time{} // this is who makes room: there is nobody to wait for
	w.lines.flush(w.store.now())
	nudge(w.wake)
	return nil
}

// drain stores all that is queued. Where that fails it tries again, less and
// less often, until it works or the Writer is closed.
func (w *Writer) drain() {
	pause := w.opts.FlushEvery
	for {
		more, err := w.flush(context.Background())
		if !more {
			return
		}
		if err == nil {
			pause = w.opts.FlushEvery
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			pause = min(2*pause, time.Second)
		case <-w.closing:
			timer.Stop()
			return
		}
	}
}

// finish stores what is left at the end, within closeWait.
func (w *Writer) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	for {
		more, err := w.flush(ctx)
		if !more {
			return
		}
		if err != nil {
			select {
			case <-time.After(w.opts.FlushEvery):
			case <-ctx.Done():
				return
			}
		}
	}
}

// flush stores one batch from the head of the queue, which stays there until it
// is stored. more says that the queue was not empty.
func (w *Writer) flush(ctx context.Context) (more bool, err error) {
	batch, cost := w.head()
	if len(batch) == 0 {
		return false, nil
	}
	err = w.store.Append(ctx, w.group, w.stream, batch)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failure = err
	if err == nil {
		w.queued -= cost
		clear(w.queue[:len(batch)]) // let go of the texts
		if w.queue = w.queue[len(batch):]; len(w.queue) == 0 {
			w.queue = nil
		}
		w.notice(w.store.now())
	}
	close(w.room) // room, or the news that there will not be any
	w.room = make(chan struct{})
	return true, err
}

// head returns a batch from the queue's head and what it costs there.
func (w *Writer) head() ([]remora.LogEvent, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cost, bytes := 0, 0
	for i, e := range w.queue {
		if bytes += len(e.Message) + 16; bytes > batchBytes && i > 0 {
			return w.queue[:i:i], cost
		}
		cost += len(e.Message) + eventCost
	}
	return w.queue, cost
}
