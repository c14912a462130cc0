package runtimes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
)

// What a job replaces of the runtime is said in its log: by whoever builds the
// overlay and by whoever finds it.
func TestOverlaySaysWhatItReplaces(t *testing.T) {
	x := newShelf(t)
	c, _ := newOverlayCache(t, x)
	const notice = "packages of the runtime are replaced for this job alone: lib 3.0 for 2.0; "
	for _, moment := range []string{"first", "again"} {
		for want, told := range map[string]bool{"newlib": true, "app": false} {
			var said []string
			if _, err := c.Overlay(t.Context(), "Tiny1", []string{want}, func(line string) { said = append(said, line) }); err != nil {
				t.Fatal(err)
			}
			if got := slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, notice) }); got != told {
				t.Errorf("%s, %s: it said %q", want, moment, said)
			}
		}
	}
}

// What replaces packages of the runtime has to be what the one can use that it
// is named for.
func TestOverlayKeepsWhatTheRuntimeNeeds(t *testing.T) {
	x := newShelf(t)
	file, data := wheel(t, "tiny", "1.0", "lib>=2")
	x.wheels[file] = data
	delete(x.wheels, "tiny-2.0-py3-none-any.whl") // uv speaks of the latest version as tiny>=1.0
	file, data = wheel(t, "oldlib", "1.0", "lib<2")
	x.wheels[file] = data
	c, _ := newOverlayCache(t, x)
	for _, want := range []string{"lib<2", "oldlib"} {
		_, err := c.Overlay(t.Context(), "Tiny1", []string{want}, nil)
		if remora.KindOf(err) != remora.Invalid {
			t.Fatalf("%s: %v: %v", want, remora.KindOf(err), err)
		}
		for _, words := range []string{"install " + want + " over runtime Tiny1: ", "lib>=2", "lib<2", "tiny"} {
			if !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "cannot be replaced") {
				t.Errorf("%s: %q is not in the message, or it speaks of replacing:\n%v", want, words, err)
			}
		}
	}
	rt, err := c.Overlay(t.Context(), "Tiny1", []string{"newlib"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if has := python3(t, rt, show); has != "tiny 1.0 lib 3.0 " {
		t.Errorf("a script sees %q", has)
	}
}

// native adds a wheel to the shelf that has a module with the given words in it,
// as those have that compilers make.
func (x *shelf) native(t *testing.T, name, words string, requires ...string) {
	t.Helper()
	file, data := wheel(t, name, "1.0", requires...)
	x.wheels[file] = withFile(t, data, name+"/_ext.cpython-311-x86_64-linux-gnu.so", words)
}

const (
	forNumpy1 = "\x00numpy.core._multiarray_umath\x00"
	forBoth   = "\x00numpy._core._multiarray_umath\x00numpy.core._multiarray_umath\x00"
)

// What was built for numpy 1 gets one, and nothing else does.
func TestOverlayNumpy(t *testing.T) {
	x := newShelf(t)
	for _, version := range []string{"1.26", "2.4"} {
		file, data := wheel(t, "numpy", version)
		x.wheels[file] = data
	}
	x.native(t, "older", forNumpy1, "numpy")
	x.native(t, "newer", forBoth, "numpy")
	x.native(t, "strict", forNumpy1, "numpy>=2")
	for _, w := range [][2]string{{"1.0", "numpy"}, {"2.0", "numpy>=2"}} {
		file, data := wheel(t, "picky", w[0], w[1])
		x.wheels[file] = data
	}
	c := openTest(t, t.TempDir(), x.url(), x.lock()+x.pin("numpy-2.4"))
	const numpy = `import numpy, sys; sys.stdout.write(numpy.__version__)`
	const because = "older was built for numpy 1, which is why numpy is replaced"
	for _, tc := range []struct {
		want          []string
		numpy, notice string
	}{
		{[]string{"older"}, "1.26", because},
		{[]string{"older", "app"}, "1.26", because},
		{[]string{"older", "picky"}, "1.26", because}, // which has to be another one then
		{[]string{"older", "numpy==1.26"}, "1.26", ""},
		{[]string{"newer"}, "2.4", ""},
		{[]string{"older", "numpy==2.4"}, "2.4", "older was built for numpy 1 and may not import: "},
		{[]string{"strict"}, "2.4", "strict was built for numpy 1 and may not import: "},
	} {
		t.Run(strings.Join(tc.want, " "), func(t *testing.T) {
			var said []string
			rt, err := c.Overlay(t.Context(), "Tiny1", tc.want, func(line string) { said = append(said, line) })
			if err != nil {
				t.Fatal(err)
			}
			if got := python3(t, rt, numpy); got != tc.numpy {
				t.Errorf("a script sees numpy %s, want %s", got, tc.numpy)
			}
			for _, r := range tc.want {
				if found, _ := filepath.Glob(filepath.Join(rt.Path[0], r+"-*.dist-info")); len(found) != 1 && !strings.HasPrefix(r, "numpy") {
					t.Errorf("of %s there is %q", r, found)
				}
			}
			found := ""
			for _, line := range said {
				if strings.Contains(line, "built for numpy 1") {
					found = line
				}
			}
			if !strings.HasPrefix(found, tc.notice) || tc.notice == "" && found != "" {
				t.Errorf("it said %q, want %q", found, tc.notice)
			}
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// A word is found wherever it is, also where one piece that is read ends and the
// next begins.
func TestContains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.so")
	for _, at := range []int{0, 1, 1<<20 - 5, 1<<20 - 4, 1<<20 - 1, 1 << 20, 2<<20 - 8, 3 << 20} {
		data := slices.Concat(make([]byte, at), []byte("word"), make([]byte, 7))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if has, err := contains(path, "words", "word"); err != nil || has[0] || !has[1] {
			t.Errorf("a word at %d: %v, %v", at, has, err)
		}
	}
}
