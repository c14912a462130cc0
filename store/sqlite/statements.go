package sqlite

import (
	"context"
	"slices"

	"github.com/remora-project/remora"
)

const statementColumns = "id, state, code, fields"

// ofSession restricts statements to those of the session with a given id.
const ofSession = "session = (SELECT seq FROM sessions WHERE sessions.id = ?)"

// openStatements is where statements that have not ended are looked for, see
// openRuns.
const openStatements = "statements INDEXED BY statements_open"

func (s *Store) CreateStatement(ctx context.Context, sessionID, code string,
	admit func(v remora.Session, open int) error) (remora.Statement, error) {
	st := remora.Statement{SessionID: sessionID, Code: code, State: remora.StatementWaiting}
	fields, err := encodeStatement(st)
	if err != nil {
		return remora.Statement{}, err
	}
	err = s.writer.change(ctx, func(x *tx) error {
		session, v, err := x.session(sessionID)
		if err != nil {
			return err
		}
		var open, last int
		_, err = x.first(func(row scanner) error { return row.Scan(&open) },
			`SELECT count(*) FROM `+openStatements+` WHERE session = ? AND open = 1`, session)
		if err != nil {
			return err
		}
		if err := admit(v, open); err != nil {
			return err
		}
		// Statements go only with their session, so the last one has the highest id
		// that was given out.
		_, err = x.first(func(row scanner) error { return row.Scan(&last) },
			`SELECT coalesce(max(id), 0) FROM statements WHERE session = ?`, session)
		if err != nil {
			return err
		}
		st.ID = last + 1
		return x.exec(`INSERT INTO statements (session, id, state, open, code, fields) VALUES (?, ?, ?, 1, ?, ?)`,
			session, st.ID, string(st.State), st.Code, fields)
	})
	if err != nil {
		return remora.Statement{}, err
	}
	return st, nil
}

func (s *Store) Statement(ctx context.Context, sessionID string, id int) (remora.Statement, error) {
	var st remora.Statement
	found := false
	err := s.read.rows(ctx, func(row scanner) (err error) {
		found = true
		st, err = scanStatement(row, sessionID)
		return err
	}, `SELECT `+statementColumns+` FROM statements WHERE `+ofSession+` AND id = ?`, sessionID, id)
	if err != nil {
		return remora.Statement{}, err
	}
	if !found {
		return remora.Statement{}, noStatement(sessionID, id)
	}
	return st, nil
}

func (s *Store) ListStatements(ctx context.Context, sessionID string, p remora.Page) (
	[]remora.Statement, remora.Cursor, error) {
	found, err := newPage[remora.Statement](listing("statements", sessionID), p.Limit)
	if err != nil {
		return nil, "", err
	}
	after, err := parse(found.listing, p.After, 0)
	if err != nil {
		return nil, "", err
	}
	err = s.read.rows(ctx, found.each(func(row scanner) (int64, remora.Statement, error) {
		st, err := scanStatement(row, sessionID)
		return int64(st.ID), st, err
	}), `SELECT `+statementColumns+` FROM statements WHERE `+ofSession+` AND id > ? ORDER BY id LIMIT ?`,
		sessionID, after, found.limit+1)
	if err != nil {
		return nil, "", err
	}
	return found.items, found.next(), nil
}

func (s *Store) OpenStatements(ctx context.Context, sessionID string) ([]remora.Statement, error) {
	var open []remora.Statement
	err := s.read.rows(ctx, func(row scanner) error {
		st, err := scanStatement(row, sessionID)
		open = append(open, st)
		return err
	}, `SELECT `+statementColumns+` FROM `+openStatements+` WHERE `+ofSession+` AND open = 1 ORDER BY id`, sessionID)
	if err != nil {
		return nil, err
	}
	return open, nil
}

func (s *Store) ChangeStatement(ctx context.Context, sessionID string, id int,
	change func(*remora.Statement) error) (remora.Statement, error) {
	var st remora.Statement
	err := s.writer.change(ctx, func(x *tx) error {
		var seq int64
		found, err := x.first(func(row scanner) (err error) {
			st, err = scanStatement(row, sessionID, &seq)
			return err
		}, `SELECT `+statementColumns+`, seq FROM statements WHERE `+ofSession+` AND id = ?`, sessionID, id)
		if err != nil {
			return err
		}
		if !found {
			return noStatement(sessionID, id)
		}
		before := st
		if err := change(&st); err != nil {
			return err
		}
		st = statementAsStored(st)
		st.SessionID, st.ID, st.Code = before.SessionID, before.ID, before.Code
		if st.State != before.State && !before.State.CanBecome(st.State) {
			return remora.Errorf(remora.WrongState, "store: change statement", sessionID,
				"statement %d of session %q is %s and cannot become %s", id, sessionID, before.State, st.State)
		}
		fields, err := encodeStatement(st)
		if err != nil {
			return err
		}
		return x.exec(`UPDATE statements SET state = ?, open = ?, fields = ? WHERE seq = ?`,
			string(st.State), !st.State.Ended(), fields, seq)
	})
	if err != nil {
		return remora.Statement{}, err
	}
	return st, nil
}

func noStatement(sessionID string, id int) error {
	return remora.NotFoundf("store", sessionID, "session %q has no statement %d", sessionID, id)
}

// statementAsStored is st as a later call will read it, sharing no memory with
// the caller's.
func statementAsStored(st remora.Statement) remora.Statement {
	st.StartedOn, st.CompletedOn = asStored(st.StartedOn), asStored(st.CompletedOn)
	if st.Output != nil {
		output := *st.Output
		output.Traceback = slices.Clone(output.Traceback)
		st.Output = &output
	}
	return st
}
