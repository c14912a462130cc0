package control_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/provider/fake"
)

// plane is one life of the control plane on a bed.
type plane struct {
	*bed
	*gate
	runs     *control.Runs
	sessions *control.Sessions
	warm     *control.Warm
}

// plane starts a control plane; it is closed at the end of the test.
func (b *bed) plane() *plane {
	b.t.Helper()
	p := b.newPlane()
	var err error
	if p.do(func() { err = p.resume() }); err != nil {
		b.t.Fatal(err)
	}
	return p
}

// resume takes over what is open.
func (p *plane) resume() error {
	return errors.Join(p.runs.Resume(p.t.Context()), p.sessions.Resume(p.t.Context()))
}

// newPlane makes a control plane that has not resumed yet.
func (b *bed) newPlane(change ...func(*control.Config)) *plane {
	g := newGate()
	cfg := control.Config{
		Store: store{b.store, g}, Provider: provider{fake.New(b.host), g}, Runtimes: runtimes{g}, Blobs: gatedBlobs{b.blobs, g},
		Logs: b.logs, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: b.now,
		Sizing: control.Sizing{Types: map[string]control.WorkerType{"Z.2X": {CPUs: 8, MemoryBytes: 64 << 30, DPU: 2}},
			HostCPUs: 2, HostMemory: 8 << 30, HostShm: 4 << 30},
		WorkDir: filepath.Join(b.dir, "work"), LogPrefix: logPrefix, Grace: 10 * time.Second,
		// Under the race detector an interpreter's host would sleep for a second before it exits.
		Env: func() map[string]string {
			return map[string]string{"AWS_REGION": "test", "GORACE": "atexit_sleep_ms=0"}
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	p := &plane{bed: b, gate: g, runs: control.NewRuns(cfg), warm: cfg.Warm}
	cfg.LogPrefix = sessionPrefix
	p.sessions = control.NewSessions(control.SessionsConfig{Config: cfg, Store: sessionStore{b.store, g}, Interpreter: b.interpreter, Limit: sessionLimit})
	b.t.Cleanup(p.close)
	return p
}

// close lets go of everything, as a control plane does that is restarted.
func (p *plane) close() {
	p.sessions.Close()
	p.runs.Close()
}

// kill ends the control plane as kill -9 does.
func (p *plane) kill() {
	p.die()
	p.warm.Abandon()
	p.close()
}

// do runs f, which uses the control plane; false if the control plane was
// killed in it.
func (p *plane) do(f func()) bool {
	done, alive := make(chan struct{}), false
	go func() {
		defer close(done)
		f()
		alive = true
	}()
	<-done
	return alive
}

func (p *plane) accept(q control.StartRequest) (run remora.Run, err error) {
	if q.Timeout == 0 {
		q.Timeout = time.Hour
	}
	if !p.do(func() { run, err = p.runs.Accept(p.t.Context(), q) }) {
		err = errKilled
	}
	return run, err
}

var errKilled = errors.New("the control plane was killed")

// start accepts a run of a job.
func (p *plane) start(job string) remora.Run {
	p.t.Helper()
	return p.request(control.StartRequest{JobName: job})
}

func (p *plane) request(q control.StartRequest) remora.Run {
	p.t.Helper()
	r, err := p.accept(q)
	if err != nil {
		p.t.Fatalf("start a run of %s: %v", q.JobName, err)
	}
	return r
}

func (p *plane) stop(r remora.Run) {
	p.t.Helper()
	var err error
	if p.do(func() { err = p.runs.Stop(p.t.Context(), r.JobName, r.ID) }); err != nil {
		p.t.Fatalf("stop run %s: %v", r.ID, err)
	}
}

// runtimes are the interpreters of this host.
type runtimes struct{ *gate }

func (r runtimes) Names() []string { return []string{"sh", "python", "absent"} }

// Overlay puts a folder on the path, whatever is required.
func (r runtimes) Overlay(ctx context.Context, name string, requirements []string, progress func(string)) (remora.Runtime, error) {
	rt, err := r.Ensure(ctx, name, progress)
	for _, req := range requirements {
		rt.Path = append(rt.Path, "/overlay/"+filepath.Base(req))
	}
	return rt, err
}

func (r runtimes) Ensure(_ context.Context, name string, progress func(string)) (remora.Runtime, error) {
	r.open()
	rt := remora.Runtime{Name: name, Env: map[string]string{"RUNTIME": name}}
	switch name {
	case "sh":
		rt.Python = "/bin/sh"
	case "absent":
		rt.Python = "/nonexistent/python"
	case "python":
		out, err := python()
		if err != nil {
			return rt, remora.Unavailablef("test", name, "find python3: %w", err)
		}
		rt.Python = strings.TrimSpace(string(out))
		progress("found " + rt.Python)
	default:
		return rt, remora.Invalidf("test", name, "there is no runtime %s", name)
	}
	return rt, nil
}

var python = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
})

// blobs is an S3 in memory, filled before runs start.
type blobs map[string][]byte

func (b blobs) Fetch(_ context.Context, uri string, w io.Writer, limit int64) error {
	body, ok := b[uri]
	switch {
	case !ok:
		return remora.NotFoundf("test", uri, "there is no object %s", uri)
	case int64(len(body)) > limit:
		return remora.Invalidf("test", uri, "%s has %d bytes, more than %d", uri, len(body), limit)
	}
	_, err := w.Write(body)
	return err
}

type gatedBlobs struct {
	blobs
	*gate
}

func (b gatedBlobs) Fetch(ctx context.Context, uri string, w io.Writer, limit int64) error {
	b.pass("before", scriptFetched)
	err := b.blobs.Fetch(ctx, uri, w, limit)
	b.pass("after", scriptFetched)
	return err
}
