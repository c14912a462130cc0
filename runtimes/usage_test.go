package runtimes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	remora "github.com/remora-project/remora"
)

// age makes all marks of use look old.
func age(t *testing.T, c *Cache, by time.Duration) {
	t.Helper()
	marks, err := filepath.Glob(filepath.Join(c.dir, "*"+usedEnd))
	if err != nil || len(marks) == 0 {
		t.Fatalf("marks of use: %v, %v", marks, err)
	}
	then := time.Now().Add(-by)
	for _, m := range marks {
		if err := os.Chtimes(m, then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// kinds lists what there is: kind, and whether it is in use.
func kinds(t *testing.T, c *Cache) string {
	t.Helper()
	all, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, e := range all {
		if e.Bytes == 0 || e.LastUsed.IsZero() || e.Runtime != "Tiny1" || len(e.Requirements) != map[string]int{"overlay": 1}[e.Kind] {
			t.Errorf("entry %+v", e)
		}
		counts[fmt.Sprintf("%s %t", e.Kind, e.InUse)]++
	}
	return fmt.Sprint(counts)
}

func prune(t *testing.T, c *Cache, opts PruneOptions, want int) {
	t.Helper()
	removed, err := c.Prune(t.Context(), opts)
	if err != nil || len(removed) != want {
		t.Errorf("Prune(%+v) removed %+v, %v; want %d", opts, removed, err, want)
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// hold locks a runtime as those do who let processes use it.
func hold(t *testing.T, rt remora.Runtime) (release func()) {
	t.Helper()
	var files []*os.File
	for _, path := range rt.Locks {
		f, err := os.Open(path)
		if err == nil {
			err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return func() {
		for _, f := range files {
			f.Close()
		}
	}
}

func TestPrune(t *testing.T) {
	x := newShelf(t)
	c, _ := newOverlayCache(t, x)
	overlay := func(r string) remora.Runtime {
		t.Helper()
		rt, err := c.Overlay(t.Context(), "Tiny1", []string{r}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	app, lib := overlay("app"), overlay("lib<2")
	if got := kinds(t, c); got != "map[overlay false:2 runtime false:1]" {
		t.Errorf("there is %s", got)
	}
	// What was used just now stays, however small the cache has to be.
	prune(t, c, PruneOptions{OlderThan: time.Nanosecond, MaxBytes: 1}, 0)
	prune(t, c, PruneOptions{}, 0)

	release := hold(t, app)
	if got := kinds(t, c); got != "map[overlay false:1 overlay true:1 runtime true:1]" || len(app.Locks) != 2 {
		t.Errorf("there is %s", got)
	}
	// Manifests say when they were made: marks are older than that only here.
	for _, e := range []string{filepath.Base(app.Dir), filepath.Base(filepath.Dir(app.Path[0])), filepath.Base(filepath.Dir(lib.Path[0]))} {
		backdate(t, filepath.Join(c.dir, e))
	}
	age(t, c, 48*time.Hour)
	prune(t, c, PruneOptions{OlderThan: 72 * time.Hour}, 0)
	prune(t, c, PruneOptions{OlderThan: 24 * time.Hour}, 1) // lib
	if got := kinds(t, c); got != "map[overlay true:1 runtime true:1]" {
		t.Errorf("there is %s", got)
	}
	if has := python3(t, overlay("lib<2"), show); has != "tiny 1.0 lib 1.0 " {
		t.Errorf("made again, a script sees %q", has)
	}
	release()
	age(t, c, 48*time.Hour)
	mustEnsure(t, c)
	prune(t, c, PruneOptions{MaxBytes: 1}, 1) // the runtime was used just now, lib was built just now
	mustEnsure(t, c)
	if got := kinds(t, c); got != "map[overlay false:1 runtime false:1]" {
		t.Errorf("there is %s", got)
	}
}

func mustEnsure(t *testing.T, c *Cache) {
	t.Helper()
	if _, err := c.Ensure(t.Context(), "Tiny1", nil); err != nil {
		t.Fatal(err)
	}
}

// backdate makes a manifest say that it was written long ago.
func backdate(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, manifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	year := []byte(fmt.Sprintf(`"builtAt": "%d-`, time.Now().UTC().Year()))
	changed := bytes.Replace(data, year, []byte(`"builtAt": "2001-`), 1)
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		t.Fatal(err)
	}
}
