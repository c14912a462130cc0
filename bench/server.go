package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// server is a remora serve of our own.
type server struct {
	dir   string
	cmd   *exec.Cmd
	env   map[string]string
	ready struct {
		Endpoint   string
		S3Endpoint string `json:"s3_endpoint"`
		Region     string
		PID        int
	}
}

// startServer starts a server on a data directory below dir, which may hold a
// store already.
func startServer(ctx context.Context, dir string) (*server, error) {
	s := &server{dir: dir}
	readyFile := filepath.Join(dir, "ready.json")
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(*remoraPath, "--data-dir", s.dataDir(), "serve", "--listen", "127.0.0.1:0",
		"--s3-listen", "127.0.0.1:0", "--ready-file", readyFile)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to handle
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(time.Minute)
	for {
		text, err := os.ReadFile(readyFile)
		if err == nil && json.Unmarshal(text, &s.ready) == nil {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			words, _ := os.ReadFile(log.Name())
			s.stop()
			return nil, fmt.Errorf("the server was not ready within a minute: %s", words)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if s.env, err = s.environment(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) dataDir() string { return filepath.Join(s.dir, "data") }

func (s *server) environment() (map[string]string, error) {
	out, err := exec.Command(*remoraPath, "--data-dir", s.dataDir(), "env").Output()
	if err != nil {
		return nil, fmt.Errorf("remora env: %w", err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	return env, nil
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

// resident returns the server's resident memory and its peak, in MiB.
func (s *server) resident() (now, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.ready.PID))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			now = kib / 1024
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kib); err == nil {
			peak = kib / 1024
		}
	}
	return now, peak, nil
}

func (s *server) credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(s.env["AWS_ACCESS_KEY_ID"], s.env["AWS_SECRET_ACCESS_KEY"], "")
}

// httpClient keeps as many connections as the load has requests under way.
func httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}}
}

func (s *server) glue() *glue.Client {
	return glue.New(glue.Options{BaseEndpoint: &s.ready.Endpoint, Region: s.ready.Region, Credentials: s.credentials(),
		HTTPClient: httpClient(), RetryMaxAttempts: 1})
}

func (s *server) s3() *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &s.ready.S3Endpoint, Region: s.ready.Region, Credentials: s.credentials(), UsePathStyle: true})
}
