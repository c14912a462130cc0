package keyring

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be another process that rotates keys: so many
// times, or for ever if that is negative. It prints the id of each key it made.
func TestMain(m *testing.M) {
	path := os.Getenv("KEYRING_TEST_ROTATE")
	if path == "" {
		os.Exit(m.Run())
	}
	times, err := strconv.Atoi(os.Getenv("KEYRING_TEST_TIMES"))
	if err != nil {
		panic(err)
	}
	k, err := Open(path)
	for i := 0; err == nil && i != times; i++ {
		var key Key
		if key, err = k.Rotate(time.Hour); err == nil {
			fmt.Println(key.ID)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func rotator(t *testing.T, path string, times int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "KEYRING_TEST_ROTATE="+path, "KEYRING_TEST_TIMES="+strconv.Itoa(times))
	cmd.Stderr = os.Stderr
	return cmd
}

// TestProcessesTakeTurns starts processes on one file that is not there yet.
func TestProcessesTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	const processes, rotations = 4, 10
	ids := make([]string, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			out, err := rotator(t, path, rotations).Output()
			if err != nil {
				t.Errorf("process %d: %v", i, err)
			}
			ids[i] = string(out)
		})
	}
	wg.Wait()
	k, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(k.List()); n != 1+processes*rotations {
		t.Errorf("%d keys are listed, want %d", n, 1+processes*rotations)
	}
	for _, id := range strings.Fields(strings.Join(ids, "")) {
		if _, ok := k.Secret(id); !ok {
			t.Errorf("%s was made and is lost", id)
		}
	}
}

func TestServerNoticesAnotherProcess(t *testing.T) {
	k, _ := newKeyring(t)
	server, err := Open(k.path) // by the real clock
	if err != nil {
		t.Fatal(err)
	}
	first := server.Current()
	out, err := rotator(t, k.path, 1).Output()
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(string(out))
	if _, ok := server.Secret(id); !ok {
		t.Errorf("%s, which another process made, is unknown", id)
	}
	if got := server.Current(); got.ID != id {
		t.Errorf("current is %v, want %s", got, id)
	}
	other, err := Open(k.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Revoke(first.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "refused a key that was revoked elsewhere", func() bool {
		_, ok := server.Secret(first.ID)
		return !ok
	})
}

// TestKilledWriter kills processes in the middle of rotating. What they reported
// must be in the file, and the next writer must find nothing in its way.
func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	k, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		cmd := rotator(t, path, -1)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var reported []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if reported = append(reported, lines.Text()); len(reported) == 1+round {
				cmd.Process.Kill()
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the process ended by itself")
		}
		after, err := Open(path)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, id := range reported {
			if _, ok := after.Secret(id); !ok {
				t.Errorf("round %d: %s was reported and is lost", round, id)
			}
		}
	}
	// A writer killed between writing and renaming leaves its draft.
	put(t, path+".new", `{"half`)
	key, err := k.Rotate(0)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Current(); got.ID != key.ID {
		t.Errorf("current is %v, want %v", got, key)
	}
	if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
		t.Errorf("the draft is still there: %v", err)
	}
}
