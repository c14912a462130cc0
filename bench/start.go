package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// workers beside the head, on both sides.
const workers = 2

// hello is the script on both sides. It prints the wall clock when a task has
// run and all nodes are there.
const hello = `import time
import ray
ray.init("auto")
while sum(n["Alive"] for n in ray.nodes()) < %d:
    time.sleep(0.01)
f = ray.remote(lambda: 1)
assert ray.get(f.remote()) == 1
print("DONE", time.time(), flush=True)
`

// benchStart compares the start of a run through the service with the same by
// hand: ray start for head and workers, as parallel as it goes, then the script.
func benchStart(ctx context.Context) error {
	script := fmt.Sprintf(hello, workers+1)
	srv, err := serveScript(ctx, script)
	if err != nil {
		return err
	}
	defer os.RemoveAll(srv.dir)
	defer srv.stop()
	var ours, peer sample
	var where string
	for i := range *repeats + 1 {
		a, log, err := viaService(ctx, srv)
		if err != nil {
			return err
		}
		b, err := byHand(ctx, srv.dir, script)
		if err != nil {
			return fmt.Errorf("the peer: %w", err)
		}
		if i > 0 { // the first of each warms the page cache
			ours, peer = append(ours, a), append(peer, b)
		}
		where = log
	}
	version, err := exec.Command(*pythonPath, "-c", "import ray; print(ray.__version__)").Output()
	if err != nil {
		return err
	}
	row := func(name string, s sample) []string {
		return []string{name, secs(s.at(0.5)), secs(s.at(0)), secs(s.at(1))}
	}
	table(fmt.Sprintf("Start of a run, until a task has run and all nodes are there: a head and %d workers, %d repeats, seconds", workers, *repeats),
		[]string{"", "p50", "min", "max"}, row("StartJobRun", ours),
		row("peer: ray start of Ray "+strings.TrimSpace(string(version))+", then the script", peer))
	fmt.Printf("\nadded by the service: %+.2f s (goal: at most +0.30), ratio %.2f\n", (ours.at(0.5) - peer.at(0.5)).Seconds(),
		float64(ours.at(0.5))/float64(peer.at(0.5)))
	fmt.Println("peer's settings: no dashboard, no monitor, no usage statistics, workers side by side")
	fmt.Printf("the last run's own account of its start:\n%s", where)
	return nil
}

// serveScript starts a server in a folder of its own, srv.dir, with a job of the
// given script.
func serveScript(ctx context.Context, script string) (*server, error) {
	dir, err := os.MkdirTemp("", "remora-bench-")
	if err != nil {
		return nil, err
	}
	srv, err := startServer(ctx, dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := scriptJob(ctx, srv, script); err != nil {
		srv.stop()
		os.RemoveAll(dir)
		return nil, err
	}
	return srv, nil
}

// scriptJob makes the job, with the given script.
func scriptJob(ctx context.Context, srv *server, script string) error {
	objects := srv.s3()
	if _, err := objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bench")}); err != nil {
		return err
	}
	if _, err := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bench"), Key: aws.String("script.py"),
		Body: strings.NewReader(script)}); err != nil {
		return err
	}
	_, err := srv.glue().CreateJob(ctx, &glue.CreateJobInput{Name: aws.String(job), Role: aws.String("any"),
		WorkerType: types.WorkerTypeZ2x, NumberOfWorkers: aws.Int32(workers), GlueVersion: aws.String("4.0"),
		Command: &types.JobCommand{Name: aws.String("glueray"), Runtime: aws.String("Ray2.60"), ScriptLocation: aws.String("s3://bench/script.py")}})
	return err
}

// viaService runs the job and reads the times from its log.
func viaService(ctx context.Context, srv *server) (time.Duration, string, error) {
	begin := time.Now()
	run, err := runToEnd(ctx, srv)
	if err != nil {
		return 0, "", err
	}
	log, err := exec.Command(*remoraPath, "--data-dir", srv.dataDir(), "logs", run).Output()
	if err != nil {
		return 0, "", fmt.Errorf("remora logs: %w", err)
	}
	s, err := times(begin, log)
	return s, accounts(log), err
}

// runToEnd runs the job and returns the id of the run, which has succeeded.
func runToEnd(ctx context.Context, srv *server) (string, error) {
	client := srv.glue()
	run, err := client.StartJobRun(ctx, &glue.StartJobRunInput{JobName: aws.String(job)})
	if err != nil {
		return "", err
	}
	for {
		out, err := client.GetJobRun(ctx, &glue.GetJobRunInput{JobName: aws.String(job), RunId: run.JobRunId})
		switch {
		case err != nil:
			return "", err
		case out.JobRun.CompletedOn == nil:
			time.Sleep(20 * time.Millisecond)
		case out.JobRun.JobRunState != types.JobRunStateSucceeded:
			return "", fmt.Errorf("the run is %s: %s", out.JobRun.JobRunState, aws.ToString(out.JobRun.ErrorMessage))
		default:
			return *run.JobRunId, nil
		}
	}
}

