package storetest

import (
	"context"
	"maps"
	"slices"

	"github.com/remora-project/remora"
)

// sessionModel is the contract of sessions in its plainest form, as model is
// that of jobs and runs: in slices, for one goroutine, without looking at
// contexts and without copying what it hands out.
type sessionModel struct {
	*model
	sessions []*modelSession // in the order of creation
}

type modelSession struct {
	remora.Session
	arn        string
	statements []remora.Statement // the one with the id i+1 at i
}

var _ Sessions = (*sessionModel)(nil)

func newSessionModel() *sessionModel {
	return &sessionModel{model: &model{tags: make(map[string]map[string]string)}}
}

func (m *sessionModel) session(id string) (*modelSession, error) {
	i := slices.IndexFunc(m.sessions, func(v *modelSession) bool { return v.ID == id })
	if i < 0 {
		return nil, fault(remora.NotFound)
	}
	return m.sessions[i], nil
}

func (m *sessionModel) CreateSession(_ context.Context, v remora.Session, arn string, tags map[string]string,
	admit func(int) error) error {
	if _, err := m.session(v.ID); err == nil {
		return fault(remora.AlreadyExists)
	}
	open, _ := m.OpenSessions(ctx)
	if err := admit(len(open)); err != nil {
		return err
	}
	m.sessions = append(m.sessions, &modelSession{Session: v, arn: arn})
	m.tags[arn] = maps.Clone(tags)
	return nil
}

func (m *sessionModel) Session(_ context.Context, id string) (remora.Session, error) {
	v, err := m.session(id)
	if err != nil {
		return remora.Session{}, err
	}
	return v.Session, nil
}

// ListSessions and ListStatements give everything in one page.
func (m *sessionModel) ListSessions(_ context.Context, tags map[string]string, _ remora.Page) (
	out []remora.Session, _ remora.Cursor, _ error) {
	for _, v := range slices.Backward(m.sessions) {
		carries := true
		for k, value := range tags {
			got, ok := m.tags[v.arn][k]
			carries = carries && ok && got == value
		}
		if carries {
			out = append(out, v.Session)
		}
	}
	return out, "", nil
}

func (m *sessionModel) OpenSessions(context.Context) (out []remora.Session, _ error) {
	for _, v := range m.sessions {
		if !v.Closed {
			out = append(out, v.Session)
		}
	}
	return out, nil
}

func (m *sessionModel) ChangeSession(_ context.Context, id string, change func(*remora.Session) error) (remora.Session, error) {
	old, err := m.session(id)
	if err != nil {
		return remora.Session{}, err
	}
	v := old.Session
	if err := change(&v); err != nil {
		return remora.Session{}, err
	}
	if v.State != old.State && !old.State.CanBecome(v.State) {
		return remora.Session{}, fault(remora.WrongState)
	}
	v.ID, v.Plan, v.CreatedOn, v.Document = old.ID, old.Plan, old.CreatedOn, old.Document
	v.Closed = v.Closed || old.Closed
	old.Session = v
	return v, nil
}

func (m *sessionModel) DeleteSession(_ context.Context, id, arn string, check func(remora.Session) error) error {
	v, err := m.session(id)
	if err != nil {
		return err
	}
	if err := check(v.Session); err != nil {
		return err
	}
	m.sessions = slices.DeleteFunc(m.sessions, func(other *modelSession) bool { return other == v })
	delete(m.tags, arn)
	return nil
}

func (m *sessionModel) CreateStatement(_ context.Context, sessionID, code string,
	admit func(remora.Session, int) error) (remora.Statement, error) {
	v, err := m.session(sessionID)
	if err != nil {
		return remora.Statement{}, err
	}
	open, _ := m.OpenStatements(ctx, sessionID)
	if err := admit(v.Session, len(open)); err != nil {
		return remora.Statement{}, err
	}
	st := remora.Statement{SessionID: sessionID, ID: len(v.statements) + 1, Code: code, State: remora.StatementWaiting}
	v.statements = append(v.statements, st)
	return st, nil
}

// statement returns the place of a statement.
func (m *sessionModel) statement(sessionID string, id int) (*remora.Statement, error) {
	v, err := m.session(sessionID)
	if err != nil {
		return nil, err
	}
	if id < 1 || id > len(v.statements) {
		return nil, fault(remora.NotFound)
	}
	return &v.statements[id-1], nil
}

func (m *sessionModel) Statement(_ context.Context, sessionID string, id int) (remora.Statement, error) {
	st, err := m.statement(sessionID, id)
	if err != nil {
		return remora.Statement{}, err
	}
	return *st, nil
}

func (m *sessionModel) ListStatements(_ context.Context, sessionID string, _ remora.Page) (
	[]remora.Statement, remora.Cursor, error) {
	v, err := m.session(sessionID)
	if err != nil {
		return nil, "", nil
	}
	return slices.Clone(v.statements), "", nil
}

func (m *sessionModel) OpenStatements(_ context.Context, sessionID string) (out []remora.Statement, _ error) {
	all, _, _ := m.ListStatements(ctx, sessionID, remora.Page{})
	return slices.DeleteFunc(all, func(st remora.Statement) bool { return st.State.Ended() }), nil
}

func (m *sessionModel) ChangeStatement(_ context.Context, sessionID string, id int,
	change func(*remora.Statement) error) (remora.Statement, error) {
	old, err := m.statement(sessionID, id)
	if err != nil {
		return remora.Statement{}, err
	}
	st := *old
	if err := change(&st); err != nil {
		return remora.Statement{}, err
	}
	if st.State != old.State && !old.State.CanBecome(st.State) {
		return remora.Statement{}, fault(remora.WrongState)
	}
	st.SessionID, st.ID, st.Code = old.SessionID, old.ID, old.Code
	*old = st
	return st, nil
}
