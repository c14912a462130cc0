package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// talker writes lines at a rate, each flushed as print does in a job, and then
// as fast as it can; it prints what both took.
const talker = `import time
N, RATE = 100_000, 10_000
start = time.perf_counter()
for i in range(N):
    print("line", i, "of a job that talks a lot, about a hundred bytes of it in each of its many lines", flush=True)
    if i % 100 == 99:
        ahead = (i + 1) / RATE - (time.perf_counter() - start)
        if ahead > 0:
            time.sleep(ahead)
steady = time.perf_counter() - start
start = time.perf_counter()
for i in range(N):
    print("line", i, "of a job that talks a lot, about a hundred bytes of it in each of its many lines", flush=True)
print("TOOK", steady, time.perf_counter() - start, flush=True)
`

var took = regexp.MustCompile(`(?m)^TOOK ([0-9.]+) ([0-9.]+)$`)

// benchLogs measures whether being logged slows a script that writes a lot. The
// peer is the same script with its output in a file.
func benchLogs(ctx context.Context) error {
	srv, err := serveScript(ctx, talker)
	if err != nil {
		return err
	}
	defer os.RemoveAll(srv.dir)
	defer srv.stop()
	run, err := runToEnd(ctx, srv)
	if err != nil {
		return err
	}
	log, err := exec.Command(*remoraPath, "--data-dir", srv.dataDir(), "logs", run).Output()
	if err != nil {
		return fmt.Errorf("remora logs: %w", err)
	}
	if n := strings.Count(string(log), "of a job that talks a lot"); n != 200_000 {
		return fmt.Errorf("the log has %d of 200000 lines", n)
	}
	path, out := filepath.Join(srv.dir, "talker.py"), filepath.Join(srv.dir, "talker.out")
	if err := os.WriteFile(path, []byte(talker), 0o600); err != nil {
		return err
	}
	if err := exec.CommandContext(ctx, "sh", "-c", `exec "$0" -u "$1" >"$2"`, *pythonPath, path, out).Run(); err != nil {
		return fmt.Errorf("the peer: %w", err)
	}
	peer, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	rows := [][]string{{"200,000 lines, seconds", "10,000 a second", "as fast as it can"}}
	for _, side := range []struct {
		name string
		text []byte
	}{{"a job", log}, {"peer: output in a file", peer}} {
		m := took.FindSubmatch(side.text)
		if m == nil {
			return fmt.Errorf("%s printed no times", side.name)
		}
		row := []string{side.name}
		for _, s := range m[1:] {
			v, err := strconv.ParseFloat(string(s), 64)
			if err != nil {
				return err
			}
			row = append(row, secs(time.Duration(v*float64(time.Second))))
		}
		rows = append(rows, row)
	}
	table("Logs: what it costs a script to be logged, no line lost", rows...)
	return nil
}
