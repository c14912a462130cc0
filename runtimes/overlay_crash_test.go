package runtimes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// appears waits until there is a file that matches a pattern below the cache's
// directory, or the other process has come to its end, which is the case when
// said is closed.
func appears(t *testing.T, c *Cache, said <-chan string, pattern string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var heard []string
	for end := time.Now().Add(deadline); time.Now().Before(end); {
		if found, err := filepath.Glob(filepath.Join(c.dir, pattern)); err != nil || len(found) > 0 {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case <-tick.C:
		case line, ok := <-said:
			if !ok {
				return
			}
			heard = append(heard, line)
		}
	}
	t.Fatalf("%s did not appear within %s; the other process said:\n%s", pattern, deadline, strings.Join(heard, "\n"))
}

// asks waits for a request that matches a pattern.
func (x *shelf) asks(t *testing.T, pattern string) {
	t.Helper()
	timeout := time.After(deadline)
	for {
		select {
		case name := <-x.lists:
			if regexp.MustCompile(pattern).MatchString(name) {
				return
			}
		case <-timeout:
			t.Fatalf("nobody asked the index for %s within %s", pattern, deadline)
		}
	}
}

// sound looks at a cache in which somebody was killed.
func sound(t *testing.T, c *Cache, rt remora.Runtime, before string) {
	t.Helper()
	if after := snapshot(t, rt.Dir); after != before {
		t.Errorf("the runtime has changed:\n%s\n%s", before, after)
	}
	if left := leftovers(t, c.dir); len(left) > 1 {
		t.Errorf("unfinished directories: %v, want one at most", left)
	}
	entries, err := c.List(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries { // a directory without that ending is whole
		dir := filepath.Join(c.dir, e.Key)
		if e.Kind == "overlay" {
			_, err = readOverlay(dir)
		} else if e.Kind == "runtime" {
			_, err = readManifest(dir)
		}
		if err != nil || e.InUse {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// kill -9 at several moments: what is there is whole or on its way, the next
// who asks gets it, and nothing is left over.
func TestOverlayKilled(t *testing.T) {
	for _, tc := range []struct {
		moment string
		hold   func(*shelf) chan struct{} // what is held back, if anything
		comes  func(*testing.T, *shelf, *Cache, <-chan string)
	}{
		{"resolving", func(x *shelf) chan struct{} { return x.pages.shut() },
			func(t *testing.T, x *shelf, _ *Cache, _ <-chan string) { x.asks(t, "^app$") }},
		{"downloading", func(x *shelf) chan struct{} { return x.files.shut() },
			func(t *testing.T, x *shelf, _ *Cache, _ <-chan string) { x.asks(t, "^app-1.0.*whl$") }},
		{"beginning", nil, func(t *testing.T, _ *shelf, c *Cache, said <-chan string) { appears(t, c, said, "overlay-*.tmp") }},
		{"installing", nil, func(t *testing.T, _ *shelf, c *Cache, said <-chan string) {
			appears(t, c, said, "overlay-*/site/*")
		}},
		{"writing the manifest", nil, func(t *testing.T, _ *shelf, c *Cache, said <-chan string) {
			appears(t, c, said, "overlay-*/"+manifestName+"*")
		}},
		{"being done", nil, func(t *testing.T, _ *shelf, _ *Cache, said <-chan string) {
			hear(t, said, "packages over runtime Tiny1 are ready")
		}},
	} {
		t.Run(tc.moment, func(t *testing.T) {
			x := newShelf(t)
			c, rt := newOverlayCache(t, x)
			for len(x.lists) > 0 {
				<-x.lists
			}
			var held chan struct{}
			if tc.hold != nil {
				held = tc.hold(x)
			}
			before := snapshot(t, rt.Dir)
			cmd, said := otherProcess(t, helperEnviron(c.dir, x.url(), x.lock(), "Tiny1", "app", "extra"))
			tc.comes(t, x, c, said)
			kill(t, cmd, said)
			sound(t, c, rt, before)
			if held != nil {
				close(held)
			}
			got, err := c.Overlay(t.Context(), "Tiny1", []string{"app", "extra"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if has := python3(t, got, show); has != "tiny 1.0 lib 2.0 app 1.0 extra 1.0 " {
				t.Errorf("a script sees %q", has)
			}
			sound(t, c, rt, before)
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("nobody cleared up %v", left)
			}
			if all := first2(filepath.Glob(filepath.Join(c.dir, "overlay-????????????????"))); len(all) != 1 {
				t.Errorf("overlays: %v, want one", all)
			}
		})
	}
}

// An index that does not answer: who gives up does not wait for it.
func TestOverlayCancelled(t *testing.T) {
	for _, tc := range []struct {
		name, asks string
		hold       func(*shelf) chan struct{}
	}{
		{"pages", "^app$", func(x *shelf) chan struct{} { return x.pages.shut() }},
		{"wheels", "^app-1.0.*whl$", func(x *shelf) chan struct{} { return x.files.shut() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := newShelf(t)
			c, rt := newOverlayCache(t, x)
			for len(x.lists) > 0 {
				<-x.lists
			}
			held := tc.hold(x)
			before := snapshot(t, rt.Dir)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := c.Overlay(ctx, "Tiny1", []string{"app"}, nil)
				ended <- err
			}()
			x.asks(t, tc.asks)
			cancel()
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) || remora.KindOf(err) != remora.Unavailable {
					t.Errorf("Overlay returned %v", err)
				}
			case <-time.After(deadline):
				t.Fatalf("Overlay did not return within %s", deadline)
			}
			// When it returns, everything is cleared away.
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
			if left := children(); len(left) > 0 {
				t.Errorf("it left processes: %v", left)
			}
			sound(t, c, rt, before)
			close(held)
			got, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
			if err != nil {
				t.Fatalf("after one that was cancelled: %v", err)
			}
			if has := python3(t, got, show); has != "tiny 1.0 lib 2.0 app 1.0 " {
				t.Errorf("a script sees %q", has)
			}
		})
	}
}

// Whatever is wrong with the index, the user reads of it, and may try again.
func TestOverlayIndexFails(t *testing.T) {
	x := newShelf(t)
	c, rt := newOverlayCache(t, x)
	before := snapshot(t, rt.Dir)
	serve := func(answer http.HandlerFunc) string {
		s := httptest.NewServer(answer)
		t.Cleanup(s.Close)
		return s.URL + "/simple"
	}
	environ := c.environ
	for _, tc := range []struct {
		name    string
		environ []string
		says    []string
	}{
		{"nobody listens", []string{"UV_DEFAULT_INDEX=http://127.0.0.1:1/simple"}, []string{"127.0.0.1:1", "set UV_DEFAULT_INDEX"}},
		{"offline", []string{"UV_OFFLINE=1"}, []string{"network was disabled", "set UV_DEFAULT_INDEX"}},
		{"it is overloaded", []string{"UV_DEFAULT_INDEX=" + serve(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
		})}, []string{"503 Service Unavailable", "set UV_DEFAULT_INDEX"}},
		{"it hangs up", []string{"UV_DEFAULT_INDEX=" + serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
			[]string{"error sending request", "set UV_DEFAULT_INDEX"}},
		{"it is too slow", []string{"UV_HTTP_TIMEOUT=1", "UV_DEFAULT_INDEX=" + serve(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })},
			[]string{"timed out", "set UV_DEFAULT_INDEX"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c.environ = append(append([]string{}, environ...), tc.environ...)
			_, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
			if remora.KindOf(err) != remora.Unavailable {
				t.Errorf("%v: %v", remora.KindOf(err), err)
			}
			for _, s := range append(tc.says, "install app over runtime Tiny1: ") {
				if err == nil || !strings.Contains(err.Error(), s) {
					t.Errorf("%q is not in the message:\n%v", s, err)
				}
			}
			sound(t, c, rt, before)
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
	c.environ = environ
	got, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if has := python3(t, got, show); has != "tiny 1.0 lib 2.0 app 1.0 " {
		t.Errorf("a script sees %q", has)
	}
	if all := fmt.Sprint(first2(filepath.Glob(filepath.Join(c.dir, "overlay-????????????????")))); strings.Contains(all, " ") {
		t.Errorf("overlays: %s, want one", all)
	}
}
