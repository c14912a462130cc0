// Package testenv runs the remora program for tests of the whole of it.
package testenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Deadline bounds what tests wait for, on a busy machine too.
const Deadline = 2 * time.Minute

var build struct {
	once sync.Once
	dir  string
	err  error
}

// Main runs a package's tests and removes what Remora has built. It is for
// TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if build.dir != "" {
		os.RemoveAll(build.dir)
	}
	os.Exit(code)
}

// Remora returns the path of the program, which is built once for each test
// binary; its TestMain must be Main.
func Remora(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		if build.dir, build.err = os.MkdirTemp("", "remora-test"); build.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", build.dir, "github.com/remora-project/remora/cmd/remora").CombinedOutput()
		if err != nil {
			build.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatalf("build the remora program: %v", build.err)
	}
	return filepath.Join(build.dir, "remora")
}

// Environ is the test's own environment without what would configure the
// program; the caches stay.
func Environ(t testing.TB, more ...string) []string {
	t.Helper()
	env := []string{"XDG_CONFIG_HOME=" + filepath.Join(t.TempDir(), "none")}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "REMORA_") && !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "XDG_CONFIG_HOME=") {
			env = append(env, v)
		}
	}
	return append(env, more...)
}

// Result is what a command came to.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the program to its end.
func Run(t testing.TB, env []string, args ...string) Result {
	t.Helper()
	cmd := exec.Command(Remora(t), args...)
	cmd.Env = env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	timer := time.AfterFunc(Deadline, func() { cmd.Process.Kill() })
	err := cmd.Run()
	if !timer.Stop() {
		t.Errorf("remora %s has not ended after %s", strings.Join(args, " "), Deadline)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run remora: %v", err)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// Ready is what a server says of itself in its ready file.
type Ready struct {
	Endpoint   string `json:"endpoint"`
	S3Endpoint string `json:"s3_endpoint"`
	Region     string `json:"region"`
	PID        int    `json:"pid"`
	DataDir    string `json:"data_dir"`
}

// Server is a `remora serve` of its own process.
type Server struct {
	Ready     Ready
	ReadyFile string
	Env       []string
	t         testing.TB
	cmd       *exec.Cmd
	ended     chan struct{}
	log       bytes.Buffer // complete once it has ended
}

// Serve starts a server on a data directory and waits until it is ready. Unless
// args say otherwise it takes free ports, or those of the directory's former
// server. It is killed at the end of the test.
func Serve(t testing.TB, dir string, env []string, args ...string) *Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	args = append([]string{"serve", "--data-dir", dir, "--ready-file", file, "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"}, args...)
	s := &Server{ReadyFile: file, Env: env, t: t, cmd: exec.Command(Remora(t), args...), ended: make(chan struct{})}
	s.cmd.Env = env
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start remora serve: %v", err)
	}
	go func() {
		defer close(s.ended)
		s.cmd.Wait()
	}()
	t.Cleanup(s.Kill)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(Deadline); ; <-tick.C {
		if text, err := os.ReadFile(file); err == nil {
			if err := json.Unmarshal(text, &s.Ready); err != nil {
				t.Fatalf("read the ready file: %v", err)
			}
			return s
		}
		select {
		case <-s.ended:
			t.Fatalf("remora serve has ended (%v):\n%s", s.cmd.ProcessState, &s.log)
		default:
		}
		if time.Now().After(end) {
			s.Kill()
			t.Fatalf("remora serve is not ready after %s:\n%s", Deadline, &s.log)
		}
	}
}

// Kill ends the server with SIGKILL. Idempotent.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.ended
}

// Stop ends the server with SIGTERM and returns its exit code and its output.
func (s *Server) Stop() (code int, log string) {
	s.t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(Deadline):
		s.Kill()
		s.t.Fatalf("remora serve has not ended %s after SIGTERM:\n%s", Deadline, &s.log)
	}
	return s.cmd.ProcessState.ExitCode(), s.log.String()
}
