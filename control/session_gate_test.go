package control_test

import (
	"bytes"
	"context"
	"io"
	"net"

	"github.com/remora-project/remora"
)

// Steps of a session and its statements, besides those that it has in common
// with a run.
const (
	sessionStored    = "session stored"
	readyStored      = "READY stored"
	statementStored  = "statement stored"
	statementFound   = "statement found"
	statementRunning = "statement RUNNING stored"
	submitted        = "statement submitted" // to the interpreter's host
	cancelStored     = "CANCELLING stored"
	statementEnded   = "statement's end stored"
	settled          = "FAILED or TIMEOUT stored"
	sessionClosed    = "session closed"
)

// sessionStore is store for sessions.
type sessionStore struct {
	remora.SessionStore
	*gate
}

func (s sessionStore) CreateSession(ctx context.Context, v remora.Session, arn string, tags map[string]string, admit func(int) error) error {
	if err := s.pass("before", sessionStored); err != nil {
		return err
	}
	err := s.SessionStore.CreateSession(ctx, v, arn, tags, admit)
	if err == nil {
		err = s.pass("after", sessionStored)
	}
	return err
}

func (s sessionStore) Session(ctx context.Context, id string) (remora.Session, error) {
	if err := s.pass("at", "session read"); err != nil {
		return remora.Session{}, err
	}
	return s.SessionStore.Session(ctx, id)
}

func (s sessionStore) OpenSessions(ctx context.Context) ([]remora.Session, error) {
	s.open()
	return s.SessionStore.OpenSessions(ctx)
}

func (s sessionStore) DeleteSession(ctx context.Context, id, arn string, check func(remora.Session) error) error {
	s.open()
	return s.SessionStore.DeleteSession(ctx, id, arn, check)
}

func (s sessionStore) ChangeSession(ctx context.Context, id string, change func(*remora.Session) error) (remora.Session, error) {
	s.open()
	step := ""
	v, err := s.SessionStore.ChangeSession(ctx, id, func(v *remora.Session) error {
		before := *v
		err := change(v)
		if step = sessionStep(before, *v); step != "" && err == nil {
			err = s.pass("before", step)
		}
		return err
	})
	if err == nil && step != "" {
		if err := s.pass("after", step); err != nil {
			return remora.Session{}, err
		}
	}
	return v, err
}

func sessionStep(before, after remora.Session) string {
	switch {
	case !before.Closed && after.Closed:
		return sessionClosed
	case before.State != after.State && after.State.Ended():
		return settled
	case before.State != after.State && after.State == remora.SessionStopping:
		return stopStored
	case before.State != after.State && after.State == remora.SessionReady:
		return readyStored
	case before.Handle == nil && after.Handle != nil:
		return handleRecorded
	}
	return ""
}

func (s sessionStore) CreateStatement(ctx context.Context, id, code string, admit func(remora.Session, int) error) (remora.Statement, error) {
	if err := s.pass("before", statementStored); err != nil {
		return remora.Statement{}, err
	}
	st, err := s.SessionStore.CreateStatement(ctx, id, code, admit)
	if err == nil {
		err = s.pass("after", statementStored)
	}
	return st, err
}

func (s sessionStore) Statement(ctx context.Context, id string, n int) (remora.Statement, error) {
	if err := s.pass("at", "statement read"); err != nil {
		return remora.Statement{}, err
	}
	return s.SessionStore.Statement(ctx, id, n)
}

func (s sessionStore) OpenStatements(ctx context.Context, id string) ([]remora.Statement, error) {
	if err := s.pass("at", "statements read"); err != nil {
		return nil, err
	}
	open, err := s.SessionStore.OpenStatements(ctx, id)
	if len(open) > 0 {
		s.pass("after", statementFound)
	}
	return open, err
}

func (s sessionStore) ChangeStatement(ctx context.Context, id string, n int, change func(*remora.Statement) error) (remora.Statement, error) {
	s.open()
	step := ""
	st, err := s.SessionStore.ChangeStatement(ctx, id, n, func(st *remora.Statement) error {
		before := *st
		err := change(st)
		if step = statementStep(before, *st); step != "" && err == nil {
			err = s.pass("before", step)
		}
		return err
	})
	if err == nil && step != "" {
		if err := s.pass("after", step); err != nil {
			return remora.Statement{}, err
		}
	}
	return st, err
}

func statementStep(before, after remora.Statement) string {
	switch {
	case before.State == after.State:
		return ""
	case after.State.Ended():
		return statementEnded
	case after.State == remora.StatementCancelling:
		return cancelStored
	}
	return statementRunning
}

func (c cluster) Dial(ctx context.Context, driver string) (net.Conn, error) {
	c.open()
	x, err := c.Cluster.Dial(ctx, driver)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: x, gate: c.gate}, nil
}

// conn is a connection to an interpreter's host, over which statements are
// submitted. The goroutines that use it are the HTTP client's, which must not
// end.
type conn struct {
	net.Conn
	*gate
	submits bool // the answer to it is awaited; Write comes before Read
}

func (c *conn) Write(p []byte) (int, error) {
	at := "at no step"
	switch {
	case bytes.HasPrefix(p, []byte("PUT /v1/statements/")):
		at = "before " + submitted
	case bytes.HasPrefix(p, []byte("POST ")):
		at = "at cancel"
	}
	if !c.alive(at) || c.failure(at) != nil {
		return 0, io.ErrClosedPipe
	}
	c.mu.Lock()
	c.submits = at == "before "+submitted
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	at := "at no step"
	if c.submits {
		at, c.submits = "after "+submitted, false
	}
	c.mu.Unlock()
	if !c.alive(at) {
		return 0, io.ErrClosedPipe
	}
	return n, err
}
