package supervise

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a held lock is tried again; flock has no deadline.
const lockPoll = 5 * time.Millisecond

// errLocked says that a supervisor is alive, or that somebody else is clearing
// up after one.
var errLocked = errors.New("the cluster's lock is held")

// tryLock takes DIR/lock. Its error is errLocked, fs.ErrNotExist if the
// directory or the file in it is gone, or another.
//
// The file is made by create only: a lock that were made by whoever looks would
// bring back the directory of a cluster that is being removed.
func tryLock(dir string, create bool) (*os.File, error) {
	flags := os.O_RDWR | unix.O_NOFOLLOW
	if create {
		flags |= os.O_CREATE
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, err
	}
	// Between open and flock the holder may have removed the file.
	held, err1 := f.Stat()
	named, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(held, named) {
		f.Close()
		return nil, fs.ErrNotExist
	}
	return f, nil
}
