package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/remora-project/remora"
)

// contents is the key file: JSON, for people to read and for backups. The
// version changes when an older release could not read it right any more.
type contents struct {
	Version int      `json:"version"`
	Keys    []record `json:"keys"` // oldest first
}

const (
	version  = 1
	maxBytes = 1 << 20
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_]{4,128}$`)

// read reads the file and refuses whatever it does not understand in full:
// guessing here would mean to let in a key that was revoked. The error wraps
// fs.ErrNotExist if there is no file.
func read(path string) (*snapshot, error) {
	const op = "keyring: read"
	f, err := os.Open(path)
	if err != nil {
		return nil, remora.Unavailablef(op, path, "open the key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, remora.Unavailablef(op, path, "look at the key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, remora.Invalidf(op, path, "the key file %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, remora.Invalidf(op, path, "others than its owner may use the key file %s (mode %04o): "+
			"run `chmod 600 %s`, and rotate the keys if someone may have read them", path, mode, path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, remora.Unavailablef(op, path, "read the key file: %w", err)
	}
	keys, err := decode(data)
	if err != nil {
		return nil, remora.Invalidf(op, path, "the key file %s is damaged: %w; restore it from a backup, "+
			"or move it away to start with a new key", path, err)
	}
	return &snapshot{stamp: stampFrom(info), keys: keys}, nil
}

func decode(data []byte) ([]record, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxBytes)
	}
	var c contents
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("parse it as JSON: %w", err)
	}
	if c.Version != version {
		return nil, fmt.Errorf("its version is %d, this release of Remora knows %d", c.Version, version)
	}
	current, seen := 0, map[string]bool{}
	for i, r := range c.Keys {
		switch {
		case !idPattern.MatchString(r.ID):
			return nil, fmt.Errorf("key %d has no valid id", i+1)
		case seen[r.ID]:
			return nil, fmt.Errorf("key %s is in it twice", r.ID)
		case r.current() && r.Secret == "":
			return nil, fmt.Errorf("the current key %s has no secret", r.ID)
		case r.current():
			current++
		}
		seen[r.ID] = true
	}
	if current != 1 {
		return nil, fmt.Errorf("%d of its %d keys are current, one must be", current, len(c.Keys))
	}
	return c.Keys, nil
}

// write replaces the file as a whole: a crash at any moment leaves the old one
// or the new one, and once write has returned it is the new one.
func write(path string, keys []record) (err error) {
	const op = "keyring: write"
	defer func() {
		if err != nil {
			err = remora.Unavailablef(op, path, "write the key file: %w", err)
		}
	}()
	data, err := json.MarshalIndent(contents{Version: version, Keys: keys}, "", "  ")
	if err != nil {
		return err
	}
	// The lock is held: what an earlier writer left when it was killed is
	// nobody's, and has secrets in it.
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // not there any more if all went well
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// locked runs f while no other writer runs, in this process or in others. The
// lock file stays: removing it would let two writers lock two files.
func (k *Keyring) locked(f func() error) error {
	const op = "keyring: lock"
	lock, err := os.OpenFile(k.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return remora.Unavailablef(op, k.path, "open the lock of the key file: %w", err)
	}
	defer lock.Close() // releases it
	for err = syscall.EINTR; err == syscall.EINTR; {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return remora.Unavailablef(op, k.path, "lock the key file: %w", err)
	}
	return f()
}

// stamp tells one state of the file from another without reading it.
type stamp struct {
	modified time.Time
	inode    uint64
	size     int64
	mode     fs.FileMode
}

func stampFrom(info fs.FileInfo) stamp {
	s := stamp{modified: info.ModTime(), size: info.Size(), mode: info.Mode()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stampFrom(info), nil
}

// settled reports whether an equal stamp means an equal file. File systems keep
// time in ticks of a few milliseconds and give inode numbers out again, so a
// file changed this recently could have changed twice and look the same.
func (s stamp) settled() bool { return time.Since(s.modified) > 100*time.Millisecond }
