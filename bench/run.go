package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// once is the script on both sides: what a developer tries ten times an hour.
// Without a dashboard Ray starts quicker.
const once = `import ray
ray.init(include_dashboard=False, logging_level="ERROR")
assert ray.get(ray.remote(lambda: 1).remote()) == 1
`

// benchRun compares remora run, which starts a cluster, runs the script and
// takes the cluster down, with the script by itself, whose ray.init does so.
func benchRun(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "remora-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "once.py")
	if err := os.WriteFile(script, []byte(once), 0o600); err != nil {
		return err
	}
	var ours, peer sample
	for i := range *repeats + 1 {
		if i == 1 { // the first one read files from disk
			ours, peer = nil, nil
		}
		if err := timed(&ours, func() error { return call(ctx, *remoraPath, "run", script) }); err != nil {
			return err
		}
		if err := timed(&peer, func() error { return call(ctx, *pythonPath, script) }); err != nil {
			return err
		}
	}
	version, err := exec.CommandContext(ctx, *pythonPath, "-c", "import ray; print(ray.__version__)").Output()
	if err != nil {
		return err
	}
	row := func(name string, s sample) []string {
		return []string{name, secs(s.at(0.5)), secs(s.at(0)), secs(s.at(1)), fmt.Sprintf("%.2f", float64(s.at(0.5))/float64(peer.at(0.5)))}
	}
	table(fmt.Sprintf("A script with one task, from nothing to nothing left, %d times, Ray %s: seconds", *repeats, string(version[:len(version)-1])),
		[]string{"", "median", "least", "most", "to the peer"},
		row("remora run", ours),
		row("peer: python script.py, ray.init() without dashboard", peer),
	)
	return nil
}
