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

// preparation is Prepare at work.
type preparation struct {
	Stage
	dir        string
	count      int               // of folders made in dir
	packages   []string          // for the overlay
	path       []string          // folders of modules
	workingDir string            //
	tops       map[string]string // what can be imported by that name, and where it is from
	files      string            // the folder of single Python files, once there is one
}

// objects is where objects are downloaded to.
func (p *preparation) objects() string { return filepath.Join(p.dir, "objects") }

// collect downloads and unpacks. The order of the path is Ray's: the working
// directory, then modules.
func (p *preparation) collect(ctx context.Context, w Wants) error {
	if w.WorkingDir != "" {
		dir, top, err := p.unpack(ctx, workingDir, w.WorkingDir)
		if err != nil {
			return err
		}
		p.workingDir = filepath.Join(dir, top)
		p.path = append(p.path, p.workingDir)
	}
	for _, m := range w.Modules {
		if err := p.add(ctx, s3Modules, m); err != nil {
			return err
		}
	}
	for _, f := range w.Files {
		if err := p.add(ctx, extraFiles, f); err != nil {
			return err
		}
	}
	if err := p.require(ctx, pipInstall, w.Packages); err != nil {
		return err
	}
	return p.require(ctx, additionalModules, w.Additional)
}

// require notes requirements, and gets those that are objects.
func (p *preparation) require(ctx context.Context, argument string, list []string) error {
	for _, r := range list {
		if !isObject(r) {
			p.packages = append(p.packages, r)
			continue
		}
		if err := p.add(ctx, argument, r); err != nil {
			return err
		}
	}
	return nil
}

// add gets one object, which is what its name and content say: a package for
// pip, a Python file, or a zip with a folder to import.
func (p *preparation) add(ctx context.Context, argument, uri string) error {
	switch {
	case ends(uri, ".py"):
		return p.file(ctx, argument, uri)
	case ends(uri, ".whl", ".tar.gz"):
		file, err := p.fetch(ctx, argument, uri)
		p.packages = append(p.packages, file)
		return err
	}
	file, err := p.fetch(ctx, argument, uri)
	if err != nil {
		return err
	}
	if (argument == pipInstall || argument == additionalModules) && sourceDistribution(file) {
		p.packages = append(p.packages, file)
		return nil
	}
	dir, top, err := p.open(ctx, argument, uri, file)
	if err != nil {
		return err
	}
	p.path = append(p.path, dir)
	return p.claim(argument, uri, top)
}

// file puts a Python file into the folder of files.
func (p *preparation) file(ctx context.Context, argument, uri string) error {
	name := path.Base(uri)
	if err := p.claim(argument, uri, strings.TrimSuffix(name, ".py")); err != nil {
		return err
	}
	file, err := p.fetch(ctx, argument, uri)
	if err != nil {
		return err
	}
	if p.files == "" {
		p.files = p.folder()
		p.path = append(p.path, p.files)
		if err := os.Mkdir(p.files, 0o755); err != nil {
			return explain(argument, uri, remora.Unavailablef("modules: prepare", uri, "make a folder: %w", err))
		}
	}
	if err := os.Rename(file, filepath.Join(p.files, name)); err != nil {
		return explain(argument, uri, remora.Unavailablef("modules: prepare", uri, "keep the file: %w", err))
	}
	return nil
}

// claim refuses a second module of a name: which one is imported would depend
// on the order.
func (p *preparation) claim(argument, uri, top string) error {
	if first, ok := p.tops[top]; ok {
		return remora.Invalidf("modules: prepare", uri, "--%s %s: a module %q comes from %s as well: leave one of them out",
			argument, uri, top, first)
	}
	p.tops[top] = uri
	return nil
}

func (p *preparation) unpack(ctx context.Context, argument, uri string) (dir, top string, err error) {
	file, err := p.fetch(ctx, argument, uri)
	if err != nil {
		return "", "", err
	}
	return p.open(ctx, argument, uri, file)
}

// open unpacks a downloaded zip into a new folder.
func (p *preparation) open(ctx context.Context, argument, uri, file string) (dir, top string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", "", explain(argument, uri, remora.Unavailablef("modules: prepare", uri, "open the download: %w", err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", "", explain(argument, uri, remora.Unavailablef("modules: prepare", uri, "open the download: %w", err))
	}
	dir = p.folder()
	top, err = archive.Unpack(ctx, f, info.Size(), dir, archive.DefaultLimits)
	return dir, top, explain(argument, uri, err)
}

// folder names a folder that is not there yet.
func (p *preparation) folder() string {
	p.count++
	return filepath.Join(p.dir, fmt.Sprint(p.count))
}

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

// explain says which argument an error is about.
func explain(argument, uri string, err error) error {
	if err == nil {
		return nil
	}
	return remora.Errorf(remora.KindOf(err), "modules: prepare", uri, "--%s %s: %s", argument, uri, remora.MessageOf(err))
}

// sourceDistribution reports whether a zip is one for pip to build: it has
// instructions for that beside its modules, or in its one folder.
func sourceDistribution(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false // to be refused by who unpacks it, and so on
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	z, err := zip.NewReader(&listing{f, maxListing}, info.Size())
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
