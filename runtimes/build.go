package runtimes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// build makes the environment key, unless another process does so first.
func (c *Cache) build(ctx context.Context, name, key string, r *recipe, py python, emit func(string)) error {
	l, err := acquire(ctx, c.dir, key, emit)
	if err != nil {
		return c.explain(name, "take its lock", err)
	}
	defer l.release()
	dir := filepath.Join(c.dir, key)
	if _, err := readManifest(dir); err == nil {
		return nil
	}
	l.begin()
	say := newReport(emit, c.beat).recording(l)
	say.line("building runtime %s with Python %s (%s), once for this host", name, py.Version, py.Executable)
	c.log.Info("runtimes: building", "runtime", name, "dir", dir, "python", py.Executable)
	if err := sweep(c.dir, l); err != nil {
		return c.explain(name, "clear up", err)
	}
	uv, err := c.uv(ctx, py, say)
	if err != nil {
		return c.explain(name, "get uv", err)
	}
	tmp, err := l.stage(c.dir)
	if err != nil {
		return c.explain(name, "make a directory", err)
	}
	defer os.RemoveAll(tmp) // fails once it has been renamed
	b := &assembly{Cache: c, lock: l, dir: filepath.Join(tmp, "env"), tmp: tmp, recipe: r, python: py, uv: uv, say: say}
	m := manifest{Runtime: name, Lock: digest(string(r.lock)), Builder: builder, UV: uvVersion, Python: py,
		BuiltAt: time.Now().UTC()}
	for _, step := range []struct {
		does string
		run  func(context.Context) error
	}{
		{"read pip's settings", b.configure},
		{"make a virtual environment", b.venv},
		{"install the packages", b.install},
		{"import the packages", b.check},
		{"write the manifest", func(context.Context) error {
			m.Seconds = say.elapsed().Seconds()
			return m.write(b.dir)
		}},
		{"move it to its place", func(context.Context) error { return l.publish(b.dir, dir) }},
	} {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := step.run(ctx); err != nil {
			c.log.Warn("runtimes: build failed", "runtime", name, "step", step.does, "err", err)
			return c.explain(name, step.does, err)
		}
	}
	if m, err = readManifest(dir); err != nil {
		return c.explain(name, "read it back", err)
	}
	say.line("runtime %s is ready: %d packages, %d MiB, %s", name, len(m.Packages), m.Bytes>>20, seconds(say.elapsed()))
	c.log.Info("runtimes: built", "runtime", name, "dir", dir, "seconds", say.elapsed().Seconds(), "bytes", m.Bytes)
	return nil
}

// assembly is an environment in the making.
type assembly struct {
	*Cache
	*recipe
	lock     *lock
	tmp, dir string // dir is in tmp
	python   python
	uv       string
	settings uvSettings
	say      *report
}

func (b *assembly) configure(ctx context.Context) (err error) {
	b.settings, err = b.Cache.settings(ctx, b.python, b.lock, b.tmp)
	return err
}

// venv makes the virtual environment. Relocatable: it is renamed later, so no
// script in it may hold its path.
func (b *assembly) venv(ctx context.Context) error {
	return b.runUV(ctx, b.debug("uv"), "venv", "--no-project", "--relocatable", "--python", b.python.Executable, b.dir)
}

// install installs exactly what the lock says, from wheels only. Everything is
// compiled: processes that import ray are many, and may not be able to write here.
func (b *assembly) install(ctx context.Context) error {
	requirements := filepath.Join(b.tmp, "requirements.lock")
	if err := os.WriteFile(requirements, b.recipe.lock, 0o644); err != nil {
		return err
	}
	var out uvOutput
	stop := b.say.during(out.status)
	defer stop()
	log := b.debug("uv")
	args := append([]string{"pip", "sync", "--python", filepath.Join(b.dir, "bin", "python"), "--require-hashes",
		"--no-build", "--strict", "--compile-bytecode"}, b.settings.args...)
	return b.runUV(ctx, func(line string) {
		log(line)
		if said := out.read(line); said != "" {
			b.say.line("%s", said)
		}
	}, append(args, requirements)...)
}

func (b *assembly) runUV(ctx context.Context, line func(string), args ...string) error {
	argv := append([]string{b.uv, "--color", "never", "--no-progress", "--no-python-downloads"}, args...)
	env := append(without(b.settings.env, "TMPDIR"), "TMPDIR="+b.tmp) // what a killed uv leaves goes with the rest
	_, err := process{argv: argv, dir: b.tmp, env: env, lock: b.lock, line: line}.run(ctx)
	return err
}

// versions imports modules and says which versions they are.
const versions = `import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = getattr(importlib.import_module(name), "__version__", "")
    except Exception as e:
        sys.exit("error: %s does not import: %s: %s" % (name, type(e).__name__, e))
print(json.dumps(found))`

// check imports what scripts will import.
func (b *assembly) check(ctx context.Context) error {
	stop := b.say.during(func() string { return "checking that " + strings.Join(b.imports, ", ") + " import" })
	defer stop()
	env := cleanEnviron(b.environ)
	for name, value := range environment(b.dir) {
		env = append(without(env, name), name+"="+value)
	}
	argv := append([]string{filepath.Join(b.dir, "bin", "python"), "-c", versions}, b.imports...)
	out, err := process{argv: argv, dir: b.tmp, env: env, lock: b.lock, line: b.debug("python")}.run(ctx)
	if err != nil {
		return err
	}
	var got map[string]string
	last := out[strings.LastIndexByte(strings.TrimSpace(string(out)), '\n')+1:] // a package may print on import
	if err := json.Unmarshal(last, &got); err != nil {
		return fmt.Errorf("read the versions %q: %w", out, err)
	}
	for module, want := range b.recipe.versions {
		if got[module] != want {
			return fmt.Errorf("%s is version %q instead of %q", module, got[module], want)
		}
	}
	return nil
}
