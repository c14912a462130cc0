package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/keyring"
	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/internal/testenv"
	"github.com/remora-project/remora/provider/providertest"
	"github.com/remora-project/remora/provider/supervise"
	"github.com/remora-project/remora/runtimes"
)

// counts notes each execution of it, and then counts aloud until it is told to
// go on.
const counts = `
import os, time, ray
out = os.environ["out"]
with open(out + "/executions", "a") as f:
    f.write(os.environ["REMORA_CLUSTER"] + "\n")
ray.init("auto")

@ray.remote
def square(x):
    return x * x

print("tasks:", sum(ray.get([square.remote(i) for i in range(4)])), flush=True)
n = 0
while not os.path.exists(out + "/go"):
    print("line", n, flush=True)
    n += 1
    with open(out + "/count.tmp", "w") as f:
        f.write(str(n))
    os.rename(out + "/count.tmp", out + "/count")
    time.sleep(0.01)
print("lines:", n, "tasks:", sum(ray.get([square.remote(i) for i in range(4)])), flush=True)
`

// rayTest is a server of real Ray, in a process of its own, with a run of counts.
type rayTest struct {
	t   *testing.T
	dir string // of data
	out string // where the script writes
	s   *testenv.Server
	run string
	shm []string
}

func startRayTest(t *testing.T) *rayTest {
	t.Helper()
	cfg, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := runtimes.Open(cfg.Runtime.CacheDir, runtimes.Options{})
	if err == nil {
		_, err = cache.Ensure(t.Context(), "Ray2.60", func(line string) { t.Log(line) })
	}
	if err != nil {
		t.Fatalf("the Ray environment: %v", err)
	}
	r := &rayTest{t: t, dir: t.TempDir(), out: t.TempDir(), shm: providertest.SharedMemory()}
	r.s = testenv.Serve(t, r.dir, testenv.Environ(t))
	c := r.client()
	c.Job("counts", counts, map[string]string{"--out": r.out})
	r.run = c.Start("counts")
	t.Cleanup(r.checkNothingLeft)
	eventually(t, func() bool { return r.count() > 10 }, func() string {
		return fmt.Sprintf("the script does not count; the run: %+v", c.Run("counts", r.run))
	})
	return r
}

func (r *rayTest) client() *testenv.Client {
	r.t.Helper()
	ring, err := keyring.Open(server.KeysPath(r.dir))
	if err != nil {
		r.t.Fatal(err)
	}
	key := ring.Current()
	secret, _ := ring.Secret(key.ID)
	return testenv.NewClient(r.t, r.s.Ready.Endpoint, r.s.Ready.S3Endpoint, key.ID, secret)
}

// count is how far the script has come.
func (r *rayTest) count() int {
	text, _ := os.ReadFile(filepath.Join(r.out, "count"))
	n, _ := strconv.Atoi(string(text))
	return n
}

// counting waits until the script has counted on.
func (r *rayTest) counting() {
	r.t.Helper()
	from := r.count()
	eventually(r.t, func() bool { return r.count() > from+20 }, func() string { return "the script does not count on" })
}

func (r *rayTest) ended() *types.JobRun {
	r.t.Helper()
	c := r.client()
	var run *types.JobRun
	eventually(r.t, func() bool { run = c.Run("counts", r.run); return run.CompletedOn != nil },
		func() string { return fmt.Sprintf("the run has not ended: %s", run.JobRunState) })
	return run
}

func (r *rayTest) executedOnce() {
	r.t.Helper()
	if text, _ := os.ReadFile(filepath.Join(r.out, "executions")); string(text) != r.run+"\n" {
		r.t.Errorf("executions: %q, want one of %s", text, r.run)
	}
}

func (r *rayTest) clusterDir() string {
	r.t.Helper()
	runDir, err := supervise.RunDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return supervise.ClusterDir(runDir, r.run)
}

