package runtimes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	remora "github.com/remora-project/remora"
)

// Of ten callers one builds, and all hear of it.
func TestTogether(t *testing.T) {
	x := newIndex(t, tinyCode)
	c := newCache(t, x)
	const callers = 10
	var all, joined sync.WaitGroup
	joined.Add(callers)
	for range callers {
		all.Go(func() {
			var once sync.Once
			rt, err := c.Ensure(t.Context(), "Tiny1", func(string) { once.Do(joined.Done) })
			if err != nil || rt.Name != "Tiny1" {
				t.Errorf("Ensure returned %+v, %v", rt, err)
			}
		})
	}
	joined.Wait() // the index holds the build up until everyone has heard of it
	close(x.gate)
	all.Wait()
	if n := x.fetched.Load(); n != 1 {
		t.Errorf("%d builds, want one", n)
	}
}

// One of two who wait gives up; the other one gets its runtime.
func TestCancelOneOfTwo(t *testing.T) {
	x := newIndex(t, tinyCode)
	c := newCache(t, x)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan struct{}, 2)
	ended := [2]chan error{make(chan error, 1), make(chan error, 1)}
	for i, ctx := range []context.Context{ctx, t.Context()} {
		go func() {
			var once sync.Once
			_, err := c.Ensure(ctx, "Tiny1", func(string) { once.Do(func() { heard <- struct{}{} }) })
			ended[i] <- err
		}()
	}
	wait(t, heard, "progress of the first or second caller")
	wait(t, heard, "progress of the other caller")
	wait(t, x.arrived, "uv's request for the package")
	cancel()
	if err := <-ended[0]; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	close(x.gate)
	if err := <-ended[1]; err != nil {
		t.Errorf("who waited got %v", err)
	}
	if n := x.fetched.Load(); n != 1 {
		t.Errorf("%d builds, want one", n)
	}
}

// Of three processes one builds, and the others follow its progress.
func TestProcessesTogether(t *testing.T) {
	x := newIndex(t, tinyCode)
	c := newCache(t, x)
	const processes = 3
	var said [processes]<-chan string
	for i := range said {
		_, said[i] = otherProcess(t, helperEnviron(c.dir, x.url(), x.lock(), "Tiny1"))
	}
	for i := range said {
		hear(t, said[i], "resolving packages") // from the record of the one that builds
	}
	close(x.gate)
	dirs := map[string]bool{}
	for i := range said {
		hear(t, said[i], "runtime Tiny1 is ready")
		dirs[hear(t, said[i], "ready ")] = true
	}
	if n := x.fetched.Load(); n != 1 || len(dirs) != 1 {
		t.Errorf("%d builds in %v, want one", n, dirs)
	}
}

// kill -9 in the middle of a build: its processes die with it, and the next
// build clears up and succeeds.
func TestCrash(t *testing.T) {
	x := newIndex(t, tinyCode)
	c := newCache(t, x)
	cmd, _ := otherProcess(t, helperEnviron(c.dir, x.url(), x.lock(), "Tiny1"))
	wait(t, x.arrived, "uv's request for the package")
	if left := leftovers(t, c.dir); len(left) != 1 {
		t.Errorf("unfinished directories during the build: %v, want one", left)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait(t, x.gone, "the end of uv, whose parent was killed")
	if left := leftovers(t, c.dir); len(left) != 1 {
		t.Errorf("unfinished directories after the crash: %v, want one", left)
	}
	close(x.gate)
	rt, err := c.Ensure(t.Context(), "Tiny1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("the next build did not clear up %v", left)
	}
	python3(t, rt, "import tiny")
}

// What a crashed build of another lock has left goes too; what a live one is
// working on stays.
func TestSweepTakesOrphansOnly(t *testing.T) {
	c := newCache(t, openIndex(t, tinyCode))
	live, err := tryLock(c.dir, "other-live")
	if err != nil {
		t.Fatal(err)
	}
	defer live.release()
	kept, err := live.stage(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := tryLock(c.dir, "other-dead")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dead.stage(c.dir); err != nil {
		t.Fatal(err)
	}
	dead.release()
	if _, err := c.Ensure(t.Context(), "Tiny1", nil); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(leftovers(t, c.dir)); got != fmt.Sprint([]string{kept}) {
		t.Errorf("unfinished directories: %s, want only %s", got, kept)
	}
}

// A build that fails fails for all who wait, and is tried again by the next.
func TestFailureIsNotKept(t *testing.T) {
	x := openIndex(t, "raise ImportError('not today')\n")
	c := newCache(t, x)
	for range 2 {
		if _, err := c.Ensure(t.Context(), "Tiny1", nil); remora.KindOf(err) != remora.Unavailable {
			t.Errorf("Ensure returned %v", err)
		}
	}
	if n := x.fetched.Load(); n != 2 {
		t.Errorf("%d builds, want two", n)
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("failures left %v", left)
	}
}
