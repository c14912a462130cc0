package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
)

// What users read when a build fails: what was attempted, uv's or pip's own
// words, and what to do.
func TestFailures(t *testing.T) {
	good := openIndex(t, tinyCode)
	cases := []struct {
		name string
		make func(t *testing.T) *Cache
		want []string
		not  []string
	}{
		{"nobody listens at the index", func(t *testing.T) *Cache {
			return openTest(t, t.TempDir(), "http://127.0.0.1:1/simple", good.lock())
		}, []string{"build runtime Tiny1: install the packages: Failed to fetch: ", "127.0.0.1:1", "set UV_DEFAULT_INDEX"}, []string{"Using Python"}},
		{"offline", func(t *testing.T) *Cache {
			c := newCache(t, good)
			c.environ = append(c.environ, "UV_OFFLINE=1")
			return c
		}, []string{"network was disabled", "set UV_DEFAULT_INDEX"}, nil},
		{"other file", func(t *testing.T) *Cache {
			return openTest(t, t.TempDir(), good.url(), strings.Replace(good.lock(), good.sum()[:8], "00000000", 1))
		}, []string{"tiny==1.0", "sha256:00000000", "other files than those that Remora was tested with"}, nil},
		{"no such package", func(t *testing.T) *Cache {
			return openTest(t, t.TempDir(), good.url(), strings.Replace(good.lock(), "tiny", "nosuch", 1))
		}, []string{"nosuch was not found in the package registry"}, nil},
		{"does not import", func(t *testing.T) *Cache {
			return newCache(t, openIndex(t, "import nothing_of_that_name\n"))
		}, []string{"import the packages: tiny does not import: ModuleNotFoundError: No module named 'nothing_of_that_name'"},
			[]string{"Traceback", "File"}},
		{"other version", func(t *testing.T) *Cache {
			return newCache(t, openIndex(t, "__version__ = '0.9'\n"))
		}, []string{`tiny is version "0.9" instead of "1.0"`}, nil},
		{"uv's index does not answer", func(t *testing.T) *Cache {
			c, err := open(t.TempDir(), Options{}, tinyCatalog(good.lock()))
			if err != nil {
				t.Fatal(err)
			}
			c.environ = append(os.Environ(), "PIP_INDEX_URL=http://127.0.0.1:1/simple", "PIP_RETRIES=0", "PIP_FIND_LINKS=",
				"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
			return c
		}, []string{"get uv: install uv " + uvVersion + " with pip of ", "No matching distribution found for uv==", "pip's index-url"}, nil},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := tc.make(t)
			_, err := c.Ensure(t.Context(), "Tiny1", nil)
			if remora.KindOf(err) != remora.Unavailable {
				t.Fatalf("Ensure returned %v: %v", remora.KindOf(err), err)
			}
			t.Log(err)
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in the message:\n%v", want, err)
				}
			}
			for _, not := range tc.not {
				if strings.Contains(err.Error(), not) {
					t.Errorf("%q is in the message:\n%v", not, err)
				}
			}
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("the build left %v", left)
			}
		})
	}
}

// wrappedPython is an interpreter that lacks some of the host's modules.
func wrappedPython(t *testing.T, c *Cache, lacks ...string) python {
	t.Helper()
	py, err := c.pythons.choose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n"
	for _, m := range lacks {
		script += `case "$*" in "-m ` + m + `"*) echo "No module named ` + m + `" >&2; exit 1;; esac` + "\n"
	}
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte(script+"exec "+py.Executable+` "$@"`+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	py.Executable = path
	return py
}

func TestBootstrapWithoutPip(t *testing.T) {
	c, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	say := newReport(func(string) {}, c.beat)
	if _, err := c.uv(t.Context(), wrappedPython(t, c, "pip", "venv"), say); err == nil ||
		!strings.Contains(err.Error(), "has neither pip nor ensurepip") || !strings.Contains(err.Error(), "apt install python3-pip") {
		t.Errorf("without pip and ensurepip: %v", err)
	}
	bin, err := c.uv(t.Context(), wrappedPython(t, c, "pip"), say)
	if err != nil {
		t.Fatalf("with ensurepip: %v", err)
	}
	out, err := exec.Command(bin, "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "uv "+uvVersion) {
		t.Errorf("uv --version: %s %v", out, err)
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("the bootstrap left %v", left)
	}
}
