package scratch_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/remora-project/remora/internal/scratch"
	"golang.org/x/sys/unix"
)

// Whoever makes a folder has it until it removes it, however many are made,
// swept and removed beside it.
func TestFoldersBesideEachOther(t *testing.T) {
	base := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 300 {
				f, err := scratch.Make(base, "run-")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.Mkdir(filepath.Join(f.Path, "logs"), 0o700); err != nil {
					t.Errorf("the folder is not there: %v", err)
					return
				}
				if err := errors.Join(taken(f.Lock()), f.Remove()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantLeft(t, base)
}

// taken fails unless another process could see that the folder's lives.
func taken(lock string) error {
	f, err := os.Open(lock)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		return errors.New("nobody holds the lock of a folder that is in use")
	}
	return nil
}

// Those that die may die between any two steps.
func TestLeftovers(t *testing.T) {
	base := t.TempDir()
	live, err := scratch.Make(base, "run-")
	if err != nil {
		t.Fatal(err)
	}
	// A process that makes one and is killed.
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), "SCRATCH_TEST_BASE="+base)
	if out, err := helper.CombinedOutput(); helper.ProcessState.ExitCode() != -1 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, path := range []string{"run-empty", "run-unlocked", "run-half/logs", "other", "other-run-1"} {
		if err := os.MkdirAll(filepath.Join(base, path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"run-unlocked/lock.new", "run-half/lock", "run-file"} {
		if err := os.WriteFile(filepath.Join(base, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(base, "run-*")); len(left) != 6 {
		t.Fatalf("before: %q", left)
	}
	next, err := scratch.Make(base, "run-")
	if err != nil {
		t.Fatal(err)
	}
	wantLeft(t, base, filepath.Base(live.Path), filepath.Base(next.Path), "run-file", "other", "other-run-1")
	if info, err := os.Stat(next.Path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}
}

func TestMain(m *testing.M) {
	if base := os.Getenv("SCRATCH_TEST_BASE"); base != "" {
		f, err := scratch.Make(base, "run-")
		if err == nil {
			err = os.WriteFile(filepath.Join(f.Path, "settings"), nil, 0o600)
		}
		if err == nil {
			err = unix.Kill(os.Getpid(), unix.SIGKILL)
		}
		panic(err)
	}
	os.Exit(m.Run())
}

func TestNoBase(t *testing.T) {
	if _, err := scratch.Make(filepath.Join(t.TempDir(), "none"), "run-"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func wantLeft(t *testing.T, base string, names ...string) {
	t.Helper()
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("%s is left", e.Name())
		}
		delete(want, e.Name())
	}
	for n := range want {
		t.Errorf("%s is gone", n)
	}
}
