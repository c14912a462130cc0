package runtimes

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	remora "github.com/remora-project/remora"
	own "github.com/remora-project/remora/python"
)

// bootDir is the folder in a layer that goes on PYTHONPATH; the rest of the
// layer is imported by what is in it.
const bootDir = "remora/boot/path"

// layerBuilder is part of every layer's key, as builder is of a runtime's.
const layerBuilder = "1"

// layer lays out Remora's own Python, compiled for the interpreter, unless it
// is there, and returns its key. It is part of what runs in jobs, so it is
// kept as environments are: whole or not at all, and never changed.
func (c *Cache) layer(ctx context.Context, runtime, interpreter string, py python, progress func(string)) (string, error) {
	const op = "runtimes: ensure"
	sources, err := sources()
	if err != nil {
		return "", remora.Internalf(op, runtime, "read the layer's files: %w", err)
	}
	parts := []string{layerBuilder, py.minor()}
	for _, s := range sources {
		parts = append(parts, s.name, string(s.data))
	}
	key := "layer-" + digest(parts...)
	dir := filepath.Join(c.dir, key)
	whole := func() error {
		var m layerManifest
		return loadManifest(dir, &m)
	}
	if c.use(key, whole) == nil {
		return key, nil
	}
	err = c.join(ctx, key, progress, func(ctx context.Context, emit func(string)) error {
		return c.buildLayer(ctx, runtime, interpreter, key, sources, emit)
	})
	if err == nil {
		err = c.use(key, whole)
	}
	if err != nil {
		return "", asError(op, runtime, err)
	}
	return key, nil
}

// own gives a runtime Remora's own Python.
func (c *Cache) own(ctx context.Context, rt *remora.Runtime, py python, progress func(string)) error {
	if rt.Own != "" {
		return nil
	}
	layer, err := c.layer(ctx, rt.Name, rt.Python, py, progress)
	if err == nil {
		rt.Own = filepath.Join(c.dir, layer)
		rt.Locks = append(slices.Clone(rt.Locks), c.usedPath(layer))
	}
	return err
}

// WithOwn returns the cache as one whose runtimes all have Remora's own Python
// (remora.Runtime.Own), which otherwise those only have that need it to run a
// script.
func (c *Cache) WithOwn() remora.Runtimes { return withOwn{c} }

type withOwn struct{ *Cache }

func (c withOwn) Ensure(ctx context.Context, name string, progress func(string)) (remora.Runtime, error) {
	return c.Overlay(ctx, name, nil, progress)
}

func (c withOwn) Overlay(ctx context.Context, name string, requirements []string, progress func(string)) (remora.Runtime, error) {
	if progress == nil {
		progress = func(string) {}
	}
	rt, err := c.Cache.Overlay(ctx, name, requirements, progress)
	if err != nil {
		return rt, err
	}
	py, err := c.pythons.choose(ctx)
	if err == nil {
		err = c.own(ctx, &rt, py, progress)
	}
	return rt, err
}

// layerManifest describes a layer; it is the file manifestName in its root.
type layerManifest struct {
	Layer   bool      `json:"layer"`
	Runtime string    `json:"runtime"`
	BuiltAt time.Time `json:"builtAt"`
	stock
}

// source is one file of the layer.
type source struct {
	name string // with slashes, below the layer's root
	data []byte
}

func sources() (all []source, err error) {
	err = fs.WalkDir(own.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := own.Files.ReadFile(name)
		all = append(all, source{name, data})
		return err
	})
	return all, err
}

func (c *Cache) buildLayer(ctx context.Context, runtime, interpreter, key string, sources []source, emit func(string)) error {
	l, err := acquire(ctx, c.dir, key, emit)
	if err != nil {
		return c.explain(runtime, "take a lock", err)
	}
	defer l.release()
	dir := filepath.Join(c.dir, key)
	if loadManifest(dir, &layerManifest{}) == nil {
		return nil
	}
	l.begin()
	if err := sweep(c.dir, l); err != nil {
		return c.explain(runtime, "clear up", err)
	}
	tmp, err := l.stage(c.dir)
	if err != nil {
		return c.explain(runtime, "make a directory", err)
	}
	defer os.RemoveAll(tmp)
	for _, s := range sources {
		path := filepath.Join(tmp, filepath.FromSlash(s.name))
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, s.data, 0o644))
		if err != nil {
			return c.explain(runtime, "write its own modules", err)
		}
	}
	// -s and -p: tracebacks name the place that it will have.
	compile := process{argv: []string{interpreter, "-I", "-m", "compileall", "-q", "-s", tmp, "-p", dir, tmp}, dir: tmp,
		env: cleanEnviron(c.environ), lock: l}
	if _, err := compile.run(ctx); err != nil {
		return c.explain(runtime, "compile its own modules", err)
	}
	m := layerManifest{Layer: true, Runtime: runtime, BuiltAt: time.Now().UTC()}
	if m.stock, err = takeStock(tmp, ""); err == nil {
		err = errors.Join(os.Chmod(tmp, 0o755), storeManifest(tmp, m))
	}
	if err == nil {
		err = l.publish(tmp, dir)
	}
	if err != nil {
		return c.explain(runtime, "keep its own modules", err)
	}
	return nil
}
