package sqlite

import (
	"bytes"
	"context"
	"maps"
	"math"

	"github.com/remora-project/remora"
)

const sessionColumns = "s.seq, s.id, s.state, s.closed, s.fields, s.handle, s.document"

// openSessions is where sessions that are not closed are looked for, see openRuns.
const openSessions = "sessions AS s INDEXED BY sessions_open"

func (s *Store) CreateSession(ctx context.Context, v remora.Session, arn string, tags map[string]string,
	admit func(open int) error) error {
	if !known(v.State, remora.SessionProvisioning, remora.SessionReady, remora.SessionStopping) {
		return remora.Internalf("store: create session", v.ID,
			"session %q cannot be stored in state %q: there is no such state", v.ID, v.State)
	}
	fields, err := encodeSession(v)
	if err != nil {
		return err
	}
	return s.writer.change(ctx, func(x *tx) error {
		taken, err := x.first(func(scanner) error { return nil }, `SELECT 1 FROM sessions WHERE id = ?`, v.ID)
		if err != nil {
			return err
		}
		if taken {
			return remora.Errorf(remora.AlreadyExists, "store: create session", v.ID, "there is a session %q already", v.ID)
		}
		var open int
		_, err = x.first(func(row scanner) error { return row.Scan(&open) },
			`SELECT count(*) FROM `+openSessions+` WHERE s.closed = 0`)
		if err != nil {
			return err
		}
		if err := admit(open); err != nil {
			return err
		}
		err = x.exec(`INSERT INTO sessions (id, arn, state, closed, fields, handle, document) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			v.ID, arn, string(v.State), v.Closed, fields, raw(v.Handle), raw(v.Document))
		if err != nil {
			return err
		}
		return x.putTags(arn, tags)
	})
}

const selectSession = `SELECT ` + sessionColumns + ` FROM sessions AS s WHERE s.id = ?`

func (s *Store) Session(ctx context.Context, id string) (remora.Session, error) {
	var v remora.Session
	found := false
	err := s.read.rows(ctx, func(row scanner) (err error) {
		found = true
		_, v, err = scanSession(row)
		return err
	}, selectSession, id)
	if err != nil {
		return remora.Session{}, err
	}
	if !found {
		return remora.Session{}, noSession(id)
	}
	return v, nil
}

func (s *Store) ListSessions(ctx context.Context, tags map[string]string, p remora.Page) (
	[]remora.Session, remora.Cursor, error) {
	wanted, err := encodeWanted(tags)
	if err != nil {
		return nil, "", err
	}
	found, err := newPage[remora.Session](listing("sessions", wanted), p.Limit)
	if err != nil {
		return nil, "", err
	}
	before, err := parse(found.listing, p.After, math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	err = s.read.rows(ctx, found.each(scanSession), `SELECT `+sessionColumns+` FROM sessions AS s WHERE s.seq < ? AND `+carriesWanted("s.arn")+`
		ORDER BY s.seq DESC LIMIT ?`, before, wanted, found.limit+1)
	if err != nil {
		return nil, "", err
	}
	return found.items, found.next(), nil
}

func (s *Store) OpenSessions(ctx context.Context) ([]remora.Session, error) {
	var sessions []remora.Session
	err := s.read.rows(ctx, func(row scanner) error {
		_, v, err := scanSession(row)
		sessions = append(sessions, v)
		return err
	}, `SELECT `+sessionColumns+` FROM `+openSessions+` WHERE s.closed = 0 ORDER BY s.seq`)
	if err != nil {
		return nil, err
	}
	return sessions, nil
}

func (s *Store) ChangeSession(ctx context.Context, id string, change func(*remora.Session) error) (remora.Session, error) {
	var v remora.Session
	err := s.writer.change(ctx, func(x *tx) (err error) {
		var seq int64
		if seq, v, err = x.session(id); err != nil {
			return err
		}
		before := sessionAsStored(v)
		if err := change(&v); err != nil {
			return err
		}
		v = sessionAsStored(v)
		v.ID, v.Plan, v.CreatedOn, v.Document = before.ID, before.Plan, before.CreatedOn, before.Document
		v.Closed = v.Closed || before.Closed
		if v.State != before.State && !before.State.CanBecome(v.State) {
			return remora.Errorf(remora.WrongState, "store: change session", id,
				"session %q is %s and cannot become %s", id, before.State, v.State)
		}
		fields, err := encodeSession(v)
		if err != nil {
			return err
		}
		return x.exec(`UPDATE sessions SET state = ?, closed = ?, fields = ?, handle = ? WHERE seq = ?`,
			string(v.State), v.Closed, fields, raw(v.Handle), seq)
	})
	if err != nil {
		return remora.Session{}, err
	}
	return v, nil
}

func (s *Store) DeleteSession(ctx context.Context, id, arn string, check func(remora.Session) error) error {
	return s.writer.change(ctx, func(x *tx) error {
		seq, v, err := x.session(id)
		if err != nil {
			return err
		}
		if err := check(v); err != nil {
			return err
		}
		// The tags of the ARN that it was created with, too, see DeleteJob.
		err = x.exec(`DELETE FROM tags WHERE arn IN (?, (SELECT arn FROM sessions WHERE seq = ?))`, arn, seq)
		if err != nil {
			return err
		}
		return x.exec(`DELETE FROM sessions WHERE seq = ?`, seq) // its statements go with it
	})
}

// session loads a session; NotFound.
func (x *tx) session(id string) (seq int64, v remora.Session, err error) {
	found, err := x.first(func(row scanner) (err error) {
		seq, v, err = scanSession(row)
		return err
	}, selectSession, id)
	if err == nil && !found {
		err = noSession(id)
	}
	return seq, v, err
}

func noSession(id string) error {
	return remora.NotFoundf("store", id, "there is no session %q", id)
}

// sessionAsStored is v as a later call will read it, sharing no memory with the
// caller's.
func sessionAsStored(v remora.Session) remora.Session {
	v.CreatedOn, v.CompletedOn = asStored(v.CreatedOn), asStored(v.CompletedOn)
	v.Plan.Arguments = maps.Clone(v.Plan.Arguments)
	v.Handle, v.Document = bytes.Clone(v.Handle), bytes.Clone(v.Document)
	return v
}
