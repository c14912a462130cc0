package runtimes

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Two runs bring the same wheel along, each in a folder of its own. The first is
// stopped while its packages are resolved, and its folder goes: the second is
// none the worse for it.
func TestOverlayOfTwoFolders(t *testing.T) {
	x := newShelf(t)
	c, _ := newOverlayCache(t, x)
	file, data := wheel(t, "extra", "7.0")
	held := x.pages.shut()
	first, stop := context.WithCancel(t.Context())
	defer stop()
	var dirs [2]string
	var heard, ended [2]chan struct{}
	var errs [2]error
	for i, ctx := range []context.Context{first, t.Context()} {
		dirs[i], heard[i], ended[i] = t.TempDir(), make(chan struct{}), make(chan struct{})
		if err := os.WriteFile(filepath.Join(dirs[i], file), data, 0o644); err != nil {
			t.Fatal(err)
		}
		go func() {
			defer close(ended[i])
			var once sync.Once
			_, errs[i] = c.Overlay(ctx, "Tiny1", []string{"app", filepath.Join(dirs[i], file)}, func(string) { once.Do(func() { close(heard[i]) }) })
		}()
		wait(t, heard[i], "progress")
		if i == 0 {
			x.asks(t, "^app$")
		}
	}
	stop()
	wait(t, ended[0], "the end of the run that is stopped")
	if err := os.RemoveAll(dirs[0]); err != nil {
		t.Fatal(err)
	}
	close(held)
	wait(t, ended[1], "the end of the other run's overlay")
	if errs[0] == nil || errs[1] != nil {
		t.Errorf("who was stopped got %v, the other one %v", errs[0], errs[1])
	}
}

// A runtime stays while packages are put over it, and is in use after that.
func TestPruneWhileBuilding(t *testing.T) {
	x := newShelf(t)
	c, rt := newOverlayCache(t, x)
	held := x.pages.shut()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, nil)
		ended <- err
	}()
	x.asks(t, "^app$")
	backdate(t, rt.Dir)
	age(t, c, 48*time.Hour)
	everything := PruneOptions{OlderThan: time.Hour, MaxBytes: 1}
	prunes := func(moment string) {
		t.Helper()
		if removed, err := c.Prune(t.Context(), everything); err != nil || len(removed) > 0 {
			t.Errorf("%s: Prune removed %+v, %v", moment, removed, err)
		}
	}
	prunes("while it is built")
	close(held)
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(deadline):
		t.Fatalf("the overlay was not there within %s", deadline)
	}
	prunes("afterwards")
}

// What a build that was killed has left goes with Prune, whatever else it is to
// remove; what a live one is working on stays.
func TestPruneTakesOrphans(t *testing.T) {
	c := newCache(t, openIndex(t, tinyCode))
	var live string
	for _, key := range []string{"overlay-dead", "overlay-live"} {
		l, err := tryLock(c.dir, key)
		if err != nil {
			t.Fatal(err)
		}
		defer l.release()
		if live, err = l.stage(c.dir); err != nil {
			t.Fatal(err)
		}
		if key == "overlay-dead" {
			l.release()
		}
	}
	if removed, err := c.Prune(t.Context(), PruneOptions{}); err != nil || len(removed) > 0 {
		t.Errorf("Prune removed %+v, %v", removed, err)
	}
	if left := leftovers(t, c.dir); len(left) != 1 || left[0] != live {
		t.Errorf("unfinished directories: %v, want %s", left, live)
	}
}
