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

// Config is what the front door works with; all members are required.
type Config struct {
	Store       remora.Store
	Runs        Runs
	Tokens      *awsjson.Tokens
	Now         remora.Clock
	Region      string
	Account     string
	Runtimes    []string // names that jobs may ask for
	WorkerTypes map[string]control.WorkerType
	Timeout     time.Duration // of every run
	LogGroup    string        // of job runs
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

func (s service) jobARN(name string) string {
	return fmt.Sprintf("arn:aws:glue:%s:%s:job/%s", s.Region, s.Account, name)
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