var stamp = regexp.MustCompile(`(?m)^DONE ([0-9.]+)$`)

// times reads the script's stamp.
func times(begin time.Time, log []byte) (time.Duration, error) {
	m := stamp.FindSubmatch(log)
	if m == nil {
		return 0, fmt.Errorf("the script printed no time: %s", log)
	}
	at, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return 0, err
	}
	return time.Unix(0, int64(at*1e9)).Sub(begin), nil
}

// accounts picks the lines in which a run's log tells of its start.
func accounts(log []byte) string {
	var b strings.Builder
	for s := bufio.NewScanner(bytes.NewReader(log)); s.Scan(); {
		if strings.HasPrefix(s.Text(), "remora: cluster ready") {
			fmt.Fprintln(&b, "  ", s.Text())
		}
	}
	return b.String()
}

// byHand is the peer: the commands that one would type.
func byHand(ctx context.Context, dir, script string) (time.Duration, error) {
	tmp, err := os.MkdirTemp("", "rb")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	path := filepath.Join(dir, "hello.py")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		return 0, err
	}
	env := append(os.Environ(), "RAY_TMPDIR="+tmp, "RAY_AUTH_MODE=disabled", "RAY_USAGE_STATS_ENABLED=0")
	ray := func(args ...string) *exec.Cmd {
		c := exec.CommandContext(ctx, filepath.Join(filepath.Dir(*pythonPath), "ray"), args...)
		c.Env = env
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return c
	}
	port, client, err := freePorts()
	if err != nil {
		return 0, err
	}
	size := []string{"--memory=1000000000", "--object-store-memory=500000000", "--disable-usage-stats", "--min-worker-port=0",
		"--max-worker-port=0", "--dashboard-agent-listen-port=0", "--block"}
	head := ray(append([]string{"start", "--head", "--port=" + port, "--num-cpus=0", "--include-dashboard=false", "--no-monitor",
		"--ray-client-server-port=" + client, "--temp-dir=" + tmp}, size...)...)
	out, err := head.StdoutPipe()
	if err != nil {
		return 0, err
	}
	head.Stderr = head.Stdout // off a terminal, Ray's commands talk on stderr
	nodes := []*exec.Cmd{head}
	begin := time.Now()
	if err := head.Start(); err != nil {
		return 0, err
	}
	defer func() {
		for _, n := range nodes {
			syscall.Kill(-n.Process.Pid, syscall.SIGKILL)
			n.Wait()
		}
		exec.Command("pkill", "-9", "-f", tmp).Run() // what left the group
	}()
	// A worker's command fails until the head's node is there, so it has to wait
	// for the head's to say so; the script can be started at the same moment.
	if err := waitLine(out, "Ray runtime started."); err != nil {
		return 0, err
	}
	for i := range workers {
		// With one temp directory for both, Ray 2.60 keeps the second node waiting
		// for half a minute.
		n := ray(append([]string{"start", "--address=127.0.0.1:" + port, "--num-cpus=2",
			fmt.Sprintf("--temp-dir=%s/w%d", tmp, i)}, size...)...)
		if err := n.Start(); err != nil {
			return 0, err
		}
		nodes = append(nodes, n)
	}
	c := exec.CommandContext(ctx, *pythonPath, path)
	c.Env = append(env, "RAY_ADDRESS=127.0.0.1:"+port)
	said, err := c.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("the script: %w: %s", err, said)
	}
	return times(begin, said)
}

// waitLine returns when the output has a line with the text, and goes on
// reading, so that the process is not held up.
func waitLine(out io.Reader, text string) error {
	s := bufio.NewScanner(out)
	var seen []string
	for s.Scan() {
		seen = append(seen, s.Text())
		if strings.Contains(s.Text(), text) {
			go io.Copy(io.Discard, out)
			return nil
		}
	}
	return fmt.Errorf("ray start ended without saying %q: %s", text, strings.Join(seen, "\n"))
}

// freePorts returns two ports that nobody uses.
func freePorts() (a, b string, err error) {
	var ports [2]string
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer l.Close()
		_, ports[i], _ = net.SplitHostPort(l.Addr().String())
	}
	return ports[0], ports[1], nil
}
