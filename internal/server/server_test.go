package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora/internal/client"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/keyring"
	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func options(t *testing.T, dir string) server.Options {
	t.Helper()
	cfg, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	return server.Options{DataDir: dir, Config: cfg, Listen: "127.0.0.1:0", S3Listen: "127.0.0.1:0",
		Program: "/nonexistent/remora", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now}
}

// open opens a server that the test closes, or its end does.
func open(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	s, err := server.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closeServer(t, s) })
	return s
}

func closeServer(t *testing.T, s *server.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// own is a client with the directory's own key.
func own(t *testing.T, ready server.Ready) client.Client {
	t.Helper()
	ring, err := keyring.Open(server.KeysPath(ready.DataDir))
	if err != nil {
		t.Fatal(err)
	}
	key := ring.Current()
	secret, _ := ring.Secret(key.ID)
	return client.Client{Endpoint: ready.Endpoint, Region: ready.Region, AccessKeyID: key.ID, SecretAccessKey: secret}
}

func jobs(t *testing.T, c client.Client) error {
	t.Helper()
	return c.Call(t.Context(), "glue", "AWSGlue.GetJobs", map[string]any{}, nil)
}

func TestOpenAndCloseTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	o := options(t, dir)
	first := open(t, o)
	ready := first.Ready()
	if err := jobs(t, own(t, ready)); err != nil {
		t.Errorf("the API: %v", err)
	}
	if resp, err := http.Get(ready.S3Endpoint); err != nil {
		t.Errorf("S3: %v", err)
	} else if resp.Body.Close(); resp.StatusCode != http.StatusForbidden {
		t.Errorf("S3 answers %s to a request that is not signed", resp.Status)
	}
	if running, ok := server.Running(dir); !ok || running != ready {
		t.Errorf("the directory's server is %+v, %v; want %+v", running, ok, ready)
	}
	client := own(t, ready)
	closeServer(t, first)
	if _, ok := server.Running(dir); ok {
		t.Error("the directory still has a running server")
	}
	if last, ok := server.LastReady(dir); !ok || last != ready {
		t.Errorf("the directory's last server was %+v, %v; want %+v", last, ok, ready)
	}

	second := open(t, o) // port 0: the ports that scripts from before know
	if again := second.Ready(); again != ready {
		t.Errorf("the second server is %+v, the first was %+v", again, ready)
	}
	if err := jobs(t, client); err != nil {
		t.Errorf("the first server's key: %v", err)
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := open(t, options(t, dir))
	_, err := server.Open(t.Context(), options(t, dir))
	if want := fmt.Sprintf("another server (process %d) is running on %s", os.Getpid(), dir); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want …%s…", err, want)
	}
	if err := jobs(t, own(t, first.Ready())); err != nil {
		t.Errorf("the first server: %v", err)
	}
}

// What a server that was killed has left says nothing of the present.
func TestStaleFiles(t *testing.T) {
	for name, content := range map[string]string{
		"of another server": `{"endpoint": "http://127.0.0.1:1", "s3_endpoint": "http://127.0.0.1:1", "pid": 1}`,
		"half written":      `{"endpoint": "http://127`,
		"nonsense":          `{"endpoint": "::", "s3_endpoint": 7}`,
		"empty":             "",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, path := range []string{server.ReadyPath(dir), filepath.Join(dir, "lock")} {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if r, ok := server.Running(dir); ok {
				t.Errorf("%+v is said to be running", r)
			}
			s := open(t, options(t, dir))
			if err := jobs(t, own(t, s.Ready())); err != nil {
				t.Error(err)
			}
			if now, ok := server.Running(dir); !ok || now != s.Ready() {
				t.Errorf("running: %+v, %v", now, ok)
			}
		})
	}
}

