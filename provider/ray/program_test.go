package ray_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/ray"
)

// bringAlong gives a cluster a working directory and two folders of modules.
// Ray's agents would not start with them: they have an aiohttp of their own.
func bringAlong(t *testing.T) func(*ray.Config, *remora.ClusterSpec) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"work/data.txt": "data", "first/brought.py": "NAME = 'the first'\n", "second/brought.py": "NAME = 'the second'\n",
		"second/also.py": "", "second/aiohttp/__init__.py": "raise ImportError('the aiohttp of the job')\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(_ *ray.Config, s *remora.ClusterSpec) {
		s.Dir = filepath.Join(dir, "work")
		s.Runtime.Path = []string{filepath.Join(dir, "first"), filepath.Join(dir, "second")}
	}
}

// checkAgents looks whether the modules of the job are kept from Ray's own
// processes in Python. Agents replace their command lines by a title: how they
// were started is in their raylet's.
func (b *bed) checkAgents() {
	b.t.Helper()
	// One that has just been forked has its parent's name, and then none yet.
	want := map[string]int{"ray::DashboardAgent": 2, "ray::RuntimeEnvAgent": 2, "raylets": 2, "others": 4}
	b.eventually(fmt.Sprintf("the cluster's processes were not %v", want), func() bool { return maps.Equal(b.rays(nil), want) })
	b.rays(b.t.Errorf)
}

// rays counts Ray's own processes by kind, and says which of them see what they should not.
func (b *bed) rays(complain func(format string, args ...any)) map[string]int {
	if complain == nil {
		complain = func(string, ...any) {}
	}
	counts := map[string]int{}
	for pid, cmd := range b.processes() {
		switch environ, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ")); {
		case strings.HasPrefix(cmd, "ray::DashboardAgent"), strings.HasPrefix(cmd, "ray::RuntimeEnvAgent"):
			counts[strings.Fields(cmd)[0]]++
		case strings.Contains(cmd, "/log_monitor.py "), strings.Contains(cmd, "/bin/ray start "):
			counts["others"]++
			for _, dir := range b.spec.Runtime.Path {
				if strings.Contains(string(environ), dir) {
					complain("process %d sees %s: %s", pid, dir, cmd)
				}
			}
		case strings.Contains(cmd, "/raylet/raylet "):
			counts["raylets"]++
			for _, option := range []string{"--dashboard_agent_command=", "--runtime_env_agent_command="} {
				if _, command, _ := strings.Cut(cmd, option); !strings.HasPrefix(command, b.spec.Runtime.Python+" -E -s ") {
					complain("raylet %d starts an agent that sees the modules of the job: %s%.300s", pid, option, command)
				}
			}
		}
	}
	return counts
}

