package runtimes

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// wheel makes a pure-Python wheel: one module of the distribution's name, which
// says its version, and a script.
func wheel(t testing.TB, name, version string, requires ...string) (file string, data []byte) {
	t.Helper()
	info := name + "-" + version + ".dist-info/"
	metadata := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	record := ""
	for _, f := range [][2]string{
		{name + "/__init__.py", "__version__ = '" + version + "'\ndef main(): print('" + name + " " + version + "')\n"},
		{info + "METADATA", metadata},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "entry_points.txt", "[console_scripts]\nrun-" + name + " = " + name + ":main\n"},
		{info + "RECORD", ""},
	} {
		record += f[0] + ",,\n"
		if f[1] == "" {
			f[1] = record
		}
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, f[1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return name + "-" + version + "-py3-none-any.whl", buf.Bytes()
}

// shelf is a package index of several distributions.
type shelf struct {
	*httptest.Server
	wheels map[string][]byte // by file name
	asked  atomic.Int32
	pages  gate
	files  gate        // of the wheels
	lists  chan string // gets the name of every distribution, and of every wheel, asked for
}

// gate holds requests back. It may be shut while earlier ones are still on
// their way: clients give requests up and go on without them.
type gate struct{ open atomic.Pointer[chan struct{}] }

// shut holds back what comes until the channel is closed.
func (g *gate) shut() chan struct{} {
	open := make(chan struct{})
	g.open.Store(&open)
	return open
}

// passes waits for the gate; false if the client has gone.
func (g *gate) passes(r *http.Request) bool {
	open := g.open.Load()
	if open == nil {
		return true
	}
	select {
	case <-*open:
		return true
	case <-r.Context().Done():
		return false
	}
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	x := &shelf{wheels: map[string][]byte{}, lists: make(chan string, 1000)}
	for _, w := range []struct {
		name, version string
		requires      []string
	}{
		{"tiny", "0.9", nil}, {"tiny", "1.0", nil}, {"tiny", "2.0", nil},
		{"lib", "1.0", nil}, {"lib", "2.0", nil}, {"lib", "3.0", nil},
		{"app", "1.0", []string{"lib", "extra; extra == 'more'"}},
		{"newlib", "1.0", []string{"lib>=3"}}, {"newtiny", "1.0", []string{"tiny>=2"}}, {"extra", "1.0", nil},
	} {
		file, data := wheel(t, w.name, w.version, w.requires...)
		x.wheels[file] = data
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simple/{name}/", func(w http.ResponseWriter, r *http.Request) {
		x.asked.Add(1)
		x.lists <- r.PathValue("name")
		if !x.pages.passes(r) {
			return
		}
		links := ""
		for file, data := range x.wheels {
			if strings.HasPrefix(file, r.PathValue("name")+"-") {
				links += fmt.Sprintf("<a href=\"/files/%s#sha256=%x\">%s</a>\n", file, sha256.Sum256(data), file)
			}
		}
		if links == "" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!DOCTYPE html><html><body>%s</body></html>", links)
	})
	mux.HandleFunc("GET /files/{file}", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.Header.Get("Range") == "" { // not just for its metadata
			x.lists <- r.PathValue("file")
			if !x.files.passes(r) {
				return
			}
		}
		http.ServeContent(w, r, r.PathValue("file"), time.Time{}, bytes.NewReader(x.wheels[r.PathValue("file")]))
	})
	x.Server = httptest.NewServer(mux)
	t.Cleanup(x.Close)
	return x
}

func (x *shelf) url() string { return x.URL + "/simple" }

// lock is of the runtime that newOverlayCache makes.
func (x *shelf) lock() string {
	return x.pin("tiny-1.0") + x.pin("lib-2.0")
}

// pin is a line of a lock.
func (x *shelf) pin(p string) string {
	name, version, _ := strings.Cut(p, "-")
	return fmt.Sprintf("%s==%s --hash=sha256:%x\n", name, version, sha256.Sum256(x.wheels[p+"-py3-none-any.whl"]))
}

// newOverlayCache opens a cache whose runtime Tiny1 has tiny 1.0, which it is
// named for, and lib 2.0, and builds it.
func newOverlayCache(t *testing.T, x *shelf) (*Cache, remora.Runtime) {
	t.Helper()
	c := openTest(t, t.TempDir(), x.url(), x.lock())
	rt, err := c.Ensure(t.Context(), "Tiny1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, rt
}
