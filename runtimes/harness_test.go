package runtimes

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// deadline is for whatever a test waits for.
const deadline = 2 * time.Minute

// tools is a cache that holds nothing but uv, bootstrapped for real, which the
// caches of all tests link to.
var tools string

func TestMain(m *testing.M) {
	if os.Getenv(helperDir) != "" {
		os.Exit(helper())
	}
	os.Exit(func() int {
		var err error
		if tools, err = os.MkdirTemp("", "remora-runtimes-test-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(tools)
		code := m.Run()
		if left := children(); len(left) > 0 {
			fmt.Fprintln(os.Stderr, "FAIL: tests left processes behind:", left)
			return 1
		}
		return code
	}())
}

// children lists the processes whose parent this one is.
func children() []string {
	var out []string
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		rest := string(data[bytes.LastIndexByte(data, ')')+1:])
		if f := strings.Fields(rest); len(f) > 1 && f[1] == fmt.Sprint(os.Getpid()) {
			out = append(out, string(data[:bytes.LastIndexByte(data, ')')+1]))
		}
	}
	return out
}

// newCache opens a cache whose runtimes are made of what the index serves.
func newCache(t *testing.T, index *index) *Cache {
	t.Helper()
	return openTest(t, t.TempDir(), index.url(), index.lock())
}

// openTest opens a cache for lock in a directory.
func openTest(t *testing.T, dir, index, lock string) *Cache {
	t.Helper()
	c, err := open(dir, Options{}, tinyCatalog(lock))
	if err != nil {
		t.Fatal(err)
	}
	c.environ = testEnviron(index)
	linkTools(t, c)
	return c
}

// tinyCatalog has the runtime Tiny1, and Tiny0, which is the same with an older
// API of Ray.
func tinyCatalog(lock string) catalog {
	tiny := recipe{label: "tiny", lock: []byte(lock), imports: []string{"tiny"}, versions: map[string]string{"tiny": "1.0"}}
	older := tiny
	older.rayAPI = "2.4"
	return catalog{"Tiny1": &tiny, "Tiny0": &older}
}

// testEnviron is an environment in which uv knows one index and remembers
// nothing: every build asks the index.
func testEnviron(index string) []string {
	return append(os.Environ(), "UV_DEFAULT_INDEX="+index, "UV_NO_CACHE=1", "UV_HTTP_RETRIES=0", "NO_PROXY=127.0.0.1",
		"no_proxy=127.0.0.1")
}

// linkTools gives a cache the uv that was installed once for all tests.
func linkTools(t *testing.T, c *Cache) {
	t.Helper()
	py, err := c.pythons.choose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shared := &Cache{dir: tools, log: c.log, environ: os.Environ()}
	bin, err := shared.uv(t.Context(), py, newReport(func(line string) { t.Log(line) }, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(filepath.Dir(bin))
	if err := os.Symlink(dir, filepath.Join(c.dir, filepath.Base(dir))); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

// index is a package index on this host that serves one package, tiny 1.0. It
// can hold requests back.
type index struct {
	*httptest.Server
	wheel   []byte
	fetched atomic.Int32  // how often the wheel was asked for: once in every build
	arrived chan struct{} // gets a value for every request
	gone    chan struct{} // gets a value for every request that its client gave up
	gate    chan struct{} // closed: requests are answered
}

// newIndex starts an index whose package has the given code.
func newIndex(t *testing.T, code string) *index {
	t.Helper()
	x := &index{arrived: make(chan struct{}, 100), gone: make(chan struct{}, 100), gate: make(chan struct{})}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, f := range [][2]string{
		{"tiny/__init__.py", code},
		{"tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"},
		{"tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{"tiny-1.0.dist-info/RECORD", "tiny/__init__.py,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\n" +
			"tiny-1.0.dist-info/RECORD,,\n"},
	} {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, f[1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	x.wheel = buf.Bytes()
	const file = "tiny-1.0-py3-none-any.whl"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/tiny/", func(w http.ResponseWriter, r *http.Request) {
		x.arrived <- struct{}{}
		select {
		case <-x.gate:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<!DOCTYPE html><html><body><a href="/files/%s#sha256=%s">%s</a></body></html>`, file, x.sum(), file)
		case <-r.Context().Done():
			x.gone <- struct{}{}
		}
	})
	mux.HandleFunc("GET /files/"+file, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") == "" {
			x.fetched.Add(1)
		}
		http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(x.wheel))
	})
	x.Server = httptest.NewServer(mux)
	t.Cleanup(x.Close)
	return x
}

const tinyCode = "__version__ = '1.0'\n"

// openIndex starts an index that holds nothing back.
func openIndex(t *testing.T, code string) *index {
	x := newIndex(t, code)
	close(x.gate)
	return x
}

func (x *index) url() string { return x.URL + "/simple" }

func (x *index) sum() string {
	sum := sha256.Sum256(x.wheel)
	return hex.EncodeToString(sum[:])
}

func (x *index) lock() string { return "tiny==1.0 \\\n    --hash=sha256:" + x.sum() + "\n" }

// wait waits for a value or the end of a channel.
func wait(t *testing.T, ch <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(deadline):
		t.Fatalf("%s did not happen within %s", what, deadline)
	}
}

// leftovers lists unfinished directories in a cache.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+staging))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// python3 runs code with a runtime as a job would, and returns what it prints.
func python3(t *testing.T, rt remora.Runtime, code string, env ...string) string {
	t.Helper()
	cmd := exec.Command(rt.Python, "-c", code)
	cmd.Env = append(os.Environ(), env...)
	for name, value := range rt.Environment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", rt.Python, err)
	}
	return string(out)
}
