package ray_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/ray"
	"github.com/remora-project/remora/provider/supervise"
)

// BenchmarkStart measures a cluster from nothing to ready, to the end of a
// script that runs one task, and to gone; its peer is BenchmarkRayStart.
func BenchmarkStart(b *testing.B) {
	for _, workers := range []int{0, 1} {
		b.Run(map[int]string{0: "head", 1: "head+worker"}[workers], func(b *testing.B) { benchStart(b, workers) })
	}
}

func benchStart(b *testing.B, workers int) {
	runDir, err := supervise.RunDir(b.Name())
	if err != nil {
		b.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	python := python(b)
	p := ray.New(ray.Config{Supervisor: []string{self, "supervise"}, RunDir: runDir, LogStore: b.TempDir()})
	script, err := filepath.Abs("testdata/one_task.py")
	if err != nil {
		b.Fatal(err)
	}
	size := remora.NodeSize{CPUs: 1, MemoryBytes: 512 << 20, ObjectStore: 80 << 20}
	var ready, ran, gone time.Duration
	for b.Loop() {
		begin := time.Now()
		c, err := p.Start(b.Context(), remora.ClusterSpec{ID: b.Name(), Runtime: remora.Runtime{Python: python},
			Head: size, Worker: size, Workers: workers, Logs: remora.LogTarget{Prefix: "/bench", Stream: "s"},
			Record: func(context.Context, remora.Handle) error { return nil }})
		if err != nil {
			b.Fatal(err)
		}
		ready += lap(&begin)
		d, err := c.Run(b.Context(), remora.Driver{ID: "d", Argv: []string{python, script}})
		if err == nil {
			var e remora.Exit
			if e, err = d.Wait(b.Context()); err == nil && e.Code != 0 {
				b.Errorf("driver: %+v", e)
			}
		}
		ran += lap(&begin)
		if err2 := c.Stop(context.WithoutCancel(b.Context())); err != nil || err2 != nil {
			b.Fatal(err, err2)
		}
		gone += lap(&begin)
	}
	n := float64(b.N)
	b.ReportMetric(ready.Seconds()/n, "s-ready")
	b.ReportMetric(ran.Seconds()/n, "s-driver")
	b.ReportMetric(gone.Seconds()/n, "s-stop")
}

func lap(since *time.Time) time.Duration {
	d := time.Since(*since)
	*since = time.Now()
	return d
}

// BenchmarkRayStart is `ray start --head` in the same runtime.
func BenchmarkRayStart(b *testing.B) {
	python := python(b)
	dir, err := os.MkdirTemp("/tmp", "rb")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var ready time.Duration
	for b.Loop() {
		id := "bench-ray-start"
		env := supervise.Environ(id, supervise.BaseEnv(id, dir), map[string]string{"TMPDIR": dir, "RAY_TMPDIR": dir, "HOME": dir, "RAY_AUTH_MODE": "disabled"})
		cmd := exec.Command(python, "-m", "ray.scripts.scripts", "start", "--head", "--port=0", "--include-dashboard=false", "--num-cpus=1",
			"--disable-usage-stats", "--temp-dir="+dir, "--object-store-memory=83886080")
		cmd.Env = env
		begin := time.Now()
		out, err := cmd.CombinedOutput()
		ready += lap(&begin)
		if err2 := supervise.Sweep(id, dir); err != nil || err2 != nil || !strings.Contains(string(out), "runtime started") {
			b.Fatalf("%v, %v: %s", err, err2, out)
		}
	}
	b.ReportMetric(ready.Seconds()/float64(b.N), "s-ready")
}
