package runtimes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
		{"install the packages", b.install},
		{"check the packages", b.check},
		{"write the manifest", func(context.Context) error {
			if err := os.RemoveAll(b.tmp); err != nil {
				return err
			}
			m.Seconds = say.elapsed().Seconds()
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

// installed lists an environment's packages, as "name-1.0", by its records:
// manifests of earlier releases also name packages that others carry inside.
func installed(m manifest) []string {
	var out []string
	for _, r := range m.Records {
		if ok, _ := filepath.Match("lib/*/site-packages/*.dist-info/RECORD", r); ok {
			out = append(out, strings.TrimSuffix(filepath.Base(filepath.Dir(r)), ".dist-info"))
		}
	}
	return out
}

// overlayAssembly is an overlay in the making.
type overlayAssembly struct {
	*assembly
	runtime      remora.Runtime
	has          []string // the runtime's packages, "name-1.0"
	requirements []specification
	missing      []string // what resolve found to be missing, as requirements
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

// constraints hold every package of the runtime at its version, but for those
// that are asked for by name. What the runtime is named for is held always.
func (b *overlayAssembly) constraints() string {
	asked := map[string]bool{}
	for _, r := range b.requirements {
		asked[r.name] = true
	}
	var out strings.Builder
	for _, p := range b.has {
		i := strings.LastIndexByte(p, '-')
		if i < 0 {
			continue
		}
		name := normalize(p[:i])
		if _, named := b.recipe.versions[name]; named || !asked[name] {
			fmt.Fprintf(&out, "%s==%s\n", name, p[i+1:])
		}
	}
	return out.String()
}

// change is how uv prints what an installation would do: " + name==1.0", or
// " + name @ file:///…" of what is not on the index.
var change = regexp.MustCompile(`^ ([+~]) ([A-Za-z0-9._-]+)(==[^\s()]+| @ \S+)$`)

// resolve asks uv what would change in the runtime, without changing it. The
// packages that are there are what uv prefers, and it reads what they need
// from them: where nothing is missing no index is asked.
func (b *overlayAssembly) resolve(ctx context.Context) error {
	requirements, constraints := filepath.Join(b.tmp, "requirements.txt"), filepath.Join(b.tmp, "constraints.txt")
	var lines strings.Builder
	for _, r := range b.requirements {
		lines.WriteString(r.line + "\n")
	}
	err := errors.Join(os.WriteFile(requirements, []byte(lines.String()), 0o644),
		os.WriteFile(constraints, []byte(b.constraints()), 0o644))
	if err != nil {
		return err
	}
	stop := b.say.during(func() string { return "resolving packages" })
	defer stop()
	log := b.debug("uv")
	var replaced, unread string
	args := append([]string{"pip", "install", "--dry-run", "--python", b.runtime.Python, "--constraints", constraints}, b.settings.args...)
	err = b.runUV(ctx, func(line string) {
		log(line)
		m := change.FindStringSubmatch(line)
		if m == nil {
			if strings.HasPrefix(line, " + ") || strings.HasPrefix(line, " ~ ") {
				unread = line
			}
			return
		}
		name := normalize(m[2])
		if _, named := b.recipe.versions[name]; named {
			replaced = name
		}
		b.missing = append(b.missing, name+m[3])
	}, append(args, "-r", requirements)...)
	if err != nil {
		return err
	}
	if unread != "" {
		return fmt.Errorf("read what uv %s says: %q", uvVersion, unread)
	}
	if replaced != "" {
		return replaces(b.runtime.Name, replaced, b.recipe.versions[replaced], "another one", nil)
	}
	return nil
}

// install installs what is missing, and nothing that it needs: that is missing
// too, or there.
func (b *overlayAssembly) install(ctx context.Context) error {
	if len(b.missing) == 0 {
		b.say.line("the runtime has all of it")
		return nil
	}
	requirements := filepath.Join(b.tmp, "missing.txt")
	if err := os.WriteFile(requirements, []byte(strings.Join(b.missing, "\n")+"\n"), 0o644); err != nil {
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

// replaces refuses a request for another version of what a runtime is named for.
func replaces(runtime, name, version, by string, cause error) error {
	text := fmt.Sprintf("%s is part of the runtime %s (%s) and cannot be replaced", name, runtime, version)
	if by != "" {
		text += fmt.Sprintf(" by %q", by)
	}
	if cause != nil {
		return remora.Invalidf("runtimes: overlay", runtime, "%s: %w", text, cause)
	}
	return remora.Invalidf("runtimes: overlay", runtime, "%s", text)
}