func (r *rayTest) killSupervisor() {
	r.t.Helper()
	pids, err := supervise.Processes(r.run, r.clusterDir())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, pid := range pids {
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.HasPrefix(string(args), testenv.Remora(r.t)+"\x00supervise\x00") {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				r.t.Fatal(err)
			}
			return
		}
	}
	r.t.Fatalf("none of the processes %v is the supervisor", pids)
}

func (r *rayTest) checkNothingLeft() {
	pids, err := supervise.Processes(r.run, r.clusterDir())
	if err != nil || len(pids) > 0 {
		r.t.Errorf("processes %v are left (%v)", pids, err)
		supervise.Sweep(r.run, r.clusterDir())
	}
	if dir := filepath.Dir(r.clusterDir()); exists(dir) {
		r.t.Errorf("%s is left", dir)
	}
	if left, _ := os.ReadDir(filepath.Join(r.dir, "work")); len(left) > 0 {
		r.t.Errorf("work directories %v are left", left)
	}
	if left := providertest.SharedMemoryLeft(r.shm); len(left) > 0 {
		r.t.Errorf("shared memory is left: %q", left)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// The server is killed while a job runs. The job goes on, the next server takes
// it over, and nothing is missing or there twice: executions, lines, the bill.
func TestServerIsKilled(t *testing.T) {
	r := startRayTest(t)
	r.s.Kill()
	r.counting()
	r.s = testenv.Serve(t, r.dir, r.s.Env)
	if run := r.client().Run("counts", r.run); run.JobRunState != types.JobRunStateRunning {
		t.Errorf("after the restart the run is %s", run.JobRunState)
	}
	r.counting()
	if err := os.WriteFile(filepath.Join(r.out, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run := r.ended()
	if run.JobRunState != types.JobRunStateSucceeded || aws.ToFloat64(run.DPUSeconds) < 120 {
		t.Errorf("the run is %s: %s; %v DPU-seconds", run.JobRunState, aws.ToString(run.ErrorMessage), aws.ToFloat64(run.DPUSeconds))
	}
	r.executedOnce()

	log := testenv.Run(t, r.s.Env, "logs", "--data-dir", r.dir, r.run)
	next := 0
	for line := range strings.Lines(log.Stdout) {
		if n, ok := strings.CutPrefix(line, "line "); ok {
			if n != strconv.Itoa(next)+"\n" {
				t.Fatalf("in the log line %q follows line %d", line, next-1)
			}
			next++
		}
	}
	if total := fmt.Sprintf("lines: %d tasks: 14\n", next); log.Code != 0 || !strings.Contains(log.Stdout, total) || next == 0 {
		t.Errorf("the log (exit code %d) has %d lines and lacks %q:\n%s", log.Code, next, total, log.Stderr)
	}
	if code, text := r.s.Stop(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, text)
	}
}

// Server and cluster die together, as with the machine. What ran cannot be taken
// up again, and is not run a second time.
func TestServerAndClusterAreKilled(t *testing.T) {
	r := startRayTest(t)
	// The supervisor gathers lines for a moment; those it has not written die with it.
	eventually(t, func() bool {
		return strings.Contains(testenv.Run(t, r.s.Env, "logs", "--data-dir", r.dir, r.run).Stdout, "line 9\n")
	},
		func() string { return "line 9 is not in the log" })
	r.s.Kill()
	r.killSupervisor() // first, or it may see how the script ends
	if err := supervise.Sweep(r.run, r.clusterDir()); err != nil {
		t.Fatal(err)
	}
	r.s = testenv.Serve(t, r.dir, r.s.Env)
	run := r.ended()
	if message := aws.ToString(run.ErrorMessage); run.JobRunState != types.JobRunStateFailed ||
		!strings.Contains(message, "processes died while the control plane was down") {
		t.Errorf("the run is %s: %s", run.JobRunState, message)
	}
	r.executedOnce()
	log := testenv.Run(t, r.s.Env, "logs", "--follow", "--data-dir", r.dir, r.run)
	if log.Code != 1 || !strings.Contains(log.Stdout, "line 9\n") || !strings.Contains(log.Stderr, "FAILED") {
		t.Errorf("remora logs --follow: exit code %d, %s", log.Code, log.Stderr)
	}
}
