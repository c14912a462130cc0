package supervise_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
)

// lockFiles makes files to be held.
func lockFiles(t *testing.T, names ...string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// held reports whether somebody has a flock on a file, as who wants to remove
// what it protects does.
func held(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
		t.Fatal(err)
	}
	return err != nil
}

// TestLocks: the runtime's locks are held from before the cluster is there until
// it is gone, whoever has launched it, and shared with other clusters.
func TestLocks(t *testing.T) {
	b := newBed(t, shell("head", idle, true))
	locks := lockFiles(t, "env.used", "overlay.used")
	b.spec.Locks = locks
	if err := supervise.Create(b.dir(), b.spec); err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(locks[0])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(self, "launch", b.id, b.dir()).CombinedOutput(); err != nil {
		t.Fatalf("the process that launches the cluster: %v %s", err, out)
	}
	other.Close()
	for _, path := range locks {
		if !held(t, path) {
			t.Errorf("%s is not held when the cluster has been launched", path)
		}
	}
	// The process that has launched it is gone: another one takes over.
	c, err := supervise.Attach(b.ctx, b.id, b.dir())
	if err != nil {
		t.Fatal(err)
	}
	b.c = c
	b.wait(b.run("d", "exit 0"))
	for _, path := range locks {
		if !held(t, path) {
			t.Errorf("%s is not held any more after the cluster was taken over and a driver has ended", path)
		}
	}
	if err := c.Stop(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.eventually("the locks are held though the cluster was stopped", func() bool { return !held(t, locks[0]) && !held(t, locks[1]) })
}

// TestLocksOfTheKilled: a supervisor that is killed holds nothing, and neither
// does what its cluster has left.
func TestLocksOfTheKilled(t *testing.T) {
	b := newBed(t, shell("head", idle, true))
	b.spec.Locks = lockFiles(t, "env.used")
	b.launch()
	b.run("d", "(setsid sh -c 'echo detached; "+idle+"' &); "+idle)
	b.logged("/test/script-log", "detached")
	st, err := b.c.Status(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.eventually("the lock is held though the supervisor was killed", func() bool { return !held(t, b.spec.Locks[0]) })
}

// TestLockIsMissing: a runtime that was removed in the meantime is for the
// cluster to complain about.
func TestLockIsMissing(t *testing.T) {
	b := newBed(t, shell("head", idle, true))
	locks := lockFiles(t, "env.used")
	missing := filepath.Join(filepath.Dir(locks[0]), "none.used")
	b.spec.Locks = append([]string{missing}, locks...)
	b.launch()
	if e := b.wait(b.run("d", "exit 4")); e.Code != 4 {
		t.Errorf("exit %+v", e)
	}
	if !held(t, locks[0]) {
		t.Errorf("%s is not held, as one before it is missing", locks[0])
	}
	if said := strings.Join(supervise.LastLines(b.dir(), "supervisor.log"), "\n"); !strings.Contains(said, missing) {
		t.Errorf("the supervisor does not complain about %s: %s", missing, said)
	}
	if _, err := os.Lstat(missing); !os.IsNotExist(err) {
		t.Errorf("%s was made (%v)", missing, err)
	}
}

// TestAttachToTheOwned: a cluster whose owner has ended a moment ago cannot be
// taken over, whether its supervisor knows yet or not; one that was assigned
// before can.
func TestAttachToTheOwned(t *testing.T) {
	for _, assigned := range []bool{false, true} {
		t.Run(fmt.Sprintf("assigned %v", assigned), func(t *testing.T) {
			b := newBed(t, shell("head", idle, true))
			owner := lockFiles(t, "owner")[0]
			f, err := os.OpenFile(owner, os.O_RDWR, 0)
			if err == nil {
				err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			target := b.spec.Logs
			b.spec.Logs, b.spec.Owner = remora.LogTarget{}, owner
			b.launch()
			if assigned {
				if err := b.c.Assign(b.ctx, target, nil); err != nil {
					t.Fatal(err)
				}
			}
			f.Close()
			c, err := supervise.Attach(b.ctx, b.id, b.dir())
			if !assigned {
				if remora.KindOf(err) != remora.NotFound {
					t.Errorf("attach: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b.c = c
			if e := b.wait(b.run("d", "exit 4")); e.Code != 4 {
				t.Errorf("exit %+v", e)
			}
		})
	}
}

// TestAttachWhileStopping: what is known is what is left when it has ended.
func TestAttachWhileStopping(t *testing.T) {
	b := newBed(t, shell("head", idle, true)).launch()
	b.wait(b.run("d", "exit 4"))
	st, err := b.c.Status(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.eventually("the supervisor does not say that it is ending", func() bool {
		st, err := b.c.Status(b.ctx)
		return err != nil || st.Ending
	})
	c, err := supervise.Attach(b.ctx, b.id, b.dir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(b.ctx); err == nil {
		t.Error("the cluster has not ended")
	}
	p, err := c.Process(b.ctx, "d")
	if err != nil {
		t.Fatal(err)
	}
	if e := b.wait(p); e.Code != 4 {
		t.Errorf("exit %+v", e)
	}
}

// TestNodeDir: a node works in its own directory, or in the cluster's.
func TestNodeDir(t *testing.T) {
	dir := t.TempDir()
	inDir := shell("head", "pwd > here; "+idle, true)
	inDir.Dir = dir
	b := newBed(t, inDir, shell("worker-1", "pwd > here; "+idle, false)).launch()
	for where, want := range map[string]string{dir: dir, b.dir(): b.dir()} {
		b.eventually("there is no note of a node in "+where, func() bool {
			got, err := os.ReadFile(filepath.Join(where, "here"))
			return err == nil && strings.TrimSpace(string(got)) == want
		})
	}
	if err := b.c.Stop(b.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "here")); err != nil {
		t.Errorf("what is not the cluster's own is gone with it: %v", err)
	}
}

// TestNodeDirIsMissing: the cluster is lost, and says why.
func TestNodeDirIsMissing(t *testing.T) {
	head := shell("head", idle, true)
	head.Dir = filepath.Join(t.TempDir(), "none")
	b := newBed(t, head).launch()
	b.eventually("the cluster is not lost", func() bool {
		st, err := b.c.Status(b.ctx)
		return err == nil && strings.Contains(st.Lost, "start head: ")
	})
}
