// Package keyring keeps the access keys of the server in one file, which only
// its owner can read. One key is current, the one to sign with; those that were
// current before may be valid for a while, so that running jobs go on.
//
// `remora serve` and `remora keys` are different processes. Writers take turns by
// a lock on a file beside it and replace the file as a whole; readers never lock
// and notice the change.
package keyring

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remora-project/remora"
)

// recheckEvery is how long a change of the file may go unnoticed: the time for
// which a revoked key may still work.
const recheckEvery = 250 * time.Millisecond

// Keyring is an open key file. Its methods may be called from any goroutine.
//
// A running server that finds the file unreadable, corrupt or gone keeps the
// keys it has and says so in the log: a slip of an editor must not lock every
// client out. Everything that changes keys fails until the file is repaired.
type Keyring struct {
	path string
	now  remora.Clock

	state   atomic.Pointer[snapshot]
	checked atomic.Pointer[time.Time] // when the file was last looked at; monotonic

	reload  sync.Mutex // held while the file is looked at
	failure string     // what was last logged; guarded by reload
}

// snapshot is what the file held at one moment.
type snapshot struct {
	stamp stamp
	keys  []record // oldest first
}

// Open reads the key file at path, or makes it, and the directories above it,
// with a first key in it.
//
// Errors are *remora.Error: Invalid if the file is corrupt or others than its
// owner can read it, Unavailable if it cannot be read or written.
func Open(path string) (*Keyring, error) { return open(path, time.Now) }

func open(path string, now remora.Clock) (*Keyring, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, remora.Unavailablef("keyring: open", path, "find the key file: %w", err)
	}
	k := &Keyring{path: path, now: now}
	s, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := k.create(); err != nil {
			return nil, err
		}
		s, err = read(path)
	}
	if err != nil {
		return nil, err
	}
	k.publish(s)
	return k, nil
}

// create writes a file with one key, unless another process has just done so.
func (k *Keyring) create() error {
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return remora.Unavailablef("keyring: create", k.path, "make the directory of the key file: %w", err)
	}
	return k.locked(func() error {
		if _, err := os.Lstat(k.path); !errors.Is(err, fs.ErrNotExist) {
			return nil // there, or why it cannot be looked at is told by who reads it
		}
		return write(k.path, []record{newRecord(k.now())})
	})
}

// Secret returns the secret of a key that is valid now. It is cheap enough to be
// called for every request. A key made a moment ago by another process is found;
// one revoked there may be valid for another quarter of a second.
func (k *Keyring) Secret(id string) (secret string, ok bool) {
	r, ok := k.latest(false).find(id)
	if !ok {
		r, ok = k.latest(true).find(id)
	}
	if !ok || !r.valid(k.now()) {
		return "", false
	}
	return r.Secret, true
}

// Current returns the key to sign with, its secret included.
func (k *Keyring) Current() Key {
	s, now := k.latest(false), k.now()
	for _, r := range s.keys {
		if r.current() {
			return r.reveal(now)
		}
	}
	panic("keyring: a file without a current key was read") // validate refuses it
}

// List returns all keys that have not been forgotten, newest first, without
// their secrets.
func (k *Keyring) List() []Key {
	s, now := k.latest(true), k.now()
	keys := make([]Key, 0, len(s.keys))
	for _, r := range slices.Backward(s.keys) {
		keys = append(keys, r.describe(now))
	}
	return keys
}

// latest returns what the file holds. Unless it must be fresh, that may be
// recheckEvery old. A file that has not changed since is not read again.
func (k *Keyring) latest(fresh bool) *snapshot {
	if !fresh && time.Since(*k.checked.Load()) < recheckEvery {
		return k.state.Load()
	}
	k.reload.Lock()
	defer k.reload.Unlock()
	if !fresh && time.Since(*k.checked.Load()) < recheckEvery {
		return k.state.Load() // another goroutine was faster
	}

	held := k.state.Load()
	if found, err := stampOf(k.path); err == nil && found == held.stamp && found.settled() {
		k.publish(held)
		return held
	}
	next, err := read(k.path)
	if err != nil {
		k.publish(held)
		if k.failure != err.Error() {
			k.failure = err.Error()
			slog.Error("keep the access keys as they were: the key file cannot be used", "error", err)
		}
		return held
	}
	if k.failure != "" {
		k.failure = ""
		slog.Info("the key file can be used again", "path", k.path)
	}
	k.publish(next)
	return next
}

func (k *Keyring) publish(s *snapshot) {
	now := time.Now()
	k.state.Store(s)
	k.checked.Store(&now)
}

// find looks through the keys one by one: there are a handful.
func (s *snapshot) find(id string) (record, bool) {
	for _, r := range s.keys {
		if r.ID == id {
			return r, true
		}
	}
	return record{}, false
}
