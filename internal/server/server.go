// Package server wires Remora together: it alone knows every concrete type
// behind the seams of the root package.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api"
	"github.com/remora-project/remora/api/s3"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/logstore"
	"github.com/remora-project/remora/runtimes"
	"github.com/remora-project/remora/store/sqlite"
)

// Options say what to serve; all members but the listeners' are required.
type Options struct {
	DataDir  string
	Config   config.Config
	Listen   string // overrides the configuration's
	S3Listen string
	// Program is the path of remora, by which clusters start their supervisors
	// and get packages over a runtime.
	Program string
	Log     *slog.Logger
	Now     remora.Clock
	// Provider replaces the real one, in tests of the service without Ray.
	Provider remora.Provider
}

// Server is a running service.
type Server struct {
	opts     Options
	unlock   func()
	store    *sqlite.Store
	logs     *logstore.Store
	envs     *runtimes.Cache
	blobs    *s3.Server // nil with an outside S3
	runs     *control.Runs
	sessions *control.Sessions
	warm     *control.Warm
	http     *http.Server
	api      net.Listener
	errs     chan error
	sweep    context.CancelFunc
	swept    chan struct{}
}

// Open starts serving. When it returns, both endpoints answer and every run
// that an earlier server left open is being driven again.
func Open(ctx context.Context, opts Options) (_ *Server, err error) {
	s := &Server{opts: opts, errs: make(chan error, 2)}
	defer func() {
		if err != nil {
			s.close(context.WithoutCancel(ctx))
		}
	}()
	// The S3 store changes the working directory.
	if s.opts.DataDir, err = filepath.Abs(opts.DataDir); err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	opts = s.opts
	if s.unlock, err = lockDataDir(opts.DataDir); err != nil {
		return nil, err
	}
	former, _ := LastReady(opts.DataDir)
	if s.api, err = listen(opts.Listen, opts.Config.Server.Listen, former.Endpoint); err != nil {
		return nil, err
	}
	handler, err := s.wire(ctx, former)
	if err != nil {
		return nil, err
	}
	if err := s.runs.Resume(ctx); err != nil {
		return nil, fmt.Errorf("resume the runs of an earlier server: %w", err)
	}
	if err := s.sessions.Resume(ctx); err != nil {
		return nil, fmt.Errorf("resume the sessions of an earlier server: %w", err)
	}
	s.http = api.NewServer(handler, api.DefaultTimeouts, opts.Log)
	go func() {
		if err := s.http.Serve(s.api); !errors.Is(err, http.ErrServerClosed) {
			s.errs <- fmt.Errorf("the API endpoint stopped: %w", err)
		}
	}()
	s.startSweeping()
	if err := writeReady(s); err != nil {
		return nil, err
	}
	return s, nil
}

// listen takes the flag's address, or the configuration's.
func listen(flag, configured, former string) (net.Listener, error) {
	addr := address(flag, configured)
	if same, ok := samePort(addr, former); ok {
		if l, err := net.Listen("tcp", same); err == nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the API on %s: %w (name another address with --listen; port 0 takes a free one)", addr, err)
	}
	return l, nil
}

func address(flag, configured string) string {
	if flag != "" {
		return flag
	}
	return configured
}

// samePort names the address of the directory's former server where any free
// port will do: scripts that outlived that server still know the address.
func samePort(addr, former string) (string, bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != "0" {
		return "", false
	}
	u, err := url.Parse(former)
	if err != nil || u.Port() == "" {
		return "", false
	}
	return net.JoinHostPort(host, u.Port()), true
}

// Err delivers a failure that ends the service.
func (s *Server) Err() <-chan error { return s.errs }

// Open returns the number of runs and sessions that go on when the server stops.
func (s *Server) Open() int { return s.runs.Open() + s.sessions.Open() }

// Close stops serving. Runs go on without the server, and the next one resumes
// them.
func (s *Server) Close(ctx context.Context) error {
	return s.close(ctx)
}

func (s *Server) close(ctx context.Context) error {
	var errs []error
	if s.http != nil {
		if err := s.http.Shutdown(ctx); err != nil {
			errs = append(errs, s.http.Close())
		}
	} else if s.api != nil {
		errs = append(errs, s.api.Close())
	}
	if s.sweep != nil {
		s.sweep()
		<-s.swept
	}
	if s.runs != nil {
		s.runs.Close()
	}
	if s.sessions != nil {
		s.sessions.Close()
	}
	if s.warm != nil {
		s.warm.Close()
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close(ctx))
	}
	if s.logs != nil {
		errs = append(errs, s.logs.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.unlock != nil {
		s.unlock()
	}
	return errors.Join(errs...)
}

// sweepEvery is how often expired log events, and runtimes that nobody has used
// for long, are removed.
const sweepEvery = 10 * time.Minute

func (s *Server) startSweeping() {
	ctx, cancel := context.WithCancel(context.Background())
	s.sweep, s.swept = cancel, make(chan struct{})
	go func() {
		defer close(s.swept)
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			if err := s.logs.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.Error("expired logs could not be removed", "err", err)
			}
			keep := s.opts.Config.Runtime
			unused := runtimes.PruneOptions{OlderThan: time.Duration(keep.UnusedFor), MaxBytes: int64(keep.MaxSize)}
			if _, err := s.envs.Prune(ctx, unused); err != nil && ctx.Err() == nil {
				s.opts.Log.Error("unused runtimes could not be removed", "err", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Places in the data directory.
func dbPath(dir string) string   { return filepath.Join(dir, "remora.db") }
func logsPath(dir string) string { return filepath.Join(dir, "logs") }
func s3Path(dir string) string   { return filepath.Join(dir, "s3") }
func warmPath(dir string) string { return filepath.Join(dir, "warm") }
func workPath(dir string) string { return filepath.Join(dir, "work") }

// KeysPath is the file of access keys.
func KeysPath(dir string) string { return filepath.Join(dir, "keys.json") }

// ReadyPath is the file that says where the directory's server listens, or where
// the last one did.
func ReadyPath(dir string) string { return filepath.Join(dir, "server.json") }
