package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// stage is the directory that a zip is unpacked into. Its maker holds a flock
// on it, which ends with the process however that dies: one that nobody holds
// is an orphan.
type stage struct {
	path string // "" once it has been published
	dir  *os.File
	root *os.Root
}

// stageEnd ends a stage's name.
const stageEnd = ".tmp"

// newStage makes a stage beside dst, and removes those that were left there
// for the same dst.
func newStage(dst string) (*stage, error) {
	parent, base := filepath.Dir(dst), filepath.Base(dst)
	sweep(parent, "."+base+".")
	for {
		tmp, err := os.MkdirTemp(parent, "."+base+".*"+stageEnd)
		if err != nil {
			return nil, err
		}
		s, err := openStage(tmp)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EWOULDBLOCK) {
			_ = os.RemoveAll(tmp)
			return nil, err
		}
		// Another process took it for an orphan before it was locked.
	}
}

// openStage locks a stage. ErrNotExist or EWOULDBLOCK if somebody else has it.
func openStage(tmp string) (*stage, error) {
	dir, err := os.Open(tmp)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		return nil, fmt.Errorf("lock %s: %w", tmp, err)
	}
	now, err := os.Stat(tmp)
	if err != nil {
		dir.Close()
		return nil, err
	}
	if was, err := dir.Stat(); err != nil || !os.SameFile(was, now) {
		dir.Close()
		return nil, errors.Join(err, fs.ErrNotExist)
	}
	root, err := os.OpenRoot(tmp)
	if err != nil {
		dir.Close()
		return nil, err
	}
	return &stage{path: tmp, dir: dir, root: root}, nil
}

// sweep removes orphans. Nothing depends on its success.
func sweep(parent, start string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), start) || !strings.HasSuffix(e.Name(), stageEnd) {
			continue
		}
		if s, err := openStage(filepath.Join(parent, e.Name())); err == nil {
			s.remove()
		}
	}
}

// remove removes the stage, unless it has been published.
func (s *stage) remove() {
	if s.path != "" {
		_ = os.RemoveAll(s.path)
	}
	s.root.Close()
	s.dir.Close()
}

// publish gives the stage its name.
func (s *stage) publish(dst string) error {
	// MkdirTemp made it for its owner alone.
	if err := s.dir.Chmod(0o755); err != nil {
		return err
	}
	if err := os.Rename(s.path, dst); err != nil {
		return err
	}
	s.path = ""
	return nil
}

// writeError is a failure on the side of what is written.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// budget counts what is inflated.
type budget struct {
	limits  Limits
	archive int64 // bytes of the zip
	total   int64
	buf     [64 << 10]byte
}

// spend takes n bytes, of which the entry has had so many before.
func (b *budget) spend(name string, before, n int64) error {
	b.total += n
	switch {
	case before+n > b.limits.EntryBytes:
		return &violation{entry: name, rule: fmt.Sprintf("has more than %d bytes", b.limits.EntryBytes)}
	case b.total > b.limits.TotalBytes:
		return &violation{rule: fmt.Sprintf("it has more than %d bytes inflated", b.limits.TotalBytes)}
	case b.total > free && b.total/b.limits.Ratio >= b.archive:
		return &violation{entry: name, rule: fmt.Sprintf("makes the archive inflate to more than %d times its %d bytes",
			b.limits.Ratio, b.archive)}
	}
	return nil
}

// write writes one entry.
func (s *stage) write(e entry, b *budget) error {
	if e.dir {
		return s.mkdir(e.path)
	}
	if err := s.mkdir(path.Dir(e.path)); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if e.mode&0o111 != 0 {
		perm = 0o755
	}
	in, err := e.file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := s.root.OpenFile(e.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return &writeError{err}
	}
	if err := fill(out, in, e.file.Name, b); err != nil {
		out.Close()
		return err
	}
	// Whatever the umask is.
	if err := errors.Join(out.Chmod(perm), out.Close()); err != nil {
		return &writeError{err}
	}
	return nil
}

// fill copies what in has. What is over a limit is counted, not written.
func fill(out io.Writer, in io.Reader, name string, b *budget) error {
	var had int64
	for {
		n, err := in.Read(b.buf[:])
		if spent := b.spend(name, had, int64(n)); spent != nil {
			return spent
		}
		had += int64(n)
		if _, err := out.Write(b.buf[:n]); err != nil {
			return &writeError{err}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// mkdir makes a directory with those above it.
func (s *stage) mkdir(dir string) error {
	if info, err := s.root.Lstat(dir); err == nil && info.IsDir() {
		return nil
	}
	if up := path.Dir(dir); up != "." {
		if err := s.mkdir(up); err != nil {
			return err
		}
	}
	if err := s.root.Mkdir(dir, 0o755); err != nil {
		return &writeError{err}
	}
	if err := s.root.Chmod(dir, 0o755); err != nil { // whatever the umask is
		return &writeError{err}
	}
	return nil
}