// TestProgram: a script finds its cluster, and the cluster is what was asked for.
func TestProgram(t *testing.T) {
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1") // a proxy between the server and the world is none within a cluster
	}
	b := newBed(t, bringAlong(t))
	b.start()
	exit := b.wait(b.run(b.script("program.py")))
	log := b.log(remora.ScriptLog, "")
	if exit.Code != 0 {
		t.Fatalf("exit %+v; log:\n%s", exit, strings.Join(log, "\n"))
	}
	i := slices.IndexFunc(log, func(l string) bool { return strings.HasPrefix(l, "RESULT ") })
	if i < 0 {
		t.Fatalf("no result in the log:\n%s", strings.Join(log, "\n"))
	}
	var r struct {
		Resources map[string]float64
		Nodes     []string
		Ran       []string
		Moved     bool
		Counts    []int
		Env       []string
		Head      string
		Data      int
		Driver    []any
		Tasks     [][]any
		Actor     []any
		Before    bool
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(log[i], "RESULT ")), &r); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"CPU": 2, "memory": 1 << 30, "object_store_memory": 160 << 20} {
		if r.Resources[name] != want {
			t.Errorf("resource %s is %v, want %v", name, r.Resources[name], want)
		}
	}
	if len(r.Nodes) != 2 || !slices.Equal(r.Nodes, r.Ran) {
		t.Errorf("tasks for the nodes %v ran on %v", r.Nodes, r.Ran)
	}
	if !r.Moved {
		t.Error("an object did not reach a node")
	}
	if !slices.Equal(r.Counts, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("an actor counts %v", r.Counts)
	}
	if !slices.Equal(r.Env, []string{"yes", "of-the-user"}) {
		t.Errorf("a task with a runtime_env sees %v", r.Env)
	}
	if r.Data != 499500 {
		t.Errorf("the sum of a Dataset is %d", r.Data)
	}
	for who, got := range map[string][]any{"a task on the first node": r.Tasks[0], "a task on the second": r.Tasks[1], "an actor": r.Actor} {
		if want := []any{"the first", b.spec.Dir, "data"}; !slices.Equal(got, want) {
			t.Errorf("%s finds %v of what the job brings along, want %v", who, got, want)
		}
	}
	if !slices.Equal(r.Driver, []any{"the first"}) {
		t.Errorf("the driver finds %v of what the job brings along", r.Driver)
	}
	if !r.Before {
		t.Error("PYTHONPATH of a runtime_env is not before the modules of the job, or replaces them")
	}
	b.checkAgents()
	nodes, err := b.cluster.Nodes(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Head != (n.ID == r.Head) {
			t.Errorf("the driver ran on node %s; nodes: %+v", r.Head, nodes)
		}
	}
	if !slices.ContainsFunc(log, func(l string) bool { return strings.Contains(l, "a worker prints 10000001") }) {
		t.Errorf("what a worker prints is not in the driver's log:\n%s", strings.Join(log, "\n"))
	}

	b.stop() // after which the logs are complete
	for group, text := range map[string]string{
		remora.GCSLogs: "gcs_server", remora.RayletLogs: "raylet", remora.WorkerOutLogs: "a worker prints",
		remora.WorkerErrLogs: ":job_id:", remora.RuntimeEnvLog: "runtime_env", remora.ProcessLogs: "log_monitor",
	} {
		if !strings.Contains(strings.Join(b.log(group, "127.0.0.1-head"), "\n"), text) {
			t.Errorf("nothing about %q in the head's stream of %s", text, group)
		}
	}
	if !strings.Contains(strings.Join(b.log(remora.RayletLogs, "127.0.0.1-worker-1"), "\n"), "raylet") {
		t.Error("the worker's raylet has no log")
	}
}

// TestPrivate: nobody else can reach a cluster or see its secrets.
func TestPrivate(t *testing.T) {
	b := newBed(t, nil)
	b.start()
	b.run(b.script("hang.py"))
	b.logged("hanging")

	token, err := os.ReadFile(filepath.Join(b.dir(), "token"))
	if err != nil || len(token) < 32 {
		t.Fatalf("token %q, %v", token, err)
	}
	for pid, cmd := range b.processes() {
		for _, secret := range []string{string(token), "of-the-user"} {
			if strings.Contains(cmd, secret) {
				t.Errorf("process %d has a secret in its arguments: %s", pid, cmd)
			}
		}
	}
	for _, name := range []string{"token", "spec.json"} {
		if fi, err := os.Stat(filepath.Join(b.dir(), name)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, fi.Mode(), err)
		}
	}
	for dir := b.dir(); filepath.Base(filepath.Dir(dir)) != "tmp" && len(dir) > 5; dir = filepath.Dir(dir) {
		if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v; want mode 0700", dir, fi.Mode(), err)
		}
	}

	ports := b.listening()
	if len(ports) < 5 {
		t.Errorf("the cluster listens on %v only", ports)
	}
	for _, addr := range ports {
		if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("the cluster listens on %s, which others can reach", addr)
		}
	}
	b.refusedWithoutToken()
}

// refusedWithoutToken asks the GCS as another user of the host could.
func (b *bed) refusedWithoutToken() {
	id := ""
	nodes, err := b.cluster.Nodes(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Head {
			id = n.ID
		}
	}
	port, err := os.ReadFile(filepath.Join(b.dir(), "n0", "session_x", "gcs_server_port_"+id))
	if err != nil {
		b.t.Fatal(err)
	}
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: h2c}
	defer tr.CloseIdleConnections()
	for _, auth := range []string{"", "Bearer " + strings.Repeat("0", 64)} {
		req, err := http.NewRequestWithContext(b.ctx, "POST", "http://127.0.0.1:"+string(port)+"/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
			strings.NewReader("\x00\x00\x00\x00\x00"))
		if err != nil {
			b.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("TE", "trailers")
		if auth != "" {
			req.Header.Set("Authorization", auth)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			b.t.Fatal(err)
		}
		resp.Body.Close()
		if s := resp.Header.Get("Grpc-Status"); s != "16" { // UNAUTHENTICATED
			b.t.Errorf("the GCS answers a call with authorization %q with gRPC status %q", auth, s)
		}
	}
}
