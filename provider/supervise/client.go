package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	remora "github.com/remora-project/remora"
)

const (
	answerTimeout = 10 * time.Second              // for a supervisor to answer that holds its lock
	stopTimeout   = sweepTimeout + 15*time.Second // for one that has answered to end its cluster
	clientPoll    = 10 * time.Millisecond
)

// Cluster is a control plane's end of a supervised cluster. Its methods may be
// called from any goroutine, and go on answering from the records on disk when
// the supervisor is gone.
type Cluster struct {
	id, dir string
	http    *http.Client
}

func newCluster(id, dir string) *Cluster {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, socketName))
	}
	return &Cluster{id: id, dir: dir, http: &http.Client{Transport: &http.Transport{DialContext: dial, IdleConnTimeout: time.Minute}}}
}

// Status asks the supervisor. Unavailable if there is none any more.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	var st Status
	return st, c.call(ctx, "GET", "/v1/status", nil, &st)
}

// SocketVariable names the variable by which a driver learns where to listen;
// see remora.Cluster.Dial.
const SocketVariable = "REMORA_SOCKET"

// DriverSocket is where a driver of the cluster in dir listens, if it does. It
// is short, see RunDir.
func DriverSocket(dir, driverID string) string {
	return filepath.Join(dir, "d-"+shortHash(driverID)[:8])
}

// Dial implements remora.Cluster.
func (c *Cluster) Dial(ctx context.Context, driverID string) (net.Conn, error) {
	return DialDriver(ctx, c.dir, driverID)
}

// DialDriver connects to a driver of the cluster in dir.
func DialDriver(ctx context.Context, dir, driverID string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", DriverSocket(dir, driverID))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, remora.Unavailablef("supervise: dial", driverID, "driver %s does not listen: %w", driverID, err)
	}
	return conn, nil
}

// Env is the environment that every process of the cluster has.
func (c *Cluster) Env() (map[string]string, error) {
	s, err := readSpec(c.dir)
	if err != nil {
		return nil, ioError("read the cluster's environment", c.id, err)
	}
	env := map[string]string{}
	maps.Copy(env, s.Env)
	env[Marker] = c.id
	return env, nil
}

// Assign implements remora.Cluster; tails are what Spec.Tails would have been.
func (c *Cluster) Assign(ctx context.Context, logs remora.LogTarget, tails []Tail) error {
	return c.call(ctx, "POST", "/v1/assign", assignment{logs, tails}, nil)
}

// Memory implements remora.Cluster.
func (c *Cluster) Memory(ctx context.Context) (int64, error) {
	var bytes int64
	return bytes, c.call(ctx, "GET", "/v1/memory", nil, &bytes)
}

// Run starts a driver; see remora.Cluster.
func (c *Cluster) Run(ctx context.Context, d remora.Driver) (*Process, error) {
	if d.ID == "" {
		return nil, remora.Invalidf("supervise: run", c.id, "a driver needs an id")
	}
	var r Record
	err := c.call(ctx, "POST", "/v1/driver", d, &r)
	var gone *goneError
	if errors.As(err, &gone) {
		if r, err2 := readRecord(c.dir, d.ID); err2 == nil {
			return &Process{c: c, id: r.ID}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return &Process{c: c, id: d.ID}, nil
}

// Process returns a driver that was started earlier; NotFound.
func (c *Cluster) Process(ctx context.Context, driverID string) (*Process, error) {
	p := &Process{c: c, id: driverID}
	if _, err := p.record(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Stop ends the cluster and removes every trace of it. If ctx ends first the
// cluster goes on ending.
func (c *Cluster) Stop(ctx context.Context) error {
	defer c.http.CloseIdleConnections()
	answer, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	deadline := time.Now().Add(answerTimeout)
	asked := false
	for {
		lock, err := tryLock(c.dir, false)
		switch {
		case err == nil:
			defer lock.Close()
			return c.removeRest()
		case errors.Is(err, fs.ErrNotExist):
			return c.removeRest()
		case !errors.Is(err, errLocked):
			return ioError("take the cluster's lock", c.id, err)
		case time.Now().After(deadline): // the supervisor hangs; it has the marker, too
			if err := Sweep(c.id, c.dir); err != nil {
				return remora.Internalf("supervise: stop", c.id, "kill the cluster: %w", err)
			}
		case !asked: // again until it listens
			if asked = c.call(answer, "POST", "/v1/stop", nil, nil) == nil; asked {
				deadline = time.Now().Add(stopTimeout)
			}
		}
		if err := pause(ctx, clientPoll); err != nil {
			return err
		}
	}
}

// removeRest finishes a stop when there is no supervisor, or one that is about
// to exit.
func (c *Cluster) removeRest() error {
	if err := Sweep(c.id, c.dir); err != nil {
		return remora.Internalf("supervise: stop", c.id, "kill what is left of the cluster: %w", err)
	}
	return removeClusterDir(c.dir)
}

// goneError is a call that no supervisor answered.
type goneError struct{ err error }

func (e *goneError) Error() string {
	return "the cluster's supervisor does not answer: " + e.err.Error()
}
func (e *goneError) Unwrap() error { return e.err }

// call makes one request. Its error is ctx's, the supervisor's own, or
// Unavailable around a goneError.
func (c *Cluster) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return remora.Internalf("supervise: "+path, c.id, "encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, body)
	if err != nil {
		return remora.Internalf("supervise: "+path, c.id, "%w", err)
	}
	gone := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &remora.Error{Kind: remora.Unavailable, Op: "supervise: " + path, Subject: c.id, Err: &goneError{err}}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return gone(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusConflict {
		var p problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return gone(err)
		}
		return remora.Errorf(p.Kind, "supervise: "+path, c.id, "%s", p.Message)
	}
	if resp.StatusCode >= 300 {
		return remora.Internalf("supervise: "+path, c.id, "the supervisor answers %s", resp.Status)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return gone(err)
	}
	return nil
}

func driverPath(path, id string) string {
	return "/v1/driver" + path + "?id=" + url.QueryEscape(id)
}

// LastLines returns the end of a file in a cluster's directory, for an error
// message.
func LastLines(dir, name string) []string {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	defer f.Close()
	var t LineTail
	if fi, err := f.Stat(); err == nil {
		f.Seek(max(0, fi.Size()-maxTailBytes), io.SeekStart)
	}
	io.Copy(&t, io.LimitReader(f, 2*maxTailBytes))
	return t.Lines()
}

// Remove ends a cluster in whatever state it is, as Cluster.Stop does.
func Remove(ctx context.Context, id, dir string) error { return newCluster(id, dir).Stop(ctx) }
