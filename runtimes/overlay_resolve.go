package runtimes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	remora "github.com/remora-project/remora"
)

// resolve finds out what is missing. First the runtime keeps its version of
// everything that is not asked for by name, so that a small package does not
// drag in another pandas. Where that has no solution, which is the case for
// every older boto3, it keeps what it is named for and that gets what it needs;
// the rest gives way, as it would to pip.
func (b *overlayAssembly) resolve(ctx context.Context) (err error) {
	stop := b.say.during(func() string { return "resolving packages" })
	defer stop()
	b.missing, err = b.ask(ctx, true)
	if err != nil && unsatisfiable(err) {
		b.missing, err = b.ask(ctx, false)
	}
	return err
}

// change is how uv prints what an installation would do: " + name==1.0", or
// " + name @ file:///…" of what is not on the index.
var change = regexp.MustCompile(`^ ([+~]) ([A-Za-z0-9._-]+)(==[^\s()]+| @ \S+)$`)

// ask asks uv what would change in the runtime, without changing it. The
// packages that are there are what uv prefers, and it reads what they need
// from them: where nothing is missing no index is asked.
func (b *overlayAssembly) ask(ctx context.Context, keep bool) (missing []string, err error) {
	lines, held := b.question(keep)
	requirements, constraints := filepath.Join(b.tmp, "requirements.txt"), filepath.Join(b.tmp, "constraints.txt")
	err = errors.Join(os.WriteFile(requirements, []byte(strings.Join(lines, "\n")+"\n"), 0o644),
		os.WriteFile(constraints, []byte(strings.Join(held, "\n")+"\n"), 0o644))
	if err != nil {
		return nil, err
	}
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
		missing = append(missing, name+m[3])
	}, append(args, "-r", requirements)...)
	if err != nil {
		return nil, err
	}
	if unread != "" {
		return nil, fmt.Errorf("read what uv %s says: %q", uvVersion, unread)
	}
	if replaced != "" {
		return nil, replaces(b.runtime.Name, replaced, b.recipe.versions[replaced], "another one", nil)
	}
	return missing, nil
}

// question is what uv is asked for and what holds meanwhile: what the runtime
// is named for, and with keep everything else that it has and that is not asked
// for by name. Where packages of the runtime may be replaced, what it is named
// for is asked for too, so that they are not replaced by what that cannot use.
func (b *overlayAssembly) question(keep bool) (requirements, constraints []string) {
	asked := map[string]bool{}
	for _, r := range b.requirements {
		asked[r.name] = true
		requirements = append(requirements, r.line)
	}
	if b.numpy1 {
		asked["numpy"] = true
		requirements = append(requirements, "numpy<2")
	}
	var named []string
	open := !keep
	for _, name := range slices.Sorted(maps.Keys(b.has)) {
		pin := name + "==" + b.has[name]
		if _, ok := b.recipe.versions[name]; ok {
			named = append(named, pin)
		} else if keep && !asked[name] {
			constraints = append(constraints, pin)
		} else {
			open = true
		}
	}
	if open {
		requirements = append(requirements, named...)
	}
	return requirements, append(constraints, named...)
}

// replaced says, for the job's log, which of the runtime's packages the overlay
// goes before.
func (b *overlayAssembly) replaced() []string {
	var list []string
	for _, m := range b.missing {
		name, version := missing(m)
		if was, ok := b.has[name]; ok {
			list = append(list, fmt.Sprintf("%s %s for %s", name, version, was))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return []string{"packages of the runtime are replaced for this job alone: " + strings.Join(list, ", ") +
		"; others were made for the runtime's own and may not work with these"}
}

// missing splits what ask returns into a name and a version, or a file.
func missing(m string) (name, version string) {
	if name, file, ok := strings.Cut(m, " @ "); ok {
		return name, path.Base(file)
	}
	name, version, _ = strings.Cut(m, "==")
	return name, version
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
