package ray_test

import (
	"encoding/json"
	"os"
	"syscall"
	"testing"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/providertest"
	"github.com/remora-project/remora/provider/ray"
	"github.com/remora-project/remora/provider/supervise"
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
		Runtime:   remora.Runtime{Name: "Ray2.60", Python: python(t)},
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

// python is the interpreter of the runtime to test with.
func python(t *testing.T) string {
	p := os.Getenv("REMORA_TEST_RUNTIME")
	if p == "" {
		t.Skip("REMORA_TEST_RUNTIME names no interpreter")
	}
	return p
}

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
