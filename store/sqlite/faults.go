package sqlite

import (
	"context"
	"errors"

	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"github.com/remora-project/remora"
)

// faults turns what SQLite reports into a remora.Error with a text that names
// the file and says what to do.
type faults struct{ path string }

func (f faults) translate(err error) error {
	if err == nil {
		return nil
	}
	var known *remora.Error
	if errors.As(err, &known) {
		return err
	}
	unavailable := func(format string, args ...any) error {
		return remora.Unavailablef("store", f.path, format, args...)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unavailable("the request ended before the store could answer: %w", err)
	}
	if err == errClosed {
		return unavailable("%w", err)
	}
	var fault *driver.Error
	if !errors.As(err, &fault) {
		return remora.Internalf("store", f.path, "use the database %s: %w", f.path, err)
	}
	switch fault.Code() {
	case code.SQLITE_IOERR_SHMSIZE, code.SQLITE_IOERR_WRITE:
		// A quota, a limit on the size of files, no room for the -shm file: SQLite
		// tells only the plain ENOSPC from other failures to write.
		return unavailable("cannot write to the disk that holds %s; if it is full, free some space, then try again: %w",
			f.path, err)
	}
	switch fault.Code() & 0xff { // the rest is detail
	case code.SQLITE_FULL:
		return unavailable("the disk that holds %s is full: free some space, then try again: %w", f.path, err)
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		return unavailable("another process keeps the database %s locked: %w", f.path, err)
	case code.SQLITE_IOERR:
		return unavailable("the disk that holds %s fails: %w", f.path, err)
	case code.SQLITE_CANTOPEN, code.SQLITE_PERM, code.SQLITE_READONLY:
		return unavailable("cannot open %s, or the files next to it, for writing: %w", f.path, err)
	case code.SQLITE_NOTADB:
		return remora.Internalf("store", f.path,
			"%s is not a Remora database, or its beginning was overwritten: restore it from a backup or move it away: %w",
			f.path, err)
	case code.SQLITE_CORRUPT:
		return remora.Internalf("store", f.path,
			"the database %s is damaged: stop Remora and restore it from a backup, "+
				"or save what can be read with sqlite3's .recover: %w", f.path, err)
	default:
		return remora.Internalf("store", f.path, "use the database %s: %w", f.path, err)
	}
}

// locked reports whether a lock of another connection was in the way.
func locked(err error) bool {
	var fault *driver.Error
	return errors.As(err, &fault) && fault.Code()&0xff == code.SQLITE_BUSY
}
