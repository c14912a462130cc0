package ray_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/providertest"
	"github.com/remora-project/remora/provider/ray"
	"github.com/remora-project/remora/provider/supervise"
	"github.com/remora-project/remora/runtimes"
)

func TestContract(t *testing.T) { providertest.Run(t, harness) }

func harness(t *testing.T) providertest.Harness {
	runDir, err := supervise.RunDir(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	config := configure(t, runDir, logs)
	return providertest.Harness{
		Provider:  func() remora.Provider { return ray.New(config) },
		Runtime:   runtime(t),
		Lines:     func(group, stream string) []string { return providertest.FileLog(logs, group, stream) },
		Processes: func(id string) ([]int, error) { return supervise.Processes(id, supervise.ClusterDir(runDir, id)) },
		Dir:       runDir,
		Lose:      func(t *testing.T, h remora.Handle) { killSupervisor(t, h) },
	}
}

func configure(t *testing.T, runDir, logs string) ray.Config {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return ray.Config{Supervisor: []string{self, "supervise"}, RunDir: runDir, LogStore: logs}
}

// runtime is what to test with: that of the interpreter REMORA_TEST_RUNTIME, or
// the one that Remora builds, which takes its time when it is not there yet.
var runtime = func() func(t testing.TB) remora.Runtime {
	build := sync.OnceValues(func() (remora.Runtime, error) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return remora.Runtime{}, err
		}
		all, err := runtimes.Open(filepath.Join(cache, "remora", "runtimes"), runtimes.Options{})
		if err != nil {
			return remora.Runtime{}, err
		}
		return all.Ensure(context.Background(), "Ray2.60", nil)
	})
	return func(t testing.TB) remora.Runtime {
		if p := os.Getenv("REMORA_TEST_RUNTIME"); p != "" {
			return remora.Runtime{Name: "Ray2.60", Dir: filepath.Dir(filepath.Dir(p)), Python: p}
		}
		r, err := build()
		if err != nil {
			t.Fatalf("no runtime to test with: %v", err)
		}
		return r
	}
}()

// killSupervisor leaves the cluster's processes to themselves.
func killSupervisor(t *testing.T, raw remora.Handle) {
	t.Helper()
	var h struct{ ID, Dir string }
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	c, err := supervise.Attach(t.Context(), h.ID, h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
