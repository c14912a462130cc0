package supervise

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	remora "github.com/remora-project/remora"
	"golang.org/x/sys/unix"
)

// A unix socket's address holds 107 bytes (unix(7)). maxRunDir leaves room for
// "/<12 of the cluster's id>/n999/session_x/sockets/plasma_store.999".
const (
	maxSocketPath = 107
	maxRunDir     = maxSocketPath - 13 - 44
)

// RunDir returns the directory for the clusters of one data directory, which
// dataDirID identifies. It is the first of $TMPDIR/remora-UID, /tmp/remora-UID
// and $XDG_RUNTIME_DIR/remora that is short enough for the sockets below it and
// nobody else's, and in it a directory named after dataDirID. The last is the
// last because spilled objects go there, too: it is a small file system in
// memory, and it is removed when its user logs out.
//
// The directory is made with the first cluster and removed with the last.
func RunDir(dataDirID string) (string, error) {
	own := "remora-" + strconv.Itoa(os.Getuid())
	bases := []string{filepath.Join(os.TempDir(), own), filepath.Join("/tmp", own)}
	if xdg := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(xdg) {
		bases = append(bases, filepath.Join(xdg, "remora"))
	}

	var refused error
	for _, base := range bases {
		dir := filepath.Join(base, shortHash(dataDirID)[:8])
		if len(dir) > maxRunDir {
			refused = errors.Join(refused, fmt.Errorf("%s is longer than %d bytes", dir, maxRunDir))
			continue
		}
		if err := usable(base); err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		return dir, nil
	}
	return "", remora.Unavailablef("supervise: run directory", "",
		"no directory for the clusters' sockets; set TMPDIR to a short path of your own: %w", refused)
}

// usable reports whether base is a private directory of ours or can become one.
func usable(base string) error {
	err := private(base)
	if errors.Is(err, fs.ErrNotExist) {
		parent := filepath.Dir(base)
		if err := unix.Access(parent, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("%s: %w", parent, err)
		}
		return nil
	}
	return err
}

// private checks that nobody but us can have put something at path: in a shared
// /tmp another user may have made the directory, or a link, before us.
func private(path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	case !ok || int(st.Uid) != os.Getuid():
		return fmt.Errorf("%s belongs to another user", path)
	case fi.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users (mode %04o); chmod it to 0700", path, fi.Mode().Perm())
	}
	return nil
}

// ClusterDir is the directory of a cluster below a run directory.
func ClusterDir(runDir, id string) string {
	return filepath.Join(runDir, shortHash(id)[:12])
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// makeClusterDir makes dir and the private directories above it. The end of
// another cluster may remove an empty one between two steps, hence the loop.
func makeClusterDir(dir string) error {
	runDir := filepath.Dir(dir)
	base := filepath.Dir(runDir)
	var err error
	for range 100 {
		if err = mkdirPrivate(base); err != nil {
			break
		}
		if err = mkdirPrivate(runDir); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			break
		}
		if err = os.Mkdir(dir, 0o700); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return remora.Errorf(remora.AlreadyExists, "supervise: create", dir, "the cluster's directory %s is there already", dir)
	}
	if err != nil {
		return ioError("create cluster directory", dir, err)
	}
	return nil
}

func mkdirPrivate(path string) error {
	if err := os.Mkdir(path, 0o700); err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	return private(path)
}

// removeClusterDir removes a cluster's directory and, with the last cluster,
// the directories above it. Nothing there is no error.
func removeClusterDir(dir string) error {
	err := removeAll(dir)
	os.Remove(filepath.Dir(dir))
	os.Remove(filepath.Dir(filepath.Dir(dir)))
	if err != nil {
		return ioError("remove cluster directory", dir, err)
	}
	return nil
}

// keepRecordsOnly removes what a cluster has left except how its drivers ended,
// for an Attach that comes later.
func keepRecordsOnly(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ioError("read cluster directory", dir, err)
	}
	for _, e := range entries {
		switch e.Name() {
		case driversName, lockName, logName: // not the spec, which holds secrets
		default:
			err = errors.Join(err, removeAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// removeAll is os.RemoveAll, also for directories without write permission.
func removeAll(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	filepath.WalkDir(path, func(p string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}
