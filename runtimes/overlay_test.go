package runtimes

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	remora "github.com/remora-project/remora"
)

// snapshot is the names, sizes and times of all files in a directory.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && d.Name() != ".lock" { // uv's own, empty
			fmt.Fprintln(&out, path, info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const show = `import importlib, sys
for m in "tiny", "lib", "app", "extra":
    try: print(m, importlib.import_module(m).__version__, end=" ")
    except ImportError: pass`

func TestOverlay(t *testing.T) {
	x := newShelf(t)
	c, rt := newOverlayCache(t, x)
	before := snapshot(t, rt.Dir)
	local := t.TempDir()
	file, data := wheel(t, "extra", "7.0")
	if err := os.WriteFile(filepath.Join(local, file), data, 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		want []string
		has  string
	}{
		{"nothing", nil, "tiny 1.0 lib 2.0 "},
		{"what is there", []string{"tiny", "lib>=1"}, "tiny 1.0 lib 2.0 "},
		{"another package, which keeps what is there", []string{"app"}, "tiny 1.0 lib 2.0 app 1.0 "},
		{"extras", []string{"App[More] >= 1.0"}, "tiny 1.0 lib 2.0 app 1.0 extra 1.0 "},
		{"older", []string{"lib<2"}, "tiny 1.0 lib 1.0 "},
		{"newer", []string{"lib>2,!=2.5", "app"}, "tiny 1.0 lib 3.0 app 1.0 "},
		{"what does not go with the runtime's version", []string{"newlib"}, "tiny 1.0 lib 3.0 "},
		{"a marker that does not hold", []string{`lib==1.0; python_version < "3"`}, "tiny 1.0 lib 2.0 "},
		{"the runtime's own", []string{"tiny==1.0"}, "tiny 1.0 lib 2.0 "},
		{"a file", []string{filepath.Join(local, file)}, "tiny 1.0 lib 2.0 extra 7.0 "},
		{"a file's address", []string{"extra @ file://" + filepath.Join(local, file), "app"}, "tiny 1.0 lib 2.0 app 1.0 extra 7.0 "},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := c.Overlay(t.Context(), "Tiny1", tc.want, nil)
			if err != nil {
				t.Fatal(err)
			}
			if has := python3(t, got, show); has != tc.has {
				t.Errorf("a script sees %q, want %q", has, tc.has)
			}
			if got.Dir != rt.Dir || got.Python != rt.Python || got.Name != rt.Name {
				t.Errorf("runtime is %+v", got)
			}
			if has := python3(t, rt, show); has != "tiny 1.0 lib 2.0 " {
				t.Errorf("without the overlay a script sees %q", has)
			}
		})
	}
	if after := snapshot(t, rt.Dir); after != before {
		t.Errorf("the runtime has changed:\n%s\n%s", before, after)
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	t.Run("scripts", func(t *testing.T) {
		got, err := c.Overlay(t.Context(), "Tiny1", []string{"lib<2"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		said := python3(t, got, `import subprocess; print(subprocess.check_output("run-lib", text=True))`)
		if strings.TrimSpace(said) != "lib 1.0" {
			t.Errorf("run-lib says %q", said)
		}
		compiled, _ := filepath.Glob(filepath.Join(got.Path[0], "lib/__pycache__/*.pyc"))
		if len(compiled) != 1 {
			t.Errorf("compiled files: %v", compiled)
		}
	})
}

// The same again costs no process and no request, whoever asks and however it
// is written.
func TestOverlayReuse(t *testing.T) {
	x := newShelf(t)
	c, _ := newOverlayCache(t, x)
	dirs := []string{t.TempDir(), t.TempDir()}
	file, data := wheel(t, "extra", "7.0")
	for _, d := range dirs {
		if err := os.WriteFile(filepath.Join(d, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	first, err := c.Overlay(t.Context(), "Tiny1", []string{"app", "lib<3,>=1", filepath.Join(dirs[0], file)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	again, err := open(c.dir, Options{}, c.catalog)
	if err != nil {
		t.Fatal(err)
	}
	// No uv, no index: whatever it tried would fail.
	again.environ = []string{"UV_DEFAULT_INDEX=http://127.0.0.1:1"}
	for _, found := range first2(filepath.Glob(filepath.Join(c.dir, "uv-*"+uvDirPattern))) {
		_ = os.Remove(found)
	}
	for _, want := range [][]string{
		{"app", "lib<3,>=1", filepath.Join(dirs[0], file)},
		{"file://" + filepath.Join(dirs[1], file), "App", "app ", " lib (>= 1, <3)"},
	} {
		got, err := again.Overlay(t.Context(), "Tiny1", want, func(line string) {
			t.Errorf("there was something to do: %s", line)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Path[0] != first.Path[0] {
			t.Errorf("%q is in %s, want %s", want, got.Path[0], first.Path[0])
		}
	}
}

func first2[T any](v []T, _ error) []T { return v }

// What users read: uv's own words, and what to do. The cache stays sound.
func TestOverlayFailures(t *testing.T) {
	x := newShelf(t)
	c, rt := newOverlayCache(t, x)
	dir := t.TempDir()
	put := func(file string, data []byte) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	_, tiny := wheel(t, "tiny", "1.0")
	tinyPath := put("tiny-1.0-py3-none-any.whl", tiny)
	broken := put("broken-1.0-py3-none-any.whl", []byte("no zip"))
	misnamed := put("other-1.0-py3-none-any.whl", tiny)
	foreign := put("app-1.0-cp27-cp27m-win32.whl", tiny)
	smuggler := put("smuggler-1.0-py3-none-any.whl", smuggle(t))
	cases := []struct {
		name string
		want []string
		kind remora.Kind
		says []string
	}{
		{"does not exist", []string{"nosuch"}, remora.Invalid, []string{"install nosuch over runtime Tiny1", "nosuch was not found in the package registry"}},
		{"no such version", []string{"lib==9"}, remora.Invalid, []string{"lib==9"}},
		{"conflict", []string{"lib<2", "lib>2"}, remora.Invalid, []string{"lib<2", "lib>2", "unsatisfiable"}},
		{"conflict with a dependency", []string{"newlib", "lib<3"}, remora.Invalid, []string{"newlib", "lib>=3", "lib<3", "unsatisfiable"}},
		{"replaces", []string{"tiny==2.0"}, remora.Invalid,
			[]string{`tiny is part of the runtime Tiny1 (1.0) and cannot be replaced by "tiny==2.0"`, "tiny==1.0"}},
		{"replaces by a range", []string{"app", "Tiny >1"}, remora.Invalid, []string{`cannot be replaced by "Tiny >1"`}},
		{"excludes", []string{"tiny!=1.0"}, remora.Invalid, []string{`cannot be replaced by "tiny!=1.0"`}},
		{"replaces by a dependency", []string{"newtiny"}, remora.Invalid,
			[]string{"tiny is part of the runtime Tiny1 (1.0) and cannot be replaced: ", "newtiny", "tiny>=2"}},
		{"replaces by a file", []string{tinyPath}, remora.Invalid, []string{`cannot be replaced by "tiny-1.0-py3-none-any.whl"`}},
		{"replaces by a file of another name", []string{misnamed}, remora.Invalid, []string{"tiny"}},
		{"replaces by a module", []string{smuggler}, remora.Invalid,
			[]string{"tiny is part of the runtime Tiny1 (1.0) and cannot be replaced: one of smuggler @ file:", "brings another module tiny.py"}},
		{"corrupt", []string{broken}, remora.Invalid, []string{"broken-1.0", "central directory"}},
		{"other platform", []string{foreign}, remora.Invalid, []string{"app"}},
		{"no such file", []string{filepath.Join(dir, "none-1.0-py3-none-any.whl")}, remora.Invalid, []string{"no such file"}},
		{"an option", []string{"--index-url=http://evil.example/"}, remora.Invalid, []string{"options of pip cannot be given"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, err := c.Overlay(t.Context(), "Tiny1", tc.want, nil)
			if remora.KindOf(err) != tc.kind {
				t.Errorf("%v: %v", remora.KindOf(err), err)
			}
			for _, s := range tc.says {
				if err != nil && !strings.Contains(err.Error(), s) {
					t.Errorf("%q is not in the message:\n%v", s, err)
				}
			}
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
	t.Run("offline", func(t *testing.T) {
		environ := c.environ
		defer func() { c.environ = environ }()
		c.environ = append(environ, "UV_OFFLINE=1")
		_, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
		if remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), "network was disabled") ||
			!strings.Contains(err.Error(), "set UV_DEFAULT_INDEX") {
			t.Errorf("%v: %v", remora.KindOf(err), err)
		}
		c.environ = append(environ, "UV_DEFAULT_INDEX=http://127.0.0.1:1/simple")
		_, err = c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
		if remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%v: %v", remora.KindOf(err), err)
		}
	})
	// None of that has spoilt what works.
	got, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if has := python3(t, got, show); has != "tiny 1.0 lib 2.0 app 1.0 " {
		t.Errorf("a script sees %q", has)
	}
	if has := python3(t, rt, show); has != "tiny 1.0 lib 2.0 " {
		t.Errorf("without an overlay a script sees %q", has)
	}
}

// smuggle is a wheel of one name with a module of another.
func smuggle(t *testing.T) []byte {
	t.Helper()
	_, data := wheel(t, "smuggler", "1.0")
	return withFile(t, data, "tiny.py", "__version__ = '6.66'\n")
}

// withFile is a wheel with one file more.
func withFile(t *testing.T, data []byte, name, content string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	out := zip.NewWriter(&buf)
	w, err := out.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, content)
	for _, f := range in.File {
		if err := out.Copy(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// Of ten callers one installs; and a damaged overlay is made again.
func TestOverlayTogether(t *testing.T) {
	x := newShelf(t)
	c, _ := newOverlayCache(t, x)
	for len(x.lists) > 0 {
		<-x.lists
	}
	held := x.pages.shut()
	var all, joined sync.WaitGroup
	joined.Add(10)
	var paths sync.Map
	for range 10 {
		all.Go(func() {
			var once sync.Once
			rt, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, func(string) { once.Do(joined.Done) })
			if err != nil {
				t.Error(err)
				once.Do(joined.Done)
			}
			paths.Store(rt.Path[0], true)
		})
	}
	joined.Wait()
	close(held)
	all.Wait()
	n := 0
	paths.Range(func(path, _ any) bool {
		n++
		if err := os.RemoveAll(filepath.Join(path.(string), "app-1.0.dist-info")); err != nil {
			t.Error(err)
		}
		return true
	})
	asked := map[string]int{}
	for len(x.lists) > 0 {
		asked[<-x.lists]++
	}
	if n != 1 || asked["app"] > 2 { // once to resolve, once to install
		t.Errorf("%d overlays, the index was asked for %v", n, asked)
	}
	rt, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if has := python3(t, rt, show); !regexp.MustCompile("app 1.0").MatchString(has) {
		t.Errorf("after the damage a script sees %q", has)
	}
}
