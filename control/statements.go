package control

import (
	"context"
	"fmt"
	"time"

	"github.com/remora-project/remora"
)

// maxOpenStatements is how many statements of a session may wait.
const maxOpenStatements = 1000

// RunStatement queues a statement durably. Errors: NotFound, Invalid if the
// session is not READY, LimitExceeded.
func (c *Sessions) RunStatement(ctx context.Context, id, code string) (remora.Statement, error) {
	const op = "RunStatement"
	st, err := c.cfg.Store.CreateStatement(ctx, id, code, func(s remora.Session, open int) error {
		if s.State != remora.SessionReady {
			return remora.Invalidf(op, id, "Session is not ready, session_id=%s, status=%s", id, s.State)
		}
		if open >= maxOpenStatements {
			return remora.Errorf(remora.LimitExceeded, op, id, "%d statements of session %s wait already", open, id)
		}
		return nil
	})
	if a := c.attendant(id); a != nil { // also after an error: the answer may have been lost, not the statement
		a.submitted()
	}
	return st, err
}

// CancelStatement asks a statement to end and returns at once. One that has
// ended is left as it is. Errors: NotFound, WrongState if the session has no
// interpreter.
func (c *Sessions) CancelStatement(ctx context.Context, id string, n int) error {
	st, err := c.cfg.Store.Statement(ctx, id, n)
	if err != nil || st.State.Ended() {
		return err
	}
	a := c.attendant(id)
	if a == nil {
		return unavailable("CancelStatement", id)
	}
	return a.cancel(ctx, n)
}

// Statement returns a statement with its output so far. With wait it returns
// once the statement has ended, or wait is over.
func (c *Sessions) Statement(ctx context.Context, id string, n int, wait time.Duration) (remora.Statement, error) {
	var until <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		until = timer.C
	}
	for {
		a := c.attendant(id)
		news := a.watch()
		st, err := c.cfg.Store.Statement(ctx, id, n)
		if err != nil || st.State.Ended() || a == nil {
			return st, err
		}
		if until == nil {
			return a.withOutput(st), nil
		}
		select {
		case <-news:
		case <-until:
			until = nil
		case <-ctx.Done():
			return st, ctx.Err()
		case <-c.ctx.Done():
			return st, nil
		}
	}
}

// CheckStatements reports whether a session's statements can be asked for:
// WrongState, in the service's words, while there is no interpreter.
func (c *Sessions) CheckStatements(ctx context.Context, op, id string) error {
	s, err := c.cfg.Store.Session(ctx, id)
	if err != nil {
		return err
	}
	if s.State == remora.SessionProvisioning {
		return unavailable(op, id)
	}
	return nil
}

func unavailable(op, id string) error {
	return remora.Errorf(remora.WrongState, op, id, "%s", fmt.Sprintf("Session %s unavailable, fail to call ReplServer.", id))
}
