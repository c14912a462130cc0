package control

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/remora-project/remora"
)

// SessionsConfig is what Sessions works with. All members are required.
type SessionsConfig struct {
	Config // Store and Sizing.Types excepted, as for runs
	Store  remora.SessionStore
	// Interpreter is the command line of the process that keeps a session's
	// Python on a runtime; see package session.
	Interpreter func(remora.Runtime) []string
	// Limit is how many sessions may be open at a time.
	Limit int
}

// Sessions takes interactive sessions through their lives, one goroutine for
// each that is open:
//
//	PROVISIONING ──▶ READY ──▶ STOPPING ──▶ STOPPED | FAILED | TIMEOUT
//
// Like Runs it writes each step to the store before the world changes: the
// cluster's handle before the cluster starts, a statement's RUNNING before the
// interpreter gets it. The interpreter's host knows statements by their ids and
// runs none twice, so a control plane that takes over submits them again.
type Sessions struct {
	cfg  SessionsConfig
	ctx  context.Context // ends with Close
	end  context.CancelFunc
	wg   sync.WaitGroup
	mu   sync.Mutex
	live map[string]*attendant // by session id
}

// NewSessions returns a Sessions that does nothing until Resume.
func NewSessions(cfg SessionsConfig) *Sessions {
	ctx, end := context.WithCancel(context.Background())
	return &Sessions{cfg: cfg, ctx: ctx, end: end, live: map[string]*attendant{}}
}

// Resume picks up every session that an earlier control plane left open.
func (c *Sessions) Resume(ctx context.Context) error {
	open, err := c.cfg.Store.OpenSessions(ctx)
	if err != nil {
		return err
	}
	for _, s := range open {
		c.cfg.Log.Info("resuming session", "session", s.ID, "state", s.State)
		c.spawn(s)
	}
	return nil
}

// Close stops driving and waits until every goroutine has let go. Sessions go
// on, to be resumed by the next control plane.
func (c *Sessions) Close() {
	c.mu.Lock()
	c.end()
	c.mu.Unlock()
	c.wg.Wait()
}

// Open returns how many sessions are being driven.
func (c *Sessions) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.live)
}

// SessionRequest asks for a session.
type SessionRequest struct {
	ID       string
	ARN      string
	Tags     map[string]string
	Plan     remora.SessionPlan
	Document []byte
}

// Create records a session durably and begins to provision it. Errors:
// AlreadyExists if there is one of that id (whether it is the same is for the
// caller to see), LimitExceeded, Invalid.
func (c *Sessions) Create(ctx context.Context, q SessionRequest) (remora.Session, error) {
	const op = "CreateSession"
	if _, ok := c.cfg.Sizing.Types[q.Plan.WorkerType]; !ok {
		return remora.Session{}, remora.Invalidf(op, q.ID, "%s", UnknownWorkerType)
	}
	if err := CheckWorkers(op, q.ID, q.Plan.NumberOfWorkers); err != nil {
		return remora.Session{}, err
	}
	q.Plan.DPUPerWorker = c.cfg.Sizing.Types[q.Plan.WorkerType].DPU
	if err := CheckParameters(op, q.Plan.Arguments); err != nil {
		return remora.Session{}, err
	}
	s := remora.Session{ID: q.ID, State: remora.SessionProvisioning, Plan: q.Plan, CreatedOn: c.cfg.Now(), Document: q.Document}
	err := c.cfg.Store.CreateSession(ctx, s, q.ARN, q.Tags, func(open int) error {
		if open >= c.cfg.Limit {
			return remora.Errorf(remora.LimitExceeded, op, q.ID,
				"%d sessions are open, which is the limit (sessions.limit in the configuration): stop one of them", open)
		}
		return nil
	})
	// Unavailable may be an answer that was lost: the attendant of a session that
	// was not stored finds none, and leaves.
	if err == nil || remora.KindOf(err) == remora.Unavailable {
		c.spawn(s)
	}
	if err != nil {
		return remora.Session{}, err
	}
	return s, nil
}

// Replace is Create for an id whose session has ended or is about to: it waits
// until nothing is left of that one, and removes it first.
func (c *Sessions) Replace(ctx context.Context, q SessionRequest) (remora.Session, error) {
	const op = "CreateSession"
	err := c.remove(ctx, op, q.ID, q.ARN, func(s remora.Session) error {
		if s.State.Ended() || s.State == remora.SessionStopping {
			return nil
		}
		return remora.Errorf(remora.AlreadyExists, op, q.ID, "Session %s already exists, it is %s: use another id.", q.ID, s.State)
	})
	if err != nil && remora.KindOf(err) != remora.NotFound {
		return remora.Session{}, err
	}
	return c.Create(ctx, q)
}

