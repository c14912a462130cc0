package glue

import (
	"bytes"
	"context"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	model "github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/control"
)

const (
	// maxSessionPage is the most that one page of sessions holds.
	maxSessionPage = 1000
	// pollTime is how long an answer is held while a client waits for a change: a
	// client that asks once a second sees the change when it happens.
	pollTime = time.Second
)

func (s service) createSession(ctx context.Context, in *model.CreateSessionRequest) (*model.CreateSessionResponse, error) {
	const op = "CreateSession"
	plan, err := s.sessionPlan(op, in)
	if err != nil {
		return nil, err
	}
	doc, err := awsjson.Encode(in)
	if err != nil {
		return nil, remora.Internalf(op, *in.Id, "encode session: %w", err)
	}
	q := control.SessionRequest{ID: *in.Id, ARN: s.sessionARN(*in.Id), Tags: in.Tags, Plan: plan, Document: doc}
	session, err := s.Sessions.Create(ctx, q)
	for remora.KindOf(err) == remora.AlreadyExists {
		session, err = s.SessionStore.Session(ctx, q.ID)
		if err == nil {
			err = checkSame(op, session, doc)
			if err == nil && (session.State.Ended() || session.State == remora.SessionStopping) {
				session, err = s.Sessions.Replace(ctx, q)
				continue
			}
			break
		}
		if remora.KindOf(err) == remora.NotFound { // deleted in between
			session, err = s.Sessions.Create(ctx, q)
		}
	}
	if err != nil {
		return nil, err
	}
	out, err := modelSession(session)
	return &model.CreateSessionResponse{Session: out}, err
}

// checkSame refuses a session whose id is taken, unless it was made by the same
// request: a client that tries again after a lost answer gets its session. The
// Jupyter kernel makes the same request once more when its session has died.
func checkSame(op string, there remora.Session, doc []byte) error {
	switch {
	case bytes.Equal(there.Document, doc):
		return nil
	case there.State.Ended():
		return remora.Errorf(remora.AlreadyExists, op, there.ID,
			"Session %s already exists, it is %s: delete it, or use another id.", there.ID, there.State)
	}
	return remora.Errorf(remora.Mismatch, op, there.ID, "Session %s was already created with a different configuration.", there.ID)
}

func (s service) getSession(ctx context.Context, in *model.GetSessionRequest) (*model.GetSessionResponse, error) {
	session, err := s.Sessions.Session(ctx, *in.Id, pollTime)
	if err != nil {
		return nil, sessionError("GetSession", *in.Id, err)
	}
	out, err := modelSession(session)
	return &model.GetSessionResponse{Session: out}, err
}

func (s service) listSessions(ctx context.Context, in *model.ListSessionsRequest) (*model.ListSessionsResponse, error) {
	scope := awsjson.Scope("ListSessions", canonical(in.Tags))
	p, err := s.page(scope, in.NextToken, in.MaxResults, maxSessionPage)
	if err != nil {
		return nil, err
	}
	sessions, next, err := s.SessionStore.ListSessions(ctx, in.Tags, p)
	if err != nil {
		return nil, err
	}
	out := &model.ListSessionsResponse{Ids: make([]string, 0, len(sessions)), Sessions: make([]*model.Session, 0, len(sessions)),
		NextToken: s.token(scope, next)}
	for _, session := range sessions {
		m, err := modelSession(session)
		if err != nil {
			return nil, err
		}
		out.Ids, out.Sessions = append(out.Ids, session.ID), append(out.Sessions, m)
	}
	return out, nil
}

func (s service) stopSession(ctx context.Context, in *model.StopSessionRequest) (*model.StopSessionResponse, error) {
	if err := s.Sessions.Stop(ctx, *in.Id); err != nil {
		return nil, invalidSession("StopSession", *in.Id, err)
	}
	return &model.StopSessionResponse{Id: in.Id}, nil
}

func (s service) deleteSession(ctx context.Context, in *model.DeleteSessionRequest) (*model.DeleteSessionResponse, error) {
	if err := s.Sessions.Delete(ctx, *in.Id, s.sessionARN(*in.Id)); err != nil {
		return nil, invalidSession("DeleteSession", *in.Id, err)
	}
	return &model.DeleteSessionResponse{Id: in.Id}, nil
}

// sessionError tells of an unknown session in the service's words.
func sessionError(op, id string, err error) error {
	if remora.KindOf(err) == remora.NotFound {
		return remora.NotFoundf(op, id, textSessionNotFound, id)
	}
	return err
}

// invalidSession is sessionError for the operations that do not declare
// EntityNotFoundException: for them an unknown session is invalid input.
func invalidSession(op, id string, err error) error {
	if remora.KindOf(err) == remora.NotFound {
		return remora.Invalidf(op, id, textSessionNotFound, id)
	}
	return err
}

// modelSession is a session as the service answers it: what was asked for with
// the defaults filled in, and what became of it.
func modelSession(v remora.Session) (*model.Session, error) {
	var asked model.CreateSessionRequest
	if err := awsjson.Decode(v.Document, &asked); err != nil {
		return nil, remora.Internalf("decode session", v.ID, "%w", err)
	}
	p := v.Plan
	m := &model.Session{
		Id: &v.ID, CreatedOn: optionalTime(v.CreatedOn), Status: new(string(v.State)), ErrorMessage: optional(v.ErrorMessage),
		Description: asked.Description, Role: asked.Role,
		Command:          &model.SessionCommand{Name: &p.Command.Name, PythonVersion: &p.Command.PythonVersion},
		DefaultArguments: asked.DefaultArguments, Connections: asked.Connections, MaxCapacity: new(p.MaxCapacity()),
		SecurityConfiguration: asked.SecurityConfiguration, GlueVersion: &p.GlueVersion,
		NumberOfWorkers: new(int32(p.NumberOfWorkers)), WorkerType: &p.WorkerType, CompletedOn: optionalTime(v.CompletedOn),
		IdleTimeout: minutes(p.IdleTimeout), Timeout: minutes(p.Timeout), SessionType: asked.SessionType,
	}
	if v.State.Ended() {
		m.ExecutionTime, m.DPUSeconds = new(v.ExecutionTime.Seconds()), &v.DPUSeconds
	}
	return m, nil
}
