// Package runtimes builds the Python environments that jobs run in, from locks
// with hashes that are part of the program, and keeps them on this host.
//
// An environment is a directory <cache>/<key>; the key is derived from the lock
// and the interpreter, so that a changed lock or another Python is another
// directory. A directory of that name is whole: it is built beside its place
// and renamed when everything in it has been checked and is on disk. It is not
// changed afterwards. Environments may live on a read-only file system.
package runtimes

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	remora "github.com/remora-project/remora"
)

// Options are the choices of whoever runs Remora.
type Options struct {
	// Python is the interpreter that environments are made from: a path, or a
	// name to look up on PATH. Empty: the first of python3, python3.13 to
	// python3.10 on PATH that is a CPython in [3.10, 3.14).
	Python string
	Logger *slog.Logger // nil: no log
}

// Cache implements remora.Runtimes on a directory. Several processes may use
// the directory at the same time.
type Cache struct {
	dir     string
	log     *slog.Logger
	catalog catalog
	pythons *pythons
	environ []string      // of the processes that build, before it is adapted
	beat    time.Duration // a build says something at least this often

	pipConfig pipConfig

	mu      sync.Mutex
	flights map[string]*flight // builds under way in this process, by key
}

var _ remora.Runtimes = (*Cache)(nil)

// Open returns the cache in a directory, which is made if it is not there. It
// fails if the host has no interpreter that fits: Unavailable, or Invalid where
// opts names one that does not.
func Open(cacheDir string, opts Options) (*Cache, error) {
	return open(cacheDir, opts, supported)
}

func open(cacheDir string, opts Options, offers catalog) (*Cache, error) {
	const op = "runtimes: open"
	dir, err := filepath.Abs(cacheDir)
	if err != nil {
		return nil, remora.Invalidf(op, cacheDir, "find the directory for runtimes: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, remora.Unavailablef(op, dir, "make the directory for runtimes: %w", err)
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	c := &Cache{
		dir:     dir,
		log:     log,
		catalog: offers,
		pythons: &pythons{wanted: opts.Python, notes: filepath.Join(dir, "pythons.json")},
		environ: os.Environ(),
		beat:    3 * time.Second,
		flights: map[string]*flight{},
	}
	if _, err := c.pythons.choose(context.Background()); err != nil {
		return nil, err
	}
	return c, nil
}

// Names lists the runtimes that Ensure accepts, sorted.
func (c *Cache) Names() []string { return c.catalog.names() }

// Ensure implements remora.Runtimes. A runtime that is there costs a few dozen
// calls of stat and no process.
//
// progress is called from the goroutine that called Ensure. A build goes on as
// long as somebody waits for it: if ctx ends, Ensure returns ctx's error, and
// if nobody else waits the build has been ended and cleared away by then.
func (c *Cache) Ensure(ctx context.Context, name string, progress func(line string)) (remora.Runtime, error) {
	r, ok := c.catalog[name]
	if !ok {
		return remora.Runtime{}, remora.Invalidf("runtimes: ensure", name, "Runtime %s is not supported; supported: %s",
			name, strings.Join(c.Names(), ", "))
	}
	return c.ensure(ctx, name, r, progress)
}

// Notebook returns the environment Notebook as Ensure returns a runtime.
func (c *Cache) Notebook(ctx context.Context, progress func(line string)) (remora.Runtime, error) {
	return c.ensure(ctx, Notebook, notebook, progress)
}

func (c *Cache) ensure(ctx context.Context, name string, r *recipe, progress func(line string)) (remora.Runtime, error) {
	const op = "runtimes: ensure"
	if progress == nil {
		progress = func(string) {}
	}
	py, err := c.pythons.choose(ctx)
	if err != nil {
		return remora.Runtime{}, err
	}
	key := r.key(py)
	dir := filepath.Join(c.dir, key)
	whole := func() error {
		_, err := readManifest(dir)
		return err
	}
	if c.use(key, whole) == nil {
		return c.runtime(ctx, name, r, key, py, progress)
	}
	err = c.join(ctx, key, progress, func(ctx context.Context, emit func(string)) error {
		return c.build(ctx, name, key, r, py, emit)
	})
	if err == nil {
		err = c.use(key, whole)
	}
	if err != nil {
		if ctx.Err() != nil {
			return remora.Runtime{}, remora.Unavailablef(op, name, "build runtime %s: %w", name, context.Cause(ctx))
		}
		return remora.Runtime{}, asError(op, name, err)
	}
	return c.runtime(ctx, name, r, key, py, progress)
}

// runtime is the environment key under a name that was asked for.
func (c *Cache) runtime(ctx context.Context, name string, r *recipe, key string, py python, progress func(string)) (remora.Runtime, error) {
	dir := filepath.Join(c.dir, key)
	rt := remora.Runtime{
		Name:   name,
		Dir:    dir,
		Python: filepath.Join(dir, "bin", "python"),
		Env:    environment(dir),
		Locks:  []string{c.usedPath(key)},
	}
	if api := r.rayAPI; api != "" {
		if err := c.own(ctx, &rt, py, progress); err != nil {
			return remora.Runtime{}, err
		}
		rt.Env["REMORA_RAY_API"] = api
		rt.Env["PYTHONPATH"] = filepath.Join(rt.Own, filepath.FromSlash(bootDir))
	}
	return rt, nil
}

// environment is what a process needs in order to use the runtime in dir and
// nothing else of the host's Python. CPython takes an empty variable for one
// that is not set.
func environment(dir string) map[string]string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/bin:/usr/bin:/bin"
	}
	return map[string]string{
		"PATH":                filepath.Join(dir, "bin") + string(os.PathListSeparator) + path,
		"VIRTUAL_ENV":         dir,
		"PYTHONNOUSERSITE":    "1", // ~/.local/lib/python3.x
		"PYTHONPATH":          "",
		"PYTHONHOME":          "",
		"PYTHONOPTIMIZE":      "", // would miss the compiled files
		"PYTHONPYCACHEPREFIX": "", // likewise
	}
}
