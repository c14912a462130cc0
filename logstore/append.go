package logstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

// lockWait is how long an Append waits for other writers of its stream.
const lockWait = 10 * time.Second

// maxOpen is how many streams a Store keeps open for writing.
const maxOpen = 256

var (
	errLocked = errors.New("another process has held the stream's lock for " + lockWait.String())
	errGone   = errors.New("the stream has been deleted meanwhile")
)

// stream is a writer's handle of one stream. What it remembers of the newest
// segment is compared with the file, under the lock, before each Append.
type stream struct {
	busy chan struct{} // holds one while the handle is in use
	path string
	dir  *os.File // flocked by whoever writes

	seg  *segment // the newest; nil: not known
	end  int64    // of its whole blocks
	next uint64   // sequence number of the next event
	last int64    // ms; timestamps do not go below
}

// Append implements remora.Logs. The whole batch is one block, which is at most
// 64 MiB and at most half of Options.StreamBytes; Invalid beyond.
func (s *Store) Append(ctx context.Context, group, name string, events []remora.LogEvent) error {
	const op = "Append"
	if err := errors.Join(checkName(op, "log group", group), checkName(op, "log stream", name)); err != nil {
		return remora.Invalidf(op, group+":"+name, "%w", err)
	}
	if len(events) == 0 {
		return nil
	}
	now := s.now().UnixMilli()
	messages, ms, size := make([]string, len(events)), make([]int64, len(events)), int64(0)
	for i, e := range events {
		messages[i], ms[i] = cutMessage(e.Message), now
		if !e.Timestamp.IsZero() {
			ms[i] = max(0, e.Timestamp.UnixMilli())
		}
		size += int64(len(messages[i])) + 16
	}
	if limit := min(maxPayload, s.opts.StreamBytes/2); size > limit {
		return remora.Invalidf(op, group+":"+name, "a batch of %d bytes is more than the %d that are written at once; "+
			"split it", size, limit)
	}
	for {
		err := s.write(ctx, group, name, true, func(st *stream) error { return st.append(s.opts, now, ms, messages) })
		if errors.Is(err, errGone) {
			continue
		}
		return failed(op, group+":"+name, err)
	}
}

// write calls do with a stream's handle, locked and up to date; if the stream is
// not there it is made or, without create, errGone.
func (s *Store) write(ctx context.Context, group, name string, create bool, do func(*stream) error) error {
	st, err := s.open(ctx, group, name, create)
	if err != nil {
		return err
	}
	defer func() { <-st.busy }()
	if err := st.lock(ctx); err != nil {
		return err
	}
	defer func() {
		if st.dir != nil {
			syscall.Flock(int(st.dir.Fd()), syscall.LOCK_UN)
		}
	}()
	if err := st.check(); err != nil {
		s.forget(st)
		return err
	}
	err = st.refresh(s.opts)
	if err == nil {
		err = do(st)
	}
	if err != nil {
		st.release() // look anew next time
	}
	return err
}

// open returns the handle of a stream, busy.
func (s *Store) open(ctx context.Context, group, name string, create bool) (*stream, error) {
	path := s.streamPath(group, name)
	for {
		s.mu.Lock()
		st := s.streams[path]
		s.mu.Unlock()
		if st == nil {
			dir, err := s.openDir(path, group, name, create)
			if err != nil {
				return nil, err
			}
			fresh := &stream{busy: make(chan struct{}, 1), path: path, dir: dir}
			s.mu.Lock()
			if st = s.streams[path]; st == nil {
				st, s.streams[path] = fresh, fresh
				s.evict(st)
			} else {
				dir.Close()
			}
			s.mu.Unlock()
		}
		select {
		case st.busy <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if st.dir != nil {
			return st, nil
		}
		<-st.busy // it was closed while this one waited for it
		s.mu.Lock()
		if s.streams[path] == st {
			delete(s.streams, path)
		}
		s.mu.Unlock()
	}
}

// openDir opens a stream's directory. The loop ends: it goes on only where
// somebody deleted what was just made.
func (s *Store) openDir(path, group, name string, create bool) (*os.File, error) {
	for {
		dir, err := os.Open(path)
		if !errors.Is(err, os.ErrNotExist) {
			return dir, err
		}
		if !create {
			return nil, errGone
		}
		_, err = s.place(path, "stream.json", record{Name: name, CreatedOn: s.now()})
		if errors.Is(err, os.ErrNotExist) {
			_, err = s.place(s.groupPath(group), "group.json", record{Name: group, CreatedOn: s.now()}, "streams")
		}
		if err != nil {
			return nil, err
		}
	}
}

// evict closes idle handles where there are too many; s.mu is held.
func (s *Store) evict(keep *stream) {
	for path, st := range s.streams {
		if len(s.streams) <= maxOpen {
			return
		}
		if st == keep {
			continue
		}
		select {
		case st.busy <- struct{}{}:
			st.close()
			delete(s.streams, path)
			<-st.busy
		default:
		}
	}
}

// forget closes a busy handle whose stream is gone.
func (s *Store) forget(st *stream) {
	s.mu.Lock()
	if s.streams[st.path] == st {
		delete(s.streams, st.path)
	}
	s.mu.Unlock()
	st.close()
}

func (st *stream) close() {
	st.release()
	if st.dir != nil {
		st.dir.Close()
		st.dir = nil
	}
}

func (st *stream) release() {
	if st.seg != nil {
		st.seg.close()
		st.seg = nil
	}
}

// lock takes the flock, in steps, so that a stopped process that holds it does
// not hold its peers for ever.
func (st *stream) lock(ctx context.Context) error {
	deadline := time.Now().Add(lockWait)
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		err := syscall.Flock(int(st.dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return err
		case time.Now().After(deadline):
			return errLocked
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// check makes sure that the locked directory is the one at the stream's path.
func (st *stream) check() error {
	mine, err := st.dir.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(st.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(mine, there) {
		return errGone
	}
	return err
}

// cutMessage makes a message that can be stored: at most MaxMessageBytes of
// UTF-8.
func cutMessage(m string) string {
	m = strings.ToValidUTF8(m, "\uFFFD")
	if len(m) <= remora.MaxMessageBytes {
		return m
	}
	n := remora.MaxMessageBytes
	for !utf8.RuneStart(m[n]) {
		n--
	}
	return m[:n]
}

// created returns when the stream was made, in µs: the sequence number of its
// first event, so that events and tokens of a stream that was deleted and made
// again are never taken for those of the new one.
func (st *stream) created() (uint64, error) {
	r, err := readRecord(filepath.Join(st.path, "stream.json"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, errGone
	}
	return uint64(max(1, r.CreatedOn.UnixMicro())), err
}
