// Package scratch makes folders that end with the process that made them.
package scratch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Folder is for the user alone. As long as it is there, an exclusive flock on
// its file Lock says that its process lives.
type Folder struct {
	Path string
	lock *os.File
}

// A folder is alive if somebody holds its lock. The file gets that name when it
// is locked already, for others take a lock that nobody holds for a dead one's.
const (
	lockName = "lock"
	newName  = "lock.new"
)

// tries bounds how often a folder that was taken for a dead one is made again.
const tries = 100

// Make makes a folder in base. Its name starts with prefix, as those of no other
// folders in base do. Folders of processes that were killed are removed.
func Make(base, prefix string) (*Folder, error) {
	sweep(base, prefix)
	for n := 1; ; n++ {
		f, err := try(base, prefix)
		if n == tries || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
}

// try fails with ErrNotExist if somebody else's sweep has removed the folder
// before it had its lock.
func try(base, prefix string) (*Folder, error) {
	dir, err := os.MkdirTemp(base, prefix) // 0700
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: dir}
	if f.lock, err = os.OpenFile(filepath.Join(dir, newName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		if err = unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			err = os.Rename(f.lock.Name(), f.Lock())
		}
		if err != nil {
			f.lock.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return f, nil
}

// Lock is the path of the file with the lock.
func (f *Folder) Lock() string { return filepath.Join(f.Path, lockName) }

// Remove removes the folder.
func (f *Folder) Remove() error {
	defer f.lock.Close()
	return remove(f.Path)
}

// remove is for who holds the lock, which is the last to go: what is left of a
// folder without one is never removed.
func remove(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// sweep removes dead folders. Nothing depends on its success.
func sweep(base, prefix string) {
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		dir := filepath.Join(base, e.Name())
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			// It is being made, or its process was killed meanwhile. Should it have
			// got its lock by now, it is not empty.
			_ = os.Remove(filepath.Join(dir, newName))
			_ = os.Remove(dir)
		}
		if err != nil {
			continue // another user's
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = remove(dir)
		}
		lock.Close()
	}
}
