package runtimes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// A package from the real index, with everything a runtime promises.
func TestBuild(t *testing.T) {
	six := regexp.MustCompile(`(?m)^six==.*\n(    .*\n)+`).Find(ray260)
	c, err := open(t.TempDir(), Options{}, catalog{"Six1": {label: "six", lock: six, imports: []string{"six"},
		versions: map[string]string{"six": "1.17.0"}}})
	if err != nil {
		t.Fatal(err)
	}
	linkTools(t, c)
	c.beat = time.Millisecond
	var said []string
	rt, err := c.Ensure(t.Context(), "Six1", func(line string) { said = append(said, line) })
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{`^building runtime Six1 with Python 3\.1\d`, `(?m)^resolved 1 package$`,
		`(?m)^installed 1 package$`, `(?m)^compiled \d+ files?$`, `runtime Six1 is ready: 1 packages, \d+ MiB, \d+ s$`} {
		if !regexp.MustCompile(want).MatchString(all) {
			t.Errorf("progress does not match %s:\n%s", want, all)
		}
	}
	if rt.Name != "Six1" || filepath.Dir(rt.Dir) != c.dir || rt.Python != filepath.Join(rt.Dir, "bin", "python") {
		t.Errorf("runtime is %+v", rt)
	}
	m, err := readManifest(rt.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Packages, []string{"six-1.17.0"}) || m.Bytes == 0 || m.UV != uvVersion || m.Seconds <= 0 ||
		m.Runtime != "Six1" || m.Python.Executable == "" {
		t.Errorf("manifest is %+v", m)
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("the build left %v", left)
	}
	compiled, _ := filepath.Glob(filepath.Join(rt.Dir, "lib/*/site-packages/__pycache__/six.*.pyc"))
	if len(compiled) != 1 {
		t.Errorf("compiled files of six: %v", compiled)
	}
}

// Modules of the host do not get into a runtime, whatever the environment says.
func TestIsolation(t *testing.T) {
	c := newCache(t, openIndex(t, tinyCode))
	rt, err := c.Ensure(t.Context(), "Tiny1", nil)
	if err != nil {
		t.Fatal(err)
	}
	host := t.TempDir()
	minor := strings.TrimSpace(python3(t, rt, `import sys; print("%d.%d" % sys.version_info[:2])`))
	for _, dir := range []string{"lib", "user/lib/python" + minor + "/site-packages"} {
		if err := os.MkdirAll(filepath.Join(host, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := python3(t, rt, `import sys, os, shutil; print([p for p in sys.path if os.environ["HOST"] in p], shutil.which("python"))`,
		"HOST="+host, "PYTHONPATH="+filepath.Join(host, "lib"), "PYTHONUSERBASE="+filepath.Join(host, "user"),
		"PYTHONHOME="+host)
	if want := "[] " + rt.Python + "\n"; got != want {
		t.Errorf("host's paths in sys.path and the first python on PATH: %s, want %s", got, want)
	}
}

func TestUnknownRuntime(t *testing.T) {
	c, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Names(); !slices.Equal(got, []string{"Ray2.4", "Ray2.60"}) {
		t.Errorf("names are %v", got)
	}
	_, err = c.Ensure(t.Context(), "Ray9.9", nil)
	var e *remora.Error
	if !errors.As(err, &e) || e.Kind != remora.Invalid ||
		e.Message() != "Runtime Ray9.9 is not supported; supported: Ray2.4, Ray2.60" {
		t.Errorf("error is %v", err)
	}
}

// What is there is used without a process and without an index, also by another
// process (here: another Cache).
func TestReuse(t *testing.T) {
	x := openIndex(t, tinyCode)
	dir, bin := t.TempDir(), t.TempDir()
	c := openTest(t, dir, x.url(), x.lock())
	host, err := c.pythons.choose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counter, wrapper := filepath.Join(bin, "count"), filepath.Join(bin, "python")
	script := "#!/bin/sh\necho called >> " + counter + "\nexec " + host.Executable + ` "$@"` + "\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		data, _ := os.ReadFile(counter)
		return strings.Count(string(data), "called")
	}
	var first remora.Runtime
	for i := range 3 {
		c, err := open(dir, Options{Python: wrapper}, tinyCatalog(x.lock()))
		if err != nil {
			t.Fatal(err)
		}
		c.environ = testEnviron(x.url())
		rt, err := c.Ensure(t.Context(), "Tiny1", func(line string) {
			if i > 0 {
				t.Errorf("there was something to do: %s", line)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = rt
			x.Close()
		}
		if rt.Dir != first.Dir {
			t.Errorf("directory changed from %s to %s", first.Dir, rt.Dir)
		}
	}
	if n := count(); n != 1 {
		t.Errorf("the interpreter was asked what it is %d times, want once", n)
	}
}

// An environment that is not whole any more is built again.
func TestDamaged(t *testing.T) {
	x := openIndex(t, tinyCode)
	c := newCache(t, x)
	rt, err := c.Ensure(t.Context(), "Tiny1", nil)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func() error{
		"no manifest":    func() error { return os.Remove(filepath.Join(rt.Dir, manifestName)) },
		"torn manifest":  func() error { return os.Truncate(filepath.Join(rt.Dir, manifestName), 20) },
		"empty manifest": func() error { return os.WriteFile(filepath.Join(rt.Dir, manifestName), []byte("{}"), 0o644) },
		"no package": func() error {
			found, err := filepath.Glob(filepath.Join(rt.Dir, "lib/*/site-packages/tiny-1.0.dist-info"))
			if err != nil || len(found) != 1 {
				return errors.New("where is it?")
			}
			return os.RemoveAll(found[0])
		},
		"interpreter is gone": func() error {
			link := filepath.Join(rt.Dir, "bin", "python")
			return errors.Join(os.Remove(link), os.Symlink("/nonexistent/python3", link))
		},
	}
	for name, harm := range damage {
		t.Run(name, func(t *testing.T) {
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			before := x.fetched.Load()
			again, err := c.Ensure(t.Context(), "Tiny1", nil)
			if err != nil {
				t.Fatal(err)
			}
			if again.Dir != rt.Dir || x.fetched.Load() != before+1 {
				t.Errorf("it was not built again: %s, %d builds", again.Dir, x.fetched.Load()-before)
			}
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("the build left %v", left)
			}
			python3(t, again, "import tiny")
		})
	}
}

func TestCancel(t *testing.T) {
	x := newIndex(t, tinyCode)
	c := newCache(t, x)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Ensure(ctx, "Tiny1", nil)
		ended <- err
	}()
	wait(t, x.arrived, "uv's request for the package")
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) || remora.KindOf(err) != remora.Unavailable {
			t.Errorf("Ensure returned %v", err)
		}
	case <-time.After(deadline):
		t.Fatalf("Ensure did not return within %s", deadline)
	}
	// When it returns, everything is cleared away.
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("the build left %v", left)
	}
	if left := children(); len(left) > 0 {
		t.Errorf("the build left processes: %v", left)
	}
	wait(t, x.gone, "the end of uv's connection")

	close(x.gate)
	if _, err := c.Ensure(t.Context(), "Tiny1", nil); err != nil {
		t.Errorf("after a build that was cancelled: %v", err)
	}
}
