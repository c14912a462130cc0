package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// staging is the end of the name of a directory that is not finished. One that
// is named <key>.<random>.tmp belongs to the holder of key's lock, and is an
// orphan if there is none.
const staging = ".tmp"

// lock is the right to build a key, among all processes that use the cache. It
// is a flock on <key>.lock, so it ends with its holder however that dies; the
// holder's subprocesses inherit the descriptor, so it does not end before they
// have. The file is never removed: somebody may be about to lock it. It holds
// the progress of the latest build, which those who wait for the lock read.
type lock struct {
	key  string
	file *os.File
}

// lockPoll is how often a waiter tries: flock cannot be waited for with a context.
const lockPoll = 50 * time.Millisecond

// acquire waits for the lock. Meanwhile emit gets the holder's progress.
func acquire(ctx context.Context, dir, key string, emit func(string)) (*lock, error) {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	var follow *follower
	for {
		l, err := tryLock(dir, key)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
			if follow != nil {
				follow.pass(emit) // its last words
			}
			return l, err
		}
		if follow == nil {
			emit("this is being built already; following it")
			follow = &follower{path: filepath.Join(dir, key+".lock")}
		}
		follow.pass(emit)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryLock takes the lock, or fails with EWOULDBLOCK if somebody has it.
func tryLock(dir, key string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, key+".lock"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open a lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return &lock{key: key, file: f}, nil
}

// begin empties the record of progress.
func (l *lock) begin() { _ = l.file.Truncate(0) }

// record adds a line of progress. Nothing depends on its success.
func (l *lock) record(line string) { _, _ = l.file.WriteString(line + "\n") }

func (l *lock) release() { l.file.Close() }

// follower reads what the holder of a lock records.
type follower struct {
	path   string
	offset int64
}

// pass passes on the whole lines that have been added since the last call.
func (f *follower) pass(emit func(string)) {
	file, err := os.Open(f.path)
	if err != nil {
		return
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() < f.offset {
		f.offset = 0 // another build has begun
	}
	data, err := io.ReadAll(io.NewSectionReader(file, f.offset, 1<<20))
	if err != nil {
		return
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	f.offset += int64(end)
	for line := range strings.Lines(string(data[:end])) {
		emit(strings.TrimSuffix(line, "\n"))
	}
}

// sweep removes what builds that died have left. It takes only what nobody
// holds the lock of; held is the caller's own lock, nil if it has none.
func sweep(dir string, held *lock) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), staging)
		i := strings.LastIndexByte(name, '.')
		if !ok || i < 0 || !e.IsDir() {
			continue
		}
		if key := name[:i]; held == nil || key != held.key {
			l, err := tryLock(dir, key)
			if err != nil {
				continue
			}
			defer l.release()
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove what an earlier build left: %w", err)
		}
	}
	return nil
}

// stage makes a directory for the lock's holder to build in.
func (l *lock) stage(dir string) (string, error) {
	return os.MkdirTemp(dir, l.key+".*"+staging)
}

// discard removes the directory of a name by way of a staging name, so that
// nobody ever sees half of it under its own.
func (l *lock) discard(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	aside, err := l.stage(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(aside, "discarded")); err != nil {
		return err
	}
	return os.RemoveAll(aside)
}

// publish gives a finished directory its name, durably.
func (l *lock) publish(tmp, path string) error {
	if err := l.discard(path); err != nil {
		return fmt.Errorf("remove a damaged environment: %w", err)
	}
	if err := syncTree(tmp); err != nil {
		return fmt.Errorf("write to disk: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
