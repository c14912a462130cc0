package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/remora-project/remora"
)

// Client talks to the host of an interpreter. Its methods may be called from
// any goroutine. Errors are *remora.Error: Unavailable if nobody answers,
// NotFound, Invalid, or ctx's own.
type Client struct {
	id   string // of the session, for errors
	http *http.Client
}

// NewClient returns a client for the host behind dial, which makes a new
// connection each time.
func NewClient(id string, dial func(context.Context) (net.Conn, error)) *Client {
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		IdleConnTimeout: time.Minute,
		// Each watcher has a connection for as long as it waits.
		MaxIdleConnsPerHost: 16,
	}
	return &Client{id: id, http: &http.Client{Transport: transport}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Interpreter returns its state, once it is ready or has died or wait is over.
func (c *Client) Interpreter(ctx context.Context, wait time.Duration) (Interpreter, error) {
	var i Interpreter
	err := c.call(ctx, "GET", "/v1/interpreter?wait="+wait.String(), nil, &i)
	if err == nil && i.Died != "" {
		c.heard(ctx, "interpreter")
	}
	return i, err
}

// heard lets the host of a dead interpreter go. That it cannot be told is no
// matter: it goes a little later.
func (c *Client) heard(ctx context.Context, what string) {
	_ = c.call(ctx, "PUT", "/v1/heard/"+what, nil, nil)
}

// Submit queues a statement. The same ID again changes nothing.
func (c *Client) Submit(ctx context.Context, id int, code string) error {
	if len(code) > MaxCode { // or the host might close the connection before all of it is written
		return remora.Invalidf("session: submit", c.id, "the code of statement %d has more than %d bytes", id, MaxCode)
	}
	return c.call(ctx, "PUT", statementPath(id), []byte(code), nil)
}

// Statement returns a statement once its version is more than after, it has
// ended, or wait is over.
func (c *Client) Statement(ctx context.Context, id int, after int64, wait time.Duration) (Snapshot, error) {
	var s Snapshot
	path := fmt.Sprintf("%s?after=%d&wait=%s", statementPath(id), after, wait)
	err := c.call(ctx, "GET", path, nil, &s)
	if err == nil && s.State.Ended() {
		c.heard(ctx, "statements/"+strconv.Itoa(id))
	}
	return s, err
}

// Cancel ends a statement: one that waits at once, one that runs by an
// interrupt. It does not wait for that.
func (c *Client) Cancel(ctx context.Context, id int) error {
	return c.call(ctx, "POST", statementPath(id)+"/cancel", nil, nil)
}

func statementPath(id int) string { return "/v1/statements/" + strconv.Itoa(id) }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) error {
	const op = "session: call"
	req, err := http.NewRequestWithContext(ctx, method, "http://interpreter"+path, bytes.NewReader(body))
	if err != nil {
		return remora.Internalf(op, c.id, "make a request: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return remora.Unavailablef(op, c.id, "the session's interpreter does not answer: %w", errors.Unwrap(err))
	}
	defer res.Body.Close() // after all of it has been read, or the connection is not used again
	answer := json.NewDecoder(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode < 300 {
		if out == nil {
			return nil
		}
		if err := answer.Decode(out); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return remora.Unavailablef(op, c.id, "read the interpreter's answer: %w", err)
		}
		return nil
	}
	var p problem
	_ = answer.Decode(&p) // an empty message is one too
	switch res.StatusCode {
	case http.StatusNotFound:
		return remora.NotFoundf(op, c.id, "%s", p.Message)
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge:
		return remora.Invalidf(op, c.id, "%s", p.Message)
	}
	return remora.Internalf(op, c.id, "the session's interpreter answers %s: %s", res.Status, p.Message)
}
