// Command bench measures a real remora serve on this machine and prints tables.
//
// Every figure stands beside a peer that was measured in the same run: the disk
// and the network stack for the API, Ray's own commands for the start of a run,
// uv and pip by hand for environments.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// flags of the command.
var (
	remoraPath = flag.String("remora", "bin/remora", "the program to measure")
	pythonPath = flag.String("python", "", "Python of the Ray runtime")
	pastRuns   = flag.Int("runs", 100_000, "past runs in the store")
	rate       = flag.Int("rate", 200, "requests a second")
	seconds    = flag.Int("seconds", 30, "length of the load")
	repeats    = flag.Int("repeats", 5, "starts of a run, each with its peer")
)

var parts = []struct {
	name string
	run  func(context.Context) error
}{
	{"list", benchList},
	{"api", benchAPI},
	{"logs", benchLogs},
	{"start", benchStart},
	{"run", benchRun},
	{"session", benchSession},
	{"runtimes", benchRuntimes},
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	abs, err := filepath.Abs(*remoraPath)
	if err != nil {
		fail(err)
	}
	*remoraPath = abs
	version, err := exec.Command(*remoraPath, "version").Output()
	if err != nil {
		fail(fmt.Errorf("run %s version: %w", *remoraPath, err))
	}
	fmt.Printf("%s, %d CPUs, load average %s\n", strings.TrimSpace(string(version)), runtime.NumCPU(), loadAverage())
	for _, p := range parts {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), p.name) {
			continue
		}
		if err := p.run(ctx); err != nil {
			fail(fmt.Errorf("%s: %w", p.name, err))
		}
	}
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}
