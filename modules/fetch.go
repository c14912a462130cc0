package modules

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/archive"
)

// maxObject bounds a wheel or a zip; the largest that are in use have 3 GiB.
const maxObject = 8 << 30

// fetch downloads an object. The file keeps its name, which to pip is a part
// of what it is.
func (p *preparation) fetch(ctx context.Context, argument, uri string) (string, error) {
	p.count++
	dir := filepath.Join(p.objects(), fmt.Sprint(p.count))
	file := filepath.Join(dir, path.Base(uri))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", explain(argument, uri, remora.Unavailablef("modules: prepare", uri, "make a folder: %w", err))
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", explain(argument, uri, remora.Unavailablef("modules: prepare", uri, "store the download: %w", err))
	}
	err = p.Blobs.Fetch(ctx, uri, f, maxObject)
	if err2 := f.Close(); err == nil && err2 != nil {
		err = remora.Unavailablef("modules: prepare", uri, "store the download: %w", err2)
	}
	return file, explain(argument, uri, err)
}

// packageLimits are for what the resolver unpacks: a zip of a package may hold
// native libraries, of which the largest have 2 GiB.
var packageLimits = archive.Limits{Entries: 100_000, EntryBytes: 8 << 30, TotalBytes: 16 << 30}

// inspect holds a package that is a zip against the rules for zips. The resolver
// does not know them; it refuses files that are larger than they announce.
func inspect(ctx context.Context, argument, uri, file string) error {
	f, size, err := open(uri, file)
	if err != nil {
		return explain(argument, uri, err)
	}
	defer f.Close()
	err = archive.Inspect(ctx, f, size, uri, packageLimits)
	if errors.Is(err, zip.ErrFormat) {
		return nil // no zip: the resolver says what is wrong with it
	}
	return explain(argument, uri, err)
}

// open opens a download.
func open(uri, file string) (*os.File, int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, remora.Unavailablef("modules: prepare", uri, "open the download: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, remora.Unavailablef("modules: prepare", uri, "open the download: %w", err)
	}
	return f, info.Size(), nil
}

// sourceDistribution reports whether a zip is one for pip to build: it has
// instructions for that beside its modules, or in its one folder.
func sourceDistribution(file string) bool {
	f, size, err := open(file, file)
	if err != nil {
		return false // to be refused by who unpacks it, and so on
	}
	defer f.Close()
	z, err := zip.NewReader(&listing{f, maxListing}, size)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(z.File, func(f *zip.File) bool {
		name := path.Base(f.Name)
		return strings.Count(f.Name, "/") <= 1 && (name == "pyproject.toml" || name == "setup.py")
	})
}

// maxListing bounds the list of entries that is read into memory to see what a
// zip is; package archive takes no longer one.
const maxListing = 32 << 20

// listing is a zip of which only so many bytes can be read.
type listing struct {
	io.ReaderAt
	left int64
}

func (l *listing) ReadAt(b []byte, off int64) (int, error) {
	if l.left -= int64(len(b)); l.left < 0 {
		return 0, errors.New("the list of entries is too long")
	}
	return l.ReaderAt.ReadAt(b, off)
}
