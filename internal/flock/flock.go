// Package flock takes locks on files that end with their holder, however that
// dies.
package flock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Shared takes a shared flock and waits for it. Whom it waits for locks the file
// exclusively for a moment only, or has the caller wait for its end.
func Shared(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
