package sqlite

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

const (
	pastRuns = 100_000
	pastJobs = 50
)

// past opens a store with many runs that have ended.
func past(b *testing.B) *Store {
	b.Helper()
	s := fresh(b)
	for at := 0; at < pastRuns; at += 1000 {
		if err := s.writer.change(ctx, func(x *tx) error {
			for i := at; i < at+1000; i++ {
				if err := x.insertRun(typicalRun(i, remora.Succeeded)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// typicalRun has the size of a run of a job with a handful of arguments: about
// a kilobyte.
func typicalRun(i int, state remora.RunState) remora.Run {
	args := map[string]string{"--input": "s3://bucket/some/prefix/2026/11/23/", "--output": "s3://bucket/results/2026/11/23/",
		"--pip-install": "scikit-learn==1.5.2,lightgbm==4.5.0", "--run": fmt.Sprint(i)}
	return remora.Run{ID: remora.NewRunID(), JobName: fmt.Sprint("nightly-aggregation-", i%pastJobs), State: state,
		Arguments: args, StartedOn: time.Now(), LastModifiedOn: time.Now(), CompletedOn: time.Now(),
		Plan: remora.RunPlan{Arguments: args, WorkerType: "Z.2X", NumberOfWorkers: 5, DPUPerWorker: 2, Timeout: 8 * time.Hour,
			Command: remora.Command{Name: "glueray", Runtime: "Ray2.60", ScriptLocation: "s3://bucket/scripts/nightly.py"}},
		Handle: []byte(`{"v":1,"pid":12345,"started":987654321,"dir":"/var/lib/remora/clusters/jr_0123456789abcdef"}`)}
}

// BenchmarkPage reads pages of 50 of a job's runs, with 100,000 runs stored in
// all: the last page is to cost what the first one does.
func BenchmarkPage(b *testing.B) {
	s := past(b)
	job := typicalRun(0, "").JobName
	var last remora.Cursor
	for next := last; ; last = next {
		var err error
		if _, next, err = s.ListRuns(ctx, job, remora.Page{After: last, Limit: 50}); err != nil {
			b.Fatal(err)
		}
		if next == "" {
			break
		}
	}
	for name, at := range map[string]remora.Cursor{"first": "", "last": last} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				runs, _, err := s.ListRuns(ctx, job, remora.Page{After: at, Limit: 50})
				if err != nil || len(runs) != 50 {
					b.Fatal(len(runs), err)
				}
			}
		})
	}
}

// BenchmarkGroup creates runs from many goroutines, with and without groups,
// next to what this disk needs for a bare sync.
func BenchmarkGroup(b *testing.B) {
	b.Run("bare sync", func(b *testing.B) {
		f, err := os.Create(b.TempDir() + "/file")
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		for b.Loop() {
			if _, err := f.Write(make([]byte, 4096)); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, callers := range []int{1, 8, 64} {
		for _, group := range []int{1, maxGroup} {
			b.Run(fmt.Sprintf("callers=%d/group=%d", callers, group), func(b *testing.B) {
				s := fresh(b)
				s.writer.group = group
				b.ResetTimer()
				var left atomic.Int64
				left.Store(int64(b.N))
				var done sync.WaitGroup
				for range callers {
					done.Go(func() {
						for i := left.Add(-1); i >= 0; i = left.Add(-1) {
							r := typicalRun(int(i), "")
							if _, err := s.CreateRun(ctx, r, admitAs(remora.Succeeded)); err != nil {
								b.Error(err)
							}
						}
					})
				}
				done.Wait()
			})
		}
	}
}

// BenchmarkLoad starts 200 runs a second for 20 seconds, each of which is read
// five times, listed once and taken to its end, on a store with 100,000 runs.
// It reports the latency of CreateRun as its callers see it, from the moment
// at which the call was due, and next to it that of a bare write and sync made
// every 20 ms in the same folder at the same time.
func BenchmarkLoad(b *testing.B) {
	const rate, seconds = 200, 20
	s := past(b)
	var latencies, bare []time.Duration
	var mu sync.Mutex
	b.ResetTimer()
	for b.Loop() {
		latencies = latencies[:0]
		var calls sync.WaitGroup
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			bare = syncs(b, b.TempDir(), 20*time.Millisecond, stop)
		}()
		tick := time.NewTicker(time.Second / rate)
		for i := range rate * seconds {
			due := <-tick.C
			calls.Go(func() {
				r := typicalRun(i, "")
				if _, err := s.CreateRun(ctx, r, admit); err != nil {
					b.Error(err)
				}
				took := time.Since(due)
				mu.Lock()
				latencies = append(latencies, took)
				mu.Unlock()
				follow(b, s, r)
			})
		}
		tick.Stop()
		calls.Wait()
		close(stop)
		<-stopped
	}
	for _, p := range []float64{50, 99, 100} {
		b.ReportMetric(percentile(latencies, p), fmt.Sprintf("p%g-ms", p))
		b.ReportMetric(percentile(bare, p), fmt.Sprintf("sync-p%g-ms", p))
	}
	b.ReportMetric(peakMiB(b), "peak-RSS-MiB")
}

// syncs appends a page to a file and syncs it, again and again until stop.
func syncs(b *testing.B, dir string, every time.Duration, stop <-chan struct{}) (took []time.Duration) {
	f, err := os.Create(dir + "/bare")
	if err != nil {
		b.Error(err)
		return nil
	}
	defer f.Close()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return took
		case due := <-tick.C:
			if _, err := f.Write(make([]byte, 4096)); err != nil {
				b.Error(err)
			}
			if err := f.Sync(); err != nil {
				b.Error(err)
			}
			took = append(took, time.Since(due))
		}
	}
}

// percentile is in milliseconds.
func percentile(of []time.Duration, p float64) float64 {
	slices.Sort(of)
	return float64(of[min(len(of)-1, int(float64(len(of))*p/100))].Microseconds()) / 1000
}

// follow does what a client and the control plane do with a run.
func follow(b *testing.B, s *Store, r remora.Run) {
	for range 5 {
		if _, err := s.Run(ctx, r.JobName, r.ID); err != nil {
			b.Error(err)
		}
	}
	if _, _, err := s.ListRuns(ctx, r.JobName, remora.Page{Limit: 50}); err != nil {
		b.Error(err)
	}
	for _, state := range []remora.RunState{remora.Running, remora.Succeeded} {
		if _, err := s.ChangeRun(ctx, r.ID, func(r *remora.Run) (*remora.Run, error) {
			r.State = state
			return nil, nil
		}); err != nil {
			b.Error(err)
		}
	}
}

// peakMiB is the most memory that this process has had resident.
func peakMiB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	var kib float64
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Sscan(rest, &kib)
	return kib / 1024
}

// BenchmarkOpen is a start on a store with 100,000 runs, next to the check of
// all its pages that Open leaves out.
func BenchmarkOpen(b *testing.B) {
	s := past(b)
	path := s.path
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(path, Options{})
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
	b.Run("quick_check", func(b *testing.B) {
		s := open(b, path)
		for b.Loop() {
			if _, err := s.read.db.ExecContext(ctx, "PRAGMA quick_check"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
