package runtimes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
)

// fakePython makes a program that answers the probe as the given interpreter
// would.
func fakePython(t *testing.T, dir, name, implementation, version string, freeThreaded bool) string {
	t.Helper()
	path := filepath.Join(dir, name)
	answer := fmt.Sprintf(`{"executable": %q, "version": %q, "implementation": %q, "abi": "x", "platform": "y", "freeThreaded": %t}`,
		path, version, implementation, freeThreaded)
	script(t, path, "echo '"+answer+"'")
	return path
}

func script(t *testing.T, path, code string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+code+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestChoosePython(t *testing.T) {
	cases := []struct {
		name   string
		path   func(dir string) // puts interpreters into the only directory of PATH
		wanted string
		want   string // version
		kind   remora.Kind
		says   []string
	}{
		{name: "python3 first", want: "3.11.2", path: func(dir string) {
			fakePython(t, dir, "python3", "cpython", "3.11.2", false)
			fakePython(t, dir, "python3.13", "cpython", "3.13.0", false)
		}},
		{name: "python3 too new", want: "3.13.0", path: func(dir string) {
			fakePython(t, dir, "python3", "cpython", "3.14.0", false)
			fakePython(t, dir, "python3.12", "cpython", "3.12.0", false)
			fakePython(t, dir, "python3.13", "cpython", "3.13.0", false)
		}},
		{name: "shim without version", want: "3.10.13", path: func(dir string) {
			script(t, filepath.Join(dir, "python3.13"), "echo 'pyenv: python3.13: command not found' >&2; exit 127")
			fakePython(t, dir, "python3.10", "cpython", "3.10.13", false)
		}},
		{name: "none", path: func(string) {}, kind: remora.Unavailable,
			says: []string{"runtimes need CPython 3.10 to 3.13, and there is none on PATH. Install one", "apt install python3"}},
		{name: "none that fits", kind: remora.Unavailable, path: func(dir string) {
			fakePython(t, dir, "python3", "cpython", "3.9.18", false)
			fakePython(t, dir, "python3.13", "cpython", "3.13.1", true)
			fakePython(t, dir, "python3.11", "pypy", "3.11.9", false)
			script(t, filepath.Join(dir, "python3.10"), "echo 'pyenv: python3.10: command not found' >&2; exit 127")
		}, says: []string{"/python3 is Python 3.9.18", "/python3.13 is the free-threaded build", "/python3.11 is pypy 3.11.9, not CPython",
			"python3.10 does not run (pyenv: python3.10: command not found)"}},
		{name: "wanted", wanted: "python3.12", want: "3.12.4", path: func(dir string) {
			fakePython(t, dir, "python3", "cpython", "3.11.2", false)
			fakePython(t, dir, "python3.12", "cpython", "3.12.4", false)
		}},
		{name: "wanted does not fit", wanted: "python2", kind: remora.Invalid, path: func(dir string) {
			fakePython(t, dir, "python2", "cpython", "2.7.18", false)
		}, says: []string{"python2 is Python 2.7.18; runtimes need CPython 3.10 to 3.13"}},
		{name: "wanted is not there", wanted: "/nonexistent/python3", kind: remora.Invalid, path: func(string) {},
			says: []string{"use /nonexistent/python3 as the Python of runtimes", "no such file"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			tc.path(dir)
			t.Setenv("PATH", dir)
			c, err := open(t.TempDir(), Options{Python: tc.wanted}, catalog{})
			if tc.want == "" {
				if err == nil || remora.KindOf(err) != tc.kind {
					t.Fatalf("error is %v (%v), want %v", err, remora.KindOf(err), tc.kind)
				}
				for _, s := range tc.says {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%q is not in the message: %v", s, err)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.pythons.chosen.Python.Version; got != tc.want {
				t.Errorf("chose %s, want %s", got, tc.want)
			}
		})
	}
}

// What was noted of an interpreter holds until it is replaced, and a torn file
// of notes is as good as none.
func TestNotes(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	version := func() string {
		c, err := open(cache, Options{}, catalog{})
		if err != nil {
			t.Fatal(err)
		}
		return c.pythons.chosen.Python.Version
	}
	fakePython(t, bin, "python3", "cpython", "3.11.2", false)
	if got := version(); got != "3.11.2" {
		t.Errorf("version is %s", got)
	}
	fakePython(t, bin, "python3", "cpython", "3.12.10", false)
	if got := version(); got != "3.12.10" {
		t.Errorf("after an upgrade the version is %s", got)
	}
	if err := os.Truncate(filepath.Join(cache, "pythons.json"), 30); err != nil {
		t.Fatal(err)
	}
	if got := version(); got != "3.12.10" {
		t.Errorf("with a torn file of notes the version is %s", got)
	}
}

// An interpreter that is a virtual environment's stands for the one below it,
// which stays when the virtual environment goes.
func TestVirtualEnvironmentIsSeenThrough(t *testing.T) {
	x := openIndex(t, tinyCode)
	c := newCache(t, x)
	rt, err := c.Ensure(t.Context(), "Tiny1", nil)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := open(t.TempDir(), Options{Python: rt.Python}, catalog{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := inside.pythons.chosen.Python.Executable, c.pythons.chosen.Python.Executable; got != want {
		t.Errorf("executable is %s, want %s", got, want)
	}
}
