package runtimes

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
)

func TestSpecifications(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	whl, sdist, spaced := path("My_Pkg-1.0-py3-none-any.whl"), path("my.pkg-1.0.tar.gz"), path("a b #c ${HOME}-1.0.zip")
	for given, want := range map[string]string{
		"six":                      "six",
		" Six ":                    "six",
		"my_Pkg.x":                 "my-pkg-x",
		"six==1.17.0":              "six==1.17.0",
		"six (>= 1, <2)":           "six<2,>=1",
		"six>=1,<2":                "six<2,>=1",
		"torch==2.0+cpu":           "torch==2.0+cpu",
		"a===1.0.post1":            "a===1.0.post1",
		"a==1.*":                   "a==1.*",
		"A[B_c,a, a]~=1.0":         "a[a,b-c]~=1.0",
		"a[]":                      "a",
		`a>=1 ;python_version<"3"`: `a>=1 ; python_version<"3"`,
		`a; sys_platform == 'x' or (python_version > "3" and extra == "y")`: `a ; sys_platform == 'x' or (python_version > "3" and extra == "y")`,
		whl:                  "my-pkg @ file://" + whl,
		"file://" + whl:      "my-pkg @ file://" + whl,
		"My-pkg[X] @ " + whl: "my-pkg[x] @ file://" + whl,
		sdist:                "file://" + sdist,
		spaced:               "file://" + filepath.Dir(spaced) + "/a%20b%20%23c%20$%7BHOME%7D-1.0.zip",
	} {
		r, err := parseSpecification(given)
		if err != nil || r.line != want {
			t.Errorf("%q is %q, %v; want %q", given, r.line, err, want)
		}
	}
	for _, given := range []string{"", " ", "-r x", "--index-url http://e/", "-e .", "six --index-url=http://e/", "six\n--index-url=x",
		"six # comment", "six \\", "six ${HOME}", "http://e/x.whl", "x @ https://e/x.whl", "git+ssh://e/x", "x @ git+https://e/x",
		"./x.whl", "x.whl/../y", "six==", "six=1", "six 1.0", "six==1.0 --hash=sha256:00", "[x]", "==1", "six; os.system`x`",
		"six; a\x00", "six; x #", "six; @", "file://host/x.whl", "/none/x-1.0-py3-none-any.whl", dir + "/", "/etc/passwd", "six>=1;;", "a@b",
		whl + "#sha256=00", strings.Repeat("x", 5000)} {
		if r, err := parseSpecification(given); remora.KindOf(err) != remora.Invalid {
			t.Errorf("%q is %q, %v", given, r.line, err)
		}
	}
}

// What is asked for of a file is a part of what is asked for.
func TestExtrasOfFiles(t *testing.T) {
	whl := filepath.Join(t.TempDir(), "boxed-1.0-py3-none-any.whl")
	if err := os.WriteFile(whl, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, given := range []string{whl, "boxed @ " + whl, "boxed[] @ file://" + whl, "boxed[more] @ " + whl, "Boxed[ More,more ]@" + whl,
		"boxed[less,more] @ " + whl} {
		r, sum, err := parseSpecifications([]string{given})
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := sums[r[0].line]; ok && before != sum {
			t.Errorf("%q has another identity than %q", given, r[0].line)
		}
		sums[r[0].line] = sum
	}
	if len(sums) != 3 || len(slices.Compact(slices.Sorted(maps.Values(sums)))) != 3 {
		t.Errorf("identities: %v, want three", sums)
	}
}

// Whatever is accepted is one line that uv takes for a requirement and nothing
// else, and what it is turned into means the same.
func FuzzSpecification(f *testing.F) {
	for _, s := range []string{"six", "six[a,b]>=1,<2; python_version<'3'", "a @ /x.whl", "--index-url=x", "six # x", "a\n-r b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, given string) {
		r, err := parseSpecification(given)
		if err != nil {
			if remora.KindOf(err) != remora.Invalid {
				t.Errorf("%q: %v", given, err)
			}
			return
		}
		if strings.ContainsAny(r.line, "\n\r\x00#\\$`") || r.line == "" || r.line[0] == '-' || strings.Contains(r.line, " --") {
			t.Errorf("%q becomes %q", given, r.line)
		}
		again, err := parseSpecification(r.line)
		if err != nil || again.identity() != r.identity() || again.line != r.line {
			t.Errorf("%q becomes %q, and that %q, %v", given, r.line, again.line, err)
		}
	})
}
