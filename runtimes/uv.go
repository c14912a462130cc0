package runtimes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// uvVersion is what bootstrap.lock pins.
var uvVersion = func() string {
	_, version, _ := strings.Cut(string(bootstrap), "uv==")
	return strings.Fields(version)[0]
}()

// uv returns the path of the pinned uv, installing it into the cache first if
// it is not there: the host's pip fetches its wheel from where the user's
// settings say, and checks its hash. No other uv is used, whatever the host has.
func (c *Cache) uv(ctx context.Context, py python, say *report) (string, error) {
	key := "uv-" + uvVersion + "-" + digest(builder, string(bootstrap), py.Platform, py.ABI)
	dir := filepath.Join(c.dir, key)
	bin := filepath.Join(dir, "bin", "uv")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	l, err := acquire(ctx, c.dir, key, say.emit)
	if err != nil {
		return "", err
	}
	defer l.release()
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	l.begin()
	say = say.recording(l)
	tmp, err := l.stage(c.dir)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := c.installUV(ctx, py, l, tmp, say); err != nil {
		return "", err
	}
	return bin, l.publish(filepath.Join(tmp, "uv"), dir)
}

// installUV installs uv into tmp/uv.
func (c *Cache) installUV(ctx context.Context, py python, l *lock, tmp string, say *report) error {
	stop := say.during(func() string { return "fetching uv " + uvVersion })
	defer stop()
	pip, err := c.pip(ctx, py, l, tmp)
	if err != nil {
		return err
	}
	requirements := filepath.Join(tmp, "bootstrap.lock")
	if err := os.WriteFile(requirements, bootstrap, 0o644); err != nil {
		return err
	}
	target := filepath.Join(tmp, "uv")
	// The two variables are settings that contradict --target.
	env := append(without(cleanEnviron(c.environ), "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_PREFIX", "PIP_ROOT"),
		"PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0")
	_, err = process{
		argv: append(pip, "install", "--target", target, "--require-hashes", "--only-binary", ":all:", "--no-deps",
			"--no-input", "--progress-bar", "off", "--no-color", "--disable-pip-version-check", "--no-warn-script-location",
			"-r", requirements),
		dir: tmp, env: env, lock: l, line: c.debug("pip"),
	}.run(ctx)
	if err != nil {
		return fmt.Errorf("install uv %s with pip of %s: %w", uvVersion, py.Executable, err)
	}
	out, err := process{argv: []string{filepath.Join(target, "bin", "uv"), "--version"}, dir: tmp,
		env: cleanEnviron(c.environ), lock: l}.run(ctx)
	if err != nil {
		return fmt.Errorf("start uv %s: %w", uvVersion, err)
	}
	if !strings.HasPrefix(string(out), "uv "+uvVersion) {
		return fmt.Errorf("pip installed %q instead of uv %s", strings.TrimSpace(string(out)), uvVersion)
	}
	return nil
}

// pip returns a command that is pip: the interpreter's own, or one that comes
// with the interpreter, unpacked into a virtual environment below tmp.
func (c *Cache) pip(ctx context.Context, py python, l *lock, tmp string) ([]string, error) {
	env := cleanEnviron(c.environ)
	has := process{argv: []string{py.Executable, "-m", "pip", "--version"}, dir: tmp, env: env, lock: l}
	if _, err := has.run(ctx); err == nil {
		return []string{py.Executable, "-m", "pip"}, nil
	} else if !exited(err) {
		return nil, err
	}
	venv := filepath.Join(tmp, "pip")
	_, err := process{argv: []string{py.Executable, "-m", "venv", venv}, dir: tmp, env: env, lock: l,
		line: c.debug("venv")}.run(ctx)
	if exited(err) {
		return nil, errors.New(py.Executable + " has neither pip nor ensurepip, and one of them is needed to install uv " +
			uvVersion + ": install pip (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install python3-pip)")
	}
	if err != nil {
		return nil, err
	}
	return []string{filepath.Join(venv, "bin", "python"), "-m", "pip"}, nil
}

// settings returns the user's settings for uv.
func (c *Cache) settings(ctx context.Context, py python, l *lock, tmp string) (uvSettings, error) {
	list, err := c.pipConfig.get(ctx, c.environ, py, func(ctx context.Context) (string, error) {
		out, err := process{argv: []string{py.Executable, "-m", "pip", "config", "list"}, dir: tmp,
			env: cleanEnviron(c.environ), lock: l}.run(ctx)
		if err != nil && !exited(err) {
			return "", err
		}
		return string(out), nil
	})
	return settingsForUV(c.environ, list), err
}

// debug logs the lines of a subprocess.
func (c *Cache) debug(program string) func(string) {
	return func(line string) { c.log.Debug("runtimes: "+program, "line", line) }
}
