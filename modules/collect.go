package modules

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/archive"
)

// preparation is Prepare at work.
type preparation struct {
	Stage
	runtime    string // its name
	dir        string
	count      int               // of folders made in dir
	packages   []string          // for the overlay
	path       []string          // folders of modules
	workingDir string            //
	tops       map[string]string // what can be imported by that name, and where it is from
	brought    map[string]bool   // addresses of objects that are there
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
		if err := p.shadows(workingDir, w.WorkingDir, p.workingDir); err != nil {
			return err
		}
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
// pip, a Python file, or a zip with a folder to import. One that is there
// already, by whichever argument, is not got again.
func (p *preparation) add(ctx context.Context, argument, uri string) error {
	_, object, _ := strings.Cut(uri, "://") // s3:// and s3a:// are the same
	if p.brought[object] {
		return nil
	}
	p.brought[object] = true
	switch {
	case ends(uri, ".py"):
		return p.file(ctx, argument, uri)
	case ends(uri, ".whl", ".tar.gz"):
		file, err := p.fetch(ctx, argument, uri)
		if err == nil && ends(uri, ".whl") {
			err = inspect(ctx, argument, uri, file)
		}
		p.packages = append(p.packages, file)
		return err
	}
	file, err := p.fetch(ctx, argument, uri)
	if err != nil {
		return err
	}
	if (argument == pipInstall || argument == additionalModules) && sourceDistribution(file) {
		p.packages = append(p.packages, file)
		return inspect(ctx, argument, uri, file)
	}
	dir, top, err := p.inflate(ctx, argument, uri, file)
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

func (p *preparation) unpack(ctx context.Context, argument, uri string) (dir, top string, err error) {
	file, err := p.fetch(ctx, argument, uri)
	if err != nil {
		return "", "", err
	}
	return p.inflate(ctx, argument, uri, file)
}

// inflate unpacks a downloaded zip into a new folder.
func (p *preparation) inflate(ctx context.Context, argument, uri, file string) (dir, top string, err error) {
	f, size, err := open(uri, file)
	if err != nil {
		return "", "", explain(argument, uri, err)
	}
	defer f.Close()
	dir = p.folder()
	top, err = archive.Unpack(ctx, f, size, dir, archive.DefaultLimits)
	return dir, top, explain(argument, uri, err)
}

// folder names a folder that is not there yet.
func (p *preparation) folder() string {
	p.count++
	return filepath.Join(p.dir, fmt.Sprint(p.count))
}

// explain says which argument an error is about.
func explain(argument, uri string, err error) error {
	if err == nil {
		return nil
	}
	return remora.Errorf(remora.KindOf(err), "modules: prepare", uri, "--%s %s: %s", argument, uri, remora.MessageOf(err))
}
