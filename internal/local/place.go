package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// place is a folder for what the run's cluster writes and nobody reads once it
// is over. The lock on it says that the run goes on, to the cluster's supervisor
// too (supervise.Spec.Owner), which holds it when the run has died until the
// cluster has. What nobody holds then, the next run removes.
type place struct {
	dir  string
	lock *os.File
}

func makePlace(cacheDir string) (*place, error) {
	base := filepath.Join(filepath.Dir(cacheDir), "local")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the run: %w", err)
	}
	sweepPlaces(base)
	dir, err := os.MkdirTemp(base, "run-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the run: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the folder of the run: %w", err), os.RemoveAll(dir))
	}
	return &place{dir, lock}, nil
}

func (p *place) remove() {
	os.RemoveAll(p.dir)
	p.lock.Close()
	os.Remove(filepath.Dir(p.dir)) // fails while there are others
}

// sweepPlaces removes what runs that were killed have left. One that has no
// lock yet is being made.
func sweepPlaces(base string) {
	locks, _ := filepath.Glob(filepath.Join(base, "run-*", "lock"))
	for _, path := range locks {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		f.Close()
	}
}