// The former port has been taken by somebody else since.
func TestFormerPortIsTaken(t *testing.T) {
	dir := t.TempDir()
	first := open(t, options(t, dir))
	former := first.Ready()
	closeServer(t, first)
	for _, url := range []string{former.Endpoint, former.S3Endpoint} {
		l, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	s := open(t, options(t, dir))
	if now := s.Ready(); now.Endpoint == former.Endpoint || now.S3Endpoint == former.S3Endpoint {
		t.Errorf("the ports are taken, and yet %+v", now)
	}
	if err := jobs(t, own(t, s.Ready())); err != nil {
		t.Error(err)
	}
}

// An Open that fails lets go of all that it has taken.
func TestOpenFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, spoil := range map[string]func(o *server.Options){
		"the API's port is taken": func(o *server.Options) { o.Listen = taken.Addr().String() },
		"the S3 port is taken":    func(o *server.Options) { o.S3Listen = taken.Addr().String() },
		"no Python":               func(o *server.Options) { o.Config.Runtime.CacheDir = "/proc/nonexistent" },
		"the keys are damaged":    func(o *server.Options) { write(t, server.KeysPath(o.DataDir), "{") },
		"the database is damaged": func(o *server.Options) { write(t, filepath.Join(o.DataDir, "remora.db"), strings.Repeat("no", 4096)) },
		"no logs":                 func(o *server.Options) { write(t, filepath.Join(o.DataDir, "logs"), "") },
		"no ready file":           func(o *server.Options) { os.Mkdir(server.ReadyPath(o.DataDir), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			before := goroutines()
			o := options(t, t.TempDir())
			spoil(&o)
			s, err := server.Open(t.Context(), o)
			if err == nil {
				closeServer(t, s)
				t.Fatal("the server was opened")
			}
			noMoreGoroutines(t, before)
			open(t, options(t, t.TempDir())) // S3 is once per process
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the first may start what stays for the process's life
		before := goroutines()
		s := open(t, options(t, dir))
		if err := jobs(t, own(t, s.Ready())); err != nil {
			t.Error(err)
		}
		closeServer(t, s)
		http.DefaultClient.CloseIdleConnections()
		noMoreGoroutines(t, before)
	}
}

// goroutines counts goroutines by where they were made.
func goroutines() map[string]int {
	text := make([]byte, 4<<20)
	text = text[:runtime.Stack(text, true)]
	out := map[string]int{}
	for g := range strings.SplitSeq(string(text), "\n\n") {
		if _, at, ok := strings.Cut(g, "created by "); ok {
			name, _, _ := strings.Cut(at, "\n")
			name, _, _ = strings.Cut(name, " in goroutine")
			out[name]++
		}
	}
	return out
}

func noMoreGoroutines(t *testing.T, before map[string]int) {
	t.Helper()
	var more []string
	eventually(t, func() bool {
		more = nil
		for name, n := range goroutines() {
			if n > before[name] {
				more = append(more, fmt.Sprintf("%d by %s", n-before[name], name))
			}
		}
		return len(more) == 0
	}, func() string { return fmt.Sprintf("goroutines are left: %q", more) })
}

// eventually waits for cond; what says what did not happen.
func eventually(t *testing.T, cond func() bool, what func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(testenv.Deadline); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("after %s: %s", testenv.Deadline, what())
		}
	}
}

// Jobs and commands are given an address that can be connected to.
func TestListenOnAllInterfaces(t *testing.T) {
	o := options(t, t.TempDir())
	o.Listen, o.S3Listen = "0.0.0.0:0", ":0"
	s := open(t, o)
	ready := s.Ready()
	for _, url := range []string{ready.Endpoint, ready.S3Endpoint} {
		if !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Errorf("the address is %s", url)
		}
	}
	if err := jobs(t, own(t, ready)); err != nil {
		t.Error(err)
	}
}

// A relative directory stays where it was, whatever the S3 store does with the
// working directory.
func TestRelativeDataDir(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, options(t, "data"))
	if dir := s.Ready().DataDir; !filepath.IsAbs(dir) {
		t.Errorf("the data directory is %s", dir)
	}
	if err := jobs(t, own(t, s.Ready())); err != nil {
		t.Error(err)
	}
}
