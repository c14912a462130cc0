package control

import (
	"context"
	"errors"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/session"
)

// run takes one statement to its end. RUNNING is stored before the host gets
// the statement; the host runs none twice. An error says that the store refuses
// for good.
func (a *attendant) run(ctx context.Context, client *session.Client, st remora.Statement) error {
	a.mu.Lock()
	a.running, a.output = st.ID, session.Snapshot{}
	a.mu.Unlock()
	defer func() {
		if ctx.Err() == nil {
			a.mu.Lock()
			a.running, a.idle = 0, time.Now()
			a.mu.Unlock()
		}
	}()
	if st.State == remora.StatementWaiting {
		var err error
		st, err = a.changeStatement(ctx, st.ID, func(s *remora.Statement) error {
			if s.State != remora.StatementWaiting {
				return errUnchanged // cancelled meanwhile
			}
			s.State, s.StartedOn = remora.StatementRunning, a.cfg.Now()
			return nil
		})
		if err != nil {
			return unlessUnchanged(err)
		}
	}
	asked := func(call func() error) bool {
		for {
			err := call()
			switch {
			case err == nil:
				return true
			case remora.KindOf(err) == remora.Invalid, remora.KindOf(err) == remora.NotFound:
				a.log.Error("the interpreter's host refuses a statement", "statement", st.ID, "err", err)
				return true
			case !pause(ctx, 20*time.Millisecond): // of a host that has ended somebody else takes note
				return false
			}
		}
	}
	if !asked(func() error { return client.Submit(ctx, st.ID, st.Code) }) {
		return nil
	}
	// A cancel that came before the host had the statement found nothing to cancel.
	var now remora.Statement
	err := untilStored(ctx, a.log, func() (err error) {
		now, err = a.cfg.Store.Statement(ctx, a.id, st.ID)
		return err
	})
	if err != nil {
		return err
	}
	if now.State == remora.StatementCancelling && !asked(func() error { return client.Cancel(ctx, st.ID) }) {
		return nil
	}
	var snap session.Snapshot
	for version := int64(-1); !snap.State.Ended(); version = snap.Version {
		if !asked(func() (err error) {
			snap, err = client.Statement(ctx, st.ID, version, watchPoll)
			if remora.KindOf(err) == remora.NotFound {
				snap.State = remora.StatementErrored
				snap.Output.Text = "The interpreter does not know this statement any more.\n"
			}
			return err
		}) {
			return nil
		}
		a.mu.Lock()
		a.output = snap
		a.mu.Unlock()
		if !snap.State.Ended() {
			a.changed()
		}
	}
	_, err = a.changeStatement(ctx, st.ID, func(s *remora.Statement) error {
		if s.State.Ended() {
			return errUnchanged
		}
		a.conclude(s, snap.State, &snap.Output)
		return nil
	})
	return unlessUnchanged(err)
}

func unlessUnchanged(err error) error {
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// conclude ends a statement.
func (a *attendant) conclude(s *remora.Statement, state remora.StatementState, out *remora.Output) {
	s.State, s.Output, s.CompletedOn = state, out, a.cfg.Now()
	if state == remora.StatementAvailable {
		s.Progress = 1
	}
}

func (a *attendant) changeStatement(ctx context.Context, id int, f func(*remora.Statement) error) (st remora.Statement, err error) {
	err = untilStored(ctx, a.log, func() (err error) {
		st, err = a.cfg.Store.ChangeStatement(ctx, a.id, id, f)
		return err
	})
	a.changed()
	return st, err
}

// cancel ends a statement that waits, and asks the interpreter to end one that
// runs.
func (a *attendant) cancel(ctx context.Context, id int) error {
	runs := false
	_, err := a.cfg.Store.ChangeStatement(ctx, a.id, id, func(s *remora.Statement) error {
		runs = s.State == remora.StatementRunning || s.State == remora.StatementCancelling
		switch s.State {
		case remora.StatementWaiting:
			a.conclude(s, remora.StatementCancelled, s.Output)
		case remora.StatementRunning:
			s.State = remora.StatementCancelling
		default:
			return errUnchanged
		}
		return nil
	})
	a.changed()
	if err := unlessUnchanged(err); err != nil || !runs { // the host may not have heard of an earlier request
		return err
	}
	a.mu.Lock()
	client := a.client
	a.mu.Unlock()
	if client == nil {
		return nil // the interpreter has yet to be found again; run cancels the statement then
	}
	switch err = client.Cancel(ctx, id); remora.KindOf(err) {
	case remora.NotFound: // it is about to be submitted; run cancels it then
		return nil
	case remora.Unavailable: // its host is ending, and the statement with it
		return nil
	}
	return err
}

// withOutput adds what a running statement has said so far.
func (a *attendant) withOutput(st remora.Statement) remora.Statement {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == st.ID && st.State != remora.StatementWaiting && !st.State.Ended() {
		out := a.output.Output
		st.Output, st.Progress = &out, a.output.Progress
	}
	return st
}

// endOf says how a statement has ended of which the store may not know it yet.
func (a *attendant) endOf(id int) (remora.StatementState, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.output.State, a.running == id && a.output.State.Ended()
}

// lastWithin bounds the last question to a host, whose answer may be megabytes.
const lastWithin = 10 * time.Second

// lastOutput asks the host of a session that ends for the statement that it is
// busy with: the host tells of output as it comes only now and then, and this
// control plane may not have come to the statement at all. serve has returned.
func (a *attendant) lastOutput(ctx context.Context, client *session.Client) {
	ctx, cancel := context.WithTimeout(ctx, lastWithin)
	defer cancel()
	a.mu.Lock()
	id := a.running
	a.mu.Unlock()
	if id == 0 {
		open, err := a.cfg.Store.OpenStatements(ctx, a.id)
		if err != nil || len(open) == 0 || open[0].State == remora.StatementWaiting {
			return
		}
		id = open[0].ID
	} else if _, ended := a.endOf(id); ended {
		return
	}
	snap, err := client.Statement(ctx, id, -1, 0)
	if err != nil { // it has not been submitted, or its host has ended
		return
	}
	a.mu.Lock()
	a.running, a.output = id, snap
	a.mu.Unlock()
}

// endStatements ends what a session that ends leaves open: what waits was never
// run. It reports false if ctx ended first.
func (a *attendant) endStatements(ctx context.Context, why string) bool {
	var open []remora.Statement
	err := untilStored(ctx, a.log, func() (err error) {
		open, err = a.cfg.Store.OpenStatements(ctx, a.id)
		return err
	})
	for _, st := range open {
		if err != nil {
			break
		}
		out := a.withOutput(st).Output
		if out == nil {
			out = &remora.Output{}
		}
		state, ended := a.endOf(st.ID)
		_, err = a.changeStatement(ctx, st.ID, func(s *remora.Statement) error {
			if s.State.Ended() {
				return errUnchanged // cancelled meanwhile
			}
			if ended {
				a.conclude(s, state, out)
				return nil
			}
			if why == "" {
				a.conclude(s, remora.StatementCancelled, out)
				return nil
			}
			out.ErrorName, out.Error = "SessionEnded", why
			a.conclude(s, remora.StatementErrored, out)
			return nil
		})
		err = unlessUnchanged(err)
	}
	return err == nil || ctx.Err() == nil
}
