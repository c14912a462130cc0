// Package archive unpacks what users hand in: zips with one directory in them.
//
// A zip is hostile until proven otherwise. Every rule that it can break without
// being inflated is checked on its list of entries before anything is written;
// the sizes that the list announces are not believed but counted.
package archive

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	remora "github.com/remora-project/remora"
)

// Limits bound what a zip may hold. A field that is zero has DefaultLimits' value.
type Limits struct {
	Entries    int   // files and directories, also those that are left out
	EntryBytes int64 // of one file, inflated
	TotalBytes int64 // of all files, inflated
	Ratio      int64 // inflated bytes for each byte of the zip; the first 16 MiB are free
	Depth      int   // names in a path, the top-level directory included
}

// DefaultLimits are wide enough for any package of code.
var DefaultLimits = Limits{Entries: 50_000, EntryBytes: 1 << 30, TotalBytes: 4 << 30, Ratio: 200, Depth: 64}

// free is how much may be inflated at any ratio: a small file of zeros is no bomb.
const free = 16 << 20

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	for _, f := range []struct{ have, other *int64 }{
		{&l.EntryBytes, &d.EntryBytes}, {&l.TotalBytes, &d.TotalBytes}, {&l.Ratio, &d.Ratio},
	} {
		if *f.have <= 0 {
			*f.have = *f.other
		}
	}
	if l.Entries <= 0 {
		l.Entries = d.Entries
	}
	if l.Depth <= 0 {
		l.Depth = d.Depth
	}
	return l
}

// op is the operation in errors.
const op = "archive: unpack"

// Unpack unpacks a zip of size bytes into the directory dst, which it makes,
// and returns the name of the one directory that is now in dst. What macOS adds
// beside it (__MACOSX) is left out. Directories get mode 0755, files 0644, or
// 0755 if their entry is executable for anyone.
//
// dst appears whole or not at all: everything is written into a directory
// beside it (.<name>.*.tmp) that is renamed in the end and removed on failure.
// What a process that was killed has left there, the next Unpack to the same
// dst removes. A power cut may lose contents.
//
// Errors are *remora.Error: Invalid if the zip breaks a rule, with the rule and
// the entry; AlreadyExists if dst is there and not an empty directory;
// Unavailable if the disk is full, src cannot be read or ctx ends.
func Unpack(ctx context.Context, src io.ReaderAt, size int64, dst string, limits Limits) (top string, err error) {
	limits = limits.orDefault()
	in := &source{ctx: ctx, src: src, left: directoryBytes(limits)}
	entries, _, err := in.list(size, limits)
	if err != nil {
		return "", in.explain(dst, "", err)
	}
	p, err := oneDirectory(entries)
	if err != nil {
		return "", in.explain(dst, "", err)
	}

	if entries, err := os.ReadDir(dst); err == nil && len(entries) > 0 || errors.Is(err, syscall.ENOTDIR) {
		return "", remora.Errorf(remora.AlreadyExists, op, dst, "unpack to %s: it is there already", dst)
	}
	s, err := newStage(dst)
	if err != nil {
		return "", explainWrite(dst, err)
	}
	defer s.remove()
	b := &budget{limits: limits, archive: size}
	for _, e := range p.entries {
		if err := s.write(e, b); err != nil {
			var w *writeError
			if errors.As(err, &w) {
				return "", explainWrite(dst, w.error)
			}
			return "", in.explain(dst, e.file.Name, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return "", in.explain(dst, "", context.Cause(ctx))
	}
	if err := s.publish(dst); err != nil {
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.ENOTDIR) {
			return "", remora.Errorf(remora.AlreadyExists, op, dst, "unpack to %s: it is there already", dst)
		}
		return "", explainWrite(dst, err)
	}
	return p.top, nil
}

// Inspect holds a zip that somebody else unpacks against the rules, but for that
// of the one directory. It inflates nothing: who unpacks the zip has to refuse
// a file that is larger than the list of entries announces. name is what errors
// call the zip; they are Unpack's.
func Inspect(ctx context.Context, src io.ReaderAt, size int64, name string, limits Limits) error {
	limits = limits.orDefault()
	in := &source{ctx: ctx, src: src, left: directoryBytes(limits)}
	_, total, err := in.list(size, limits)
	if err == nil && total > free && total/limits.Ratio >= size {
		err = &violation{rule: fmt.Sprintf("it has %d bytes inflated, more than %d times its %d bytes", total, limits.Ratio, size)}
	}
	if err != nil {
		return in.explain(name, "", err)
	}
	return nil
}

// directoryBytes is how long the list of entries may be in the zip: 46 bytes,
// a name and a few extra fields for each. It is read into memory before the
// entries can be counted.
func directoryBytes(l Limits) int64 { return 128<<10 + int64(l.Entries)*512 }

var errDirectory = errors.New("the list of entries is too long")

// source is the zip as it is read: it ends when ctx does, bounds how much is
// read, and remembers whether it was the reading that failed.
type source struct {
	ctx  context.Context
	src  io.ReaderAt
	left int64 // bytes that may still be read; negative: any number
	err  error
}

func (s *source) ReadAt(b []byte, off int64) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	if s.left >= 0 {
		if int64(len(b)) > s.left {
			return 0, errDirectory
		}
		s.left -= int64(len(b))
	}
	n, err := s.src.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// list reads the list of entries, holds it against the rules, and returns what
// it announces to have inflated.
func (s *source) list(size int64, limits Limits) (entries []entry, total int64, err error) {
	z, err := zip.NewReader(s, size)
	if err != nil {
		return nil, 0, err
	}
	s.left = -1 // what was bounded was the list of entries
	if entries, total, err = check(z.File, limits); err == nil {
		err = checkOverlap(z.File)
	}
	return entries, total, err
}

// explain says whose fault it is that the zip, or an entry of it, could not be read.
func (s *source) explain(dst, entry string, err error) error {
	at := ""
	if entry != "" {
		at = " at entry " + quote(entry)
	}
	var rule *violation
	switch {
	case s.ctx.Err() != nil:
		return remora.Unavailablef(op, dst, "unpack a zip: %w", context.Cause(s.ctx))
	case s.err != nil:
		return remora.Unavailablef(op, dst, "read a zip%s: %w", at, s.err)
	case errors.As(err, &rule):
		return remora.Invalidf(op, dst, "unpack a zip: %w", rule)
	case errors.Is(err, errDirectory):
		return remora.Invalidf(op, dst, "unpack a zip: %w for the number of entries that is allowed", err)
	default:
		return remora.Invalidf(op, dst, "unpack a zip: it is damaged or no zip%s: %w", at, err)
	}
}

// explainWrite says why files could not be written.
func explainWrite(dst string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return remora.Unavailablef(op, dst, "unpack a zip: the disk of %s is full, make room there: %w", filepath.Dir(dst), err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return remora.Invalidf(op, dst, "unpack a zip: a name is longer than the file system takes: %w", err)
	}
	return remora.Unavailablef(op, dst, "unpack a zip: %w", err)
}

// violation is a broken rule.
type violation struct {
	entry string // "" if it is about the zip as a whole
	rule  string
}

func (v *violation) Error() string {
	if v.entry == "" {
		return v.rule
	}
	return fmt.Sprintf("entry %s %s", quote(v.entry), v.rule)
}

// quote makes a name safe to print, and short.
func quote(name string) string {
	const most = 120
	if len(name) > most {
		return fmt.Sprintf("%q… (%d bytes)", name[:most], len(name))
	}
	return fmt.Sprintf("%q", name)
}
