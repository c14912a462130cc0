package glue

import (
	"context"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/control"
)

// maxRunPage is the most that one page of runs holds.
const maxRunPage = 200

func (s service) startJobRun(ctx context.Context, in *model.StartJobRunRequest) (*model.StartJobRunResponse, error) {
	const op = "StartJobRun"
	if err := s.checkCapacity(op, *in.JobName, in.WorkerType, in.NumberOfWorkers, in.MaxCapacity, in.AllocatedCapacity); err != nil {
		return nil, err
	}
	if in.Timeout != nil {
		return nil, remora.Invalidf(op, *in.JobName, "%s", textTimeout)
	}
	// What only other engines use is kept in the shape in which it is answered.
	doc, err := awsjson.Encode(&model.JobRun{
		SecurityConfiguration: in.SecurityConfiguration, NotificationProperty: in.NotificationProperty,
		ExecutionClass: in.ExecutionClass, ExecutionRoleSessionPolicy: in.ExecutionRoleSessionPolicy,
		JobRunQueuingEnabled: in.JobRunQueuingEnabled,
	})
	if err != nil {
		return nil, remora.Internalf(op, *in.JobName, "encode run: %w", err)
	}
	run, err := s.Runs.Accept(ctx, control.StartRequest{
		JobName: *in.JobName, RetryOf: awsmodel.Value(in.JobRunId), Arguments: in.Arguments,
		WorkerType: awsmodel.Value(in.WorkerType), NumberOfWorkers: int(awsmodel.Value(in.NumberOfWorkers)),
		Queuing: in.JobRunQueuingEnabled, Timeout: s.Timeout, Document: doc,
	})
	if err != nil {
		return nil, err
	}
	return &model.StartJobRunResponse{JobRunId: &run.ID}, nil
}

func (s service) getJobRun(ctx context.Context, in *model.GetJobRunRequest) (*model.GetJobRunResponse, error) {
	run, err := s.Store.Run(ctx, *in.JobName, *in.RunId)
	if remora.KindOf(err) == remora.NotFound {
		return nil, remora.NotFoundf("GetJobRun", *in.RunId, textRunNotFound)
	}
	if err != nil {
		return nil, err
	}
	m, err := s.modelRun(run)
	return &model.GetJobRunResponse{JobRun: m}, err
}

func (s service) getJobRuns(ctx context.Context, in *model.GetJobRunsRequest) (*model.GetJobRunsResponse, error) {
	scope := awsjson.Scope("GetJobRuns", *in.JobName)
	p, err := s.page(scope, in.NextToken, in.MaxResults, maxRunPage)
	if err != nil {
		return nil, err
	}
	runs, next, err := s.Store.ListRuns(ctx, *in.JobName, p)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 && p.After == "" { // of a deleted job the runs stay readable
		if _, err := s.job(ctx, "GetJobRuns", *in.JobName); err != nil {
			return nil, err
		}
	}
	out := &model.GetJobRunsResponse{JobRuns: make([]*model.JobRun, 0, len(runs)), NextToken: s.token(scope, next)}
	for _, r := range runs {
		m, err := s.modelRun(r)
		if err != nil {
			return nil, err
		}
		out.JobRuns = append(out.JobRuns, m)
	}
	return out, nil
}

func (s service) batchStopJobRun(ctx context.Context, in *model.BatchStopJobRunRequest) (*model.BatchStopJobRunResponse, error) {
	out := &model.BatchStopJobRunResponse{
		SuccessfulSubmissions: []*model.BatchStopJobRunSuccessfulSubmission{}, Errors: []*model.BatchStopJobRunError{},
	}
	for _, id := range in.JobRunIds {
		err := s.Runs.Stop(ctx, *in.JobName, id)
		if err == nil {
			out.SuccessfulSubmissions = append(out.SuccessfulSubmissions,
				&model.BatchStopJobRunSuccessfulSubmission{JobName: in.JobName, JobRunId: &id})
			continue
		}
		if remora.KindOf(err) == remora.NotFound {
			err = remora.NotFoundf("BatchStopJobRun", id, textRunNotFound)
		}
		f := awsjson.FaultOf(model.SigningName, err)
		out.Errors = append(out.Errors, &model.BatchStopJobRunError{JobName: in.JobName, JobRunId: &id,
			ErrorDetail: &model.ErrorDetail{ErrorCode: &f.Code, ErrorMessage: &f.Message}})
	}
	return out, nil
}

// modelRun is a run as the service answers it.
func (s service) modelRun(r remora.Run) (*model.JobRun, error) {
	var m model.JobRun
	if len(r.Document) > 0 {
		if err := awsjson.Decode(r.Document, &m); err != nil {
			return nil, remora.Internalf("decode run", r.ID, "%w", err)
		}
	}
	capacity := r.Plan.MaxCapacity()
	m.Id, m.JobName, m.Attempt, m.PreviousRunId = &r.ID, &r.JobName, new(int32(r.Attempt)), optional(r.PreviousRunID)
	m.StartedOn, m.LastModifiedOn, m.CompletedOn = optionalTime(r.StartedOn), optionalTime(r.LastModifiedOn), optionalTime(r.CompletedOn)
	m.JobRunState, m.Arguments, m.ErrorMessage = new(string(r.State)), r.Arguments, optional(r.ErrorMessage)
	m.PredecessorRuns = []*model.Predecessor{}
	m.AllocatedCapacity, m.MaxCapacity = new(int32(capacity)), new(capacity)
	m.ExecutionTime = new(int32((r.ExecutionTime + time.Second/2) / time.Second))
	m.Timeout = minutes(r.Plan.Timeout)
	m.WorkerType, m.NumberOfWorkers = &r.Plan.WorkerType, new(int32(r.Plan.NumberOfWorkers))
	m.LogGroupName = &s.LogGroup
	m.GlueVersion = optional(r.Plan.GlueVersion)
	if r.State.Ended() {
		m.DPUSeconds = &r.DPUSeconds
	}
	return &m, nil
}
