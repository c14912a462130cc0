// Package glue is the front door of the Glue API: it reads requests, applies
// the service's rules, and answers from the store. What happens to a run is
// decided in package control.
//
// A file per family of operations: jobs, runs, tags. The rules that the service
// has beyond its model are in rules.go.
package glue

import (
	"context"
	"fmt"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	model "github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/control"
)

// Runs is what the front door asks of the control plane.
type Runs interface {
	// Accept records a run durably and begins to drive it.
	Accept(ctx context.Context, q control.StartRequest) (remora.Run, error)
	// Stop asks a run to stop; idempotent.
	Stop(ctx context.Context, jobName, id string) error
	// Promote starts waiting runs of a job as far as its limit allows.
	Promote(ctx context.Context, jobName string)
}

// Sessions is what the front door asks of the control plane about sessions;
// control.Sessions says what its methods do.
type Sessions interface {
	Create(ctx context.Context, q control.SessionRequest) (remora.Session, error)
	// Replace is Create for an id whose session has ended.
	Replace(ctx context.Context, q control.SessionRequest) (remora.Session, error)
	// Stop asks a session to stop; idempotent.
	Stop(ctx context.Context, id string) error
	Delete(ctx context.Context, id, arn string) error
	// Session and Statement hold their answer for up to wait while there is a
	// change to wait for.
	Session(ctx context.Context, id string, wait time.Duration) (remora.Session, error)
	RunStatement(ctx context.Context, id, code string) (remora.Statement, error)
	Statement(ctx context.Context, id string, n int, wait time.Duration) (remora.Statement, error)
	// CancelStatement asks a statement to end; idempotent.
	CancelStatement(ctx context.Context, id string, n int) error
	// CheckStatements reports whether a session's statements can be asked for.
	CheckStatements(ctx context.Context, op, id string) error
}

// SessionDefaults hold where a request for a session does not say otherwise.
type SessionDefaults struct {
	Runtime     string
	Workers     int
	IdleTimeout time.Duration
	Timeout     time.Duration
}

// Config is what the front door works with; all members are required.
type Config struct {
	Store           remora.Store
	SessionStore    remora.SessionStore
	Runs            Runs
	Sessions        Sessions
	Tokens          *awsjson.Tokens
	Now             remora.Clock
	Region          string
	Account         string
	Runtimes        []string // names that jobs and sessions may ask for
	WorkerTypes     map[string]control.WorkerType
	Timeout         time.Duration // of every run
	SessionDefaults SessionDefaults
	LogGroup        string // of job runs
}

type service struct{ Config }

// New returns the service.
func New(cfg Config) *awsjson.Service {
	s := service{cfg}
	return awsjson.NewService(model.TargetPrefix, model.SigningName, model.Operations,
		awsjson.Op("CreateJob", s.createJob),
		awsjson.Op("GetJob", s.getJob),
		awsjson.Op("GetJobs", s.getJobs),
		awsjson.Op("ListJobs", s.listJobs),
		awsjson.Op("BatchGetJobs", s.batchGetJobs),
		awsjson.Op("UpdateJob", s.updateJob),
		awsjson.Op("DeleteJob", s.deleteJob),
		awsjson.Op("StartJobRun", s.startJobRun),
		awsjson.Op("GetJobRun", s.getJobRun),
		awsjson.Op("GetJobRuns", s.getJobRuns),
		awsjson.Op("BatchStopJobRun", s.batchStopJobRun),
		awsjson.Op("CreateSession", s.createSession),
		awsjson.Op("GetSession", s.getSession),
		awsjson.Op("ListSessions", s.listSessions),
		awsjson.Op("StopSession", s.stopSession),
		awsjson.Op("DeleteSession", s.deleteSession),
		awsjson.Op("RunStatement", s.runStatement),
		awsjson.Op("GetStatement", s.getStatement),
		awsjson.Op("ListStatements", s.listStatements),
		awsjson.Op("CancelStatement", s.cancelStatement),
		awsjson.Op("TagResource", s.tagResource),
		awsjson.Op("UntagResource", s.untagResource),
		awsjson.Op("GetTags", s.getTags),
	)
}

// page reads a request's paging members. The scope names the operation and
// whatever else the token must belong to.
func (s service) page(scope string, token *string, max *int32, limit int) (remora.Page, error) {
	p := remora.Page{Limit: limit}
	if max != nil {
		p.Limit = min(int(*max), limit)
	}
	if token == nil || *token == "" {
		return p, nil
	}
	c, err := s.Tokens.Decode(scope, *token)
	p.After = c
	return p, err
}

// token is the NextToken of a listing; absent at the end.
func (s service) token(scope string, c remora.Cursor) *string {
	if c == "" {
		return nil
	}
	return new(s.Tokens.Encode(scope, c))
}

func (s service) jobARN(name string) string   { return s.arn("job", name) }
func (s service) sessionARN(id string) string { return s.arn("session", id) }

func (s service) arn(kind, name string) string {
	return fmt.Sprintf("arn:aws:glue:%s:%s:%s/%s", s.Region, s.Account, kind, name)
}

// optional is nil for a zero value: the member is absent from the answer.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