// Stop asks a session to stop and returns at once. A session that is stopping
// or has ended is left as it is. NotFound.
func (c *Sessions) Stop(ctx context.Context, id string) error {
	stopping := false
	s, err := c.cfg.Store.ChangeSession(ctx, id, func(s *remora.Session) error {
		stopping = s.State == remora.SessionStopping
		if s.State.Ended() || stopping {
			return errUnchanged
		}
		s.State = remora.SessionStopping
		return nil
	})
	if errors.Is(err, errUnchanged) {
		// The answer to an earlier request may have been lost after it was stored.
		if a := c.attendant(id); a != nil && stopping {
			a.askToStop()
		}
		return nil
	}
	if err != nil {
		return err
	}
	a := c.spawn(s)
	a.askToStop()
	a.changed()
	return nil
}

// Delete removes a session that has ended, with its statements, once nothing is
// left of its cluster. NotFound; WrongState if it has not ended.
func (c *Sessions) Delete(ctx context.Context, id, arn string) error {
	const op = "DeleteSession"
	return c.remove(ctx, op, id, arn, func(s remora.Session) error {
		switch {
		case s.State.Ended():
			return nil
		case s.State == remora.SessionStopping:
			return remora.Errorf(remora.WrongState, op, id, "Session %s is %s: delete it when it is %s.", id, s.State, remora.SessionStopped)
		}
		return remora.Errorf(remora.WrongState, op, id,
			"Session %s is %s; only a session that has ended can be deleted: stop it first.", id, s.State)
	})
}

var errNotGone = errors.New("something of the session is left")

// remove deletes a session. Of one that is not gone yet, refused says what is
// wrong with that; nil: it is waited for.
func (c *Sessions) remove(ctx context.Context, op, id, arn string, refused func(remora.Session) error) error {
	for {
		a := c.attendant(id)
		news := a.watch()
		err := c.cfg.Store.DeleteSession(ctx, id, arn, func(s remora.Session) error {
			if s.Closed {
				return nil
			}
			if err := refused(s); err != nil {
				return err
			}
			return errNotGone
		})
		if !errors.Is(err, errNotGone) {
			return err
		}
		if a == nil {
			return remora.Errorf(remora.WrongState, op, id, "The cluster of session %s is not gone yet: try again later.", id)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return remora.Unavailablef(op, id, "the server is stopping")
		}
	}
}

// Session returns a session. With wait it returns once the session's state is
// no longer the one at the time of the call, or wait is over.
func (c *Sessions) Session(ctx context.Context, id string, wait time.Duration) (remora.Session, error) {
	a := c.attendant(id)
	news := a.watch()
	s, err := c.cfg.Store.Session(ctx, id)
	if err != nil || a == nil || wait <= 0 || s.State != remora.SessionProvisioning && s.State != remora.SessionStopping {
		return s, err
	}
	before := s.State
	for until := time.After(wait); s.State == before; {
		select {
		case <-news:
		case <-until:
			return s, nil
		case <-ctx.Done():
			return s, ctx.Err()
		case <-c.ctx.Done():
			return s, nil
		}
		a = c.attendant(id) // another one if the id is another session's by now
		news = a.watch()
		if s, err = c.cfg.Store.Session(ctx, id); err != nil || a == nil {
			return s, err
		}
	}
	return s, nil
}

func (c *Sessions) attendant(id string) *attendant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live[id]
}

// spawn returns the attendant of a session, which is made if there is none. s
// may be out of date: it is read again.
func (c *Sessions) spawn(s remora.Session) *attendant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spawnLocked(s)
}

func (c *Sessions) spawnLocked(s remora.Session) *attendant {
	if a := c.live[s.ID]; a != nil {
		a.again = true
		return a
	}
	a := newAttendant(c, s)
	if c.ctx.Err() != nil {
		return a
	}
	c.live[s.ID] = a
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		a.live(c.ctx)
		c.mu.Lock()
		delete(c.live, s.ID)
		if a.again { // the session is gone, and its id may be another's
			c.spawnLocked(s)
		}
		c.mu.Unlock()
		a.letGo()
	}()
	return a
}
