package glue

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/glue"
)

// statementPage is how many statements one page holds; requests cannot say.
const statementPage = 100

// Values of an output's Status, which are in lower case.
const (
	statusOK    = "ok"
	statusError = "error"
)

func (s service) runStatement(ctx context.Context, in *model.RunStatementRequest) (*model.RunStatementResponse, error) {
	st, err := s.Sessions.RunStatement(ctx, *in.SessionId, *in.Code)
	if err != nil {
		return nil, sessionError("RunStatement", *in.SessionId, err)
	}
	return &model.RunStatementResponse{Id: new(int32(st.ID))}, nil
}

func (s service) getStatement(ctx context.Context, in *model.GetStatementRequest) (*model.GetStatementResponse, error) {
	const op = "GetStatement"
	if err := s.Sessions.CheckStatements(ctx, op, *in.SessionId); err != nil {
		return nil, sessionError(op, *in.SessionId, err)
	}
	st, err := s.Sessions.Statement(ctx, *in.SessionId, int(*in.Id), pollTime)
	if err != nil {
		return nil, statementError(op, *in.SessionId, *in.Id, err)
	}
	m := modelStatement(st)
	if st.State == remora.StatementAvailable && *m.Output.Status == statusError && s.ofKernel(ctx, *in.SessionId) {
		tellKernel(m.Output)
	}
	return &model.GetStatementResponse{Statement: m}, nil
}

// kernelOrigin is the RequestOrigin by which the Jupyter kernel makes sessions.
const kernelOrigin = "GluePySparkKernel"

// ofKernel reports whether the Jupyter kernel has made a session.
func (s service) ofKernel(ctx context.Context, id string) bool {
	session, err := s.SessionStore.Session(ctx, id)
	var in model.CreateSessionRequest
	return err == nil && awsjson.Decode(session.Document, &in) == nil && awsmodel.Value(in.RequestOrigin) == kernelOrigin
}

// tellKernel puts what a failed statement has printed, and its traceback, where
// the Jupyter kernel shows it: of an error it prints name and value with a
// colon between them, and nothing else.
func tellKernel(m *model.StatementOutput) {
	if len(m.Traceback) == 0 {
		return
	}
	text := awsmodel.Value(m.Data.TextPlain)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	lines := m.Traceback
	last := lines[len(lines)-1]
	name, value, _ := strings.Cut(last, ": ")
	*m.ErrorName = text + strings.Join(append(slices.Clone(lines[:len(lines)-1]), name), "\n")
	*m.ErrorValue = value
}

func (s service) listStatements(ctx context.Context, in *model.ListStatementsRequest) (*model.ListStatementsResponse, error) {
	const op = "ListStatements"
	scope := awsjson.Scope(op, *in.SessionId)
	p, err := s.page(scope, in.NextToken, nil, statementPage)
	if err != nil {
		return nil, err
	}
	if err := s.Sessions.CheckStatements(ctx, op, *in.SessionId); err != nil {
		return nil, sessionError(op, *in.SessionId, err)
	}
	statements, next, err := s.SessionStore.ListStatements(ctx, *in.SessionId, p)
	if err != nil {
		return nil, err
	}
	out := &model.ListStatementsResponse{Statements: make([]*model.Statement, 0, len(statements)), NextToken: s.token(scope, next)}
	for _, st := range statements {
		out.Statements = append(out.Statements, modelStatement(st))
	}
	return out, nil
}

func (s service) cancelStatement(ctx context.Context, in *model.CancelStatementRequest) (*model.CancelStatementResponse, error) {
	const op = "CancelStatement"
	if err := s.Sessions.CheckStatements(ctx, op, *in.SessionId); err != nil {
		return nil, sessionError(op, *in.SessionId, err)
	}
	if err := s.Sessions.CancelStatement(ctx, *in.SessionId, int(*in.Id)); err != nil {
		return nil, statementError(op, *in.SessionId, *in.Id, err)
	}
	return &model.CancelStatementResponse{}, nil
}

// statementError tells of an unknown statement of a session that is there.
func statementError(op, session string, id int32, err error) error {
	if remora.KindOf(err) == remora.NotFound {
		return remora.NotFoundf(op, session, "Statement %d of session %s not found.", id, session)
	}
	return err
}

// modelStatement is a statement as the service answers it.
func modelStatement(st remora.Statement) *model.Statement {
	return &model.Statement{Id: new(int32(st.ID)), Code: &st.Code, State: new(string(st.State)), Output: modelOutput(st),
		Progress: &st.Progress, StartedOn: optionalMillis(st.StartedOn), CompletedOn: optionalMillis(st.CompletedOn)}
}

// modelOutput is what a statement has said so far, and, once it has ended, how.
// Of a statement that has ended no member is absent that clients index: the
// Jupyter kernel takes Output for granted, and of an error name, value and
// traceback.
func modelOutput(st remora.Statement) *model.StatementOutput {
	ended := st.State.Ended()
	if st.Output == nil && !ended {
		return nil
	}
	var o remora.Output
	if st.Output != nil {
		o = *st.Output
	}
	m := &model.StatementOutput{Data: modelData(o)}
	switch {
	case !ended:
		return m
	case st.State == remora.StatementAvailable && o.ErrorName == "":
		m.Status = new(statusOK)
	default:
		m.Status, m.ErrorName, m.ErrorValue, m.Traceback = new(statusError), &o.ErrorName, &o.Error, o.Traceback
		if m.Traceback == nil {
			m.Traceback = []string{}
		}
	}
	m.ExecutionCount = new(int32(st.ID))
	return m
}

// modelData is the text alone, or a picture with the text beside it. The text
// is there twice then: the Jupyter kernel takes StdOut, while clients that know
// the published model only have nothing but TextPlain.
func modelData(o remora.Output) *model.StatementOutputData {
	m := &model.StatementOutputData{TextPlain: &o.Text}
	if o.MimeType != "" {
		m.MimeType, m.Result, m.StdOut, m.StdErr = &o.MimeType, &o.Result, &o.StdOut, &o.StdErr
	}
	return m
}

// optionalMillis is a time as statements have it, in milliseconds since 1970.
func optionalMillis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMilli())
}
