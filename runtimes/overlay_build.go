package runtimes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	remora "github.com/remora-project/remora"
)

// buildOverlay makes the overlay key, unless another process does so first.
func (c *Cache) buildOverlay(ctx context.Context, rt remora.Runtime, key string, r *recipe, reqs []specification, emit func(string)) error {
	explain := func(step string, err error) error { return c.explainOverlay(rt.Name, step, r, reqs, err) }
	l, err := acquire(ctx, c.dir, key, emit)
	if err != nil {
		return explain("take a lock", err)
	}
	defer l.release()
	dir := filepath.Join(c.dir, key)
	if _, err := readOverlay(dir); err == nil {
		return nil
	}
	base, err := readManifest(rt.Dir)
	if err != nil {
		return explain("read the runtime", err)
	}
	l.begin()
	say := newReport(emit, c.beat).recording(l)
	m := overlay{Overlay: true, Runtime: rt.Name, Base: filepath.Base(rt.Dir), Builder: overlayBuilder, UV: uvVersion,
		BuiltAt: time.Now().UTC()}
	for _, req := range reqs {
		m.Requirements = append(m.Requirements, req.String())
	}
	say.line("installing %s over runtime %s, once for this host", strings.Join(m.Requirements, ", "), rt.Name)
	c.log.Info("runtimes: installing an overlay", "runtime", rt.Name, "dir", dir, "requirements", m.Requirements)
	if err := sweep(c.dir, l); err != nil {
		return explain("clear up", err)
	}
	uv, err := c.uv(ctx, base.Python, say)
	if err != nil {
		return explain("get uv", err)
	}
	tmp, err := l.stage(c.dir)
	if err != nil {
		return explain("make a directory", err)
	}
	defer os.RemoveAll(tmp)
	// It is built in tmp itself: uv writes into scripts how to get from them to
	// the runtime's interpreter, and that must hold after the renaming.
	a := &assembly{Cache: c, lock: l, dir: tmp, tmp: filepath.Join(tmp, "work"), recipe: r, python: base.Python, uv: uv, say: say}
	b := &overlayAssembly{assembly: a, runtime: rt, has: installed(base), requirements: reqs}
	for _, step := range []struct {
		does string
		run  func(context.Context) error
	}{
		{"make a directory", b.mkdirs},
		{"read pip's settings", b.configure},
		{"resolve the packages", b.resolve},
		{"install the packages", func(ctx context.Context) error { return b.install(ctx, b.missing) }},
		{"choose a numpy that they were built for", b.suitNumpy},
		{"check the packages", b.check},
		{"write the manifest", func(context.Context) error {
			if err := os.RemoveAll(b.tmp); err != nil {
				return err
			}
			m.Seconds = say.elapsed().Seconds()
			m.Notices = append(b.replaced(), b.notices...)
			return m.write(b.dir)
		}},
		{"move it to its place", func(context.Context) error { return l.publish(b.dir, dir) }},
	} {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := step.run(ctx); err != nil {
			c.log.Warn("runtimes: overlay failed", "runtime", rt.Name, "step", step.does, "err", err)
			return explain(step.does, err)
		}
	}
	say.line("packages over runtime %s are ready: %.1f s", rt.Name, say.elapsed().Seconds())
	return nil
}

// installed returns the versions of an environment's packages, by its records:
// manifests of earlier releases also name packages that others carry inside.
func installed(m manifest) map[string]string {
	out := map[string]string{}
	for _, r := range m.Records {
		if ok, _ := filepath.Match("lib/*/site-packages/*.dist-info/RECORD", r); !ok {
			continue
		}
		name, version, ok := strings.Cut(strings.TrimSuffix(filepath.Base(filepath.Dir(r)), ".dist-info"), "-")
		if ok {
			out[normalize(name)] = version
		}
	}
	return out
}

// overlayAssembly is an overlay in the making.
type overlayAssembly struct {
	*assembly
	runtime      remora.Runtime
	has          map[string]string // versions of the runtime's packages
	requirements []specification
	numpy1       bool     // numpy has to be one below 2, see suitNumpy
	missing      []string // what resolve found to be missing, as requirements
	notices      []string // of the manifest
}

func (b *overlayAssembly) mkdirs(context.Context) error {
	return errors.Join(os.Chmod(b.dir, 0o755), os.Mkdir(filepath.Join(b.dir, site), 0o755), os.Mkdir(b.tmp, 0o755))
}

func (b *overlayAssembly) configure(ctx context.Context) error {
	if err := b.assembly.configure(ctx); err != nil {
		return err
	}
	// To take the best of all indexes is safe with hashes only; here are none.
	b.settings.env = without(b.settings.env, "UV_INDEX_STRATEGY")
	if s := lookup(b.environ, "UV_INDEX_STRATEGY"); s != "" {
		b.settings.env = append(b.settings.env, "UV_INDEX_STRATEGY="+s)
	}
	return nil
}

// install installs what is missing, and nothing that it needs: that is missing
// too, or there.
func (b *overlayAssembly) install(ctx context.Context, missing []string) error {
	if len(missing) == 0 {
		b.say.line("the runtime has all of it")
		return nil
	}
	requirements := filepath.Join(b.tmp, "missing.txt")
	if err := os.WriteFile(requirements, []byte(strings.Join(missing, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	out := uvOutput{phase: "downloading packages"}
	stop := b.say.during(out.status)
	defer stop()
	log := b.debug("uv")
	args := append([]string{"pip", "install", "--no-deps", "--python", b.runtime.Python, "--target", filepath.Join(b.dir, site),
		"--compile-bytecode"}, b.settings.args...)
	return b.runUV(ctx, func(line string) {
		log(line)
		if said := out.read(line); said != "" {
			b.say.line("%s", said)
		}
	}, append(args, "-r", requirements)...)
}

// check looks whether a package of another name brings a module that the
// runtime is named for.
func (b *overlayAssembly) check(context.Context) error {
	for module, version := range b.recipe.versions {
		found, err := filepath.Glob(filepath.Join(b.dir, site, module+"*"))
		if err != nil {
			return err
		}
		for _, f := range found {
			base := filepath.Base(f)
			if base == module || strings.HasPrefix(base, module+".") {
				return remora.Invalidf("runtimes: overlay", b.runtime.Name,
					"%s is part of the runtime %s (%s) and cannot be replaced: one of %s brings another module %s",
					module, b.runtime.Name, version, strings.Join(b.missing, ", "), base)
			}
		}
	}
	return nil
}
