package glue

import (
	"bytes"
	"context"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/glue"
)

// maxJobPage is the most that one page of jobs holds.
const maxJobPage = 1000

func (s service) createJob(ctx context.Context, in *model.CreateJobRequest) (*model.CreateJobResponse, error) {
	const op = "CreateJob"
	def := model.Job{
		Name: in.Name, JobMode: in.JobMode, JobRunQueuingEnabled: in.JobRunQueuingEnabled, Description: in.Description,
		LogUri: in.LogUri, Role: in.Role, ExecutionProperty: in.ExecutionProperty, Command: in.Command,
		DefaultArguments: in.DefaultArguments, NonOverridableArguments: in.NonOverridableArguments,
		Connections: in.Connections, MaxRetries: in.MaxRetries, AllocatedCapacity: in.AllocatedCapacity,
		Timeout: in.Timeout, MaxCapacity: in.MaxCapacity, WorkerType: in.WorkerType, NumberOfWorkers: in.NumberOfWorkers,
		SecurityConfiguration: in.SecurityConfiguration, NotificationProperty: in.NotificationProperty,
		GlueVersion: in.GlueVersion, CodeGenConfigurationNodes: in.CodeGenConfigurationNodes,
		ExecutionClass: in.ExecutionClass, SourceControlDetails: in.SourceControlDetails,
		MaintenanceWindow: in.MaintenanceWindow,
	}
	if err := s.checkJob(op, &def); err != nil {
		return nil, err
	}
	job, err := s.domainJob(def)
	if err != nil {
		return nil, err
	}
	job.CreatedOn = s.Now()
	job.LastModifiedOn = job.CreatedOn
	err = s.Store.CreateJob(ctx, job, s.jobARN(job.Name), in.Tags)
	if remora.KindOf(err) == remora.AlreadyExists {
		// The same request again is answered as the first was.
		old, err := s.Store.Job(ctx, job.Name)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(old.Document, job.Document) {
			return nil, remora.Errorf(remora.Mismatch, op, job.Name, textMismatch)
		}
	} else if err != nil {
		return nil, err
	}
	return &model.CreateJobResponse{Name: in.Name}, nil
}

func (s service) updateJob(ctx context.Context, in *model.UpdateJobRequest) (*model.UpdateJobResponse, error) {
	const op = "UpdateJob"
	u := in.JobUpdate
	def := model.Job{
		Name: in.JobName, JobMode: u.JobMode, JobRunQueuingEnabled: u.JobRunQueuingEnabled, Description: u.Description,
		LogUri: u.LogUri, Role: u.Role, ExecutionProperty: u.ExecutionProperty, Command: u.Command,
		DefaultArguments: u.DefaultArguments, NonOverridableArguments: u.NonOverridableArguments,
		Connections: u.Connections, MaxRetries: u.MaxRetries, AllocatedCapacity: u.AllocatedCapacity,
		Timeout: u.Timeout, MaxCapacity: u.MaxCapacity, WorkerType: u.WorkerType, NumberOfWorkers: u.NumberOfWorkers,
		SecurityConfiguration: u.SecurityConfiguration, NotificationProperty: u.NotificationProperty,
		GlueVersion: u.GlueVersion, CodeGenConfigurationNodes: u.CodeGenConfigurationNodes,
		ExecutionClass: u.ExecutionClass, SourceControlDetails: u.SourceControlDetails,
		MaintenanceWindow: u.MaintenanceWindow,
	}
	if _, err := s.job(ctx, op, *in.JobName); err != nil {
		return nil, err // before the rules: an unknown job is the clearer message
	}
	if err := s.checkJob(op, &def); err != nil {
		return nil, err
	}
	job, err := s.domainJob(def)
	if err != nil {
		return nil, err
	}
	job.LastModifiedOn = s.Now()
	if _, err := s.Store.UpdateJob(ctx, job.Name, func(old *remora.Job) error {
		job.CreatedOn = old.CreatedOn
		*old = job
		return nil
	}); err != nil {
		return nil, err
	}
	s.Runs.Promote(ctx, job.Name) // the limit of concurrent runs may have grown
	return &model.UpdateJobResponse{JobName: in.JobName}, nil
}

// deleteJob answers alike whether or not the job was there, as the service does.
func (s service) deleteJob(ctx context.Context, in *model.DeleteJobRequest) (*model.DeleteJobResponse, error) {
	err := s.Store.DeleteJob(ctx, *in.JobName, s.jobARN(*in.JobName))
	if err != nil && remora.KindOf(err) != remora.NotFound {
		return nil, err
	}
	return &model.DeleteJobResponse{JobName: in.JobName}, nil
}

func (s service) getJob(ctx context.Context, in *model.GetJobRequest) (*model.GetJobResponse, error) {
	job, err := s.job(ctx, "GetJob", *in.JobName)
	if err != nil {
		return nil, err
	}
	out, err := s.modelJob(job)
	return &model.GetJobResponse{Job: out}, err
}

func (s service) getJobs(ctx context.Context, in *model.GetJobsRequest) (*model.GetJobsResponse, error) {
	p, err := s.page(awsjson.Scope("GetJobs"), in.NextToken, in.MaxResults, maxJobPage)
	if err != nil {
		return nil, err
	}
	jobs, next, err := s.Store.ListJobs(ctx, nil, p)
	if err != nil {
		return nil, err
	}
	out := &model.GetJobsResponse{Jobs: make([]*model.Job, 0, len(jobs)), NextToken: s.token(awsjson.Scope("GetJobs"), next)}
	for _, j := range jobs {
		m, err := s.modelJob(j)
		if err != nil {
			return nil, err
		}
		out.Jobs = append(out.Jobs, m)
	}
	return out, nil
}

func (s service) listJobs(ctx context.Context, in *model.ListJobsRequest) (*model.ListJobsResponse, error) {
	scope := awsjson.Scope("ListJobs", canonical(in.Tags))
	p, err := s.page(scope, in.NextToken, in.MaxResults, maxJobPage)
	if err != nil {
		return nil, err
	}
	jobs, next, err := s.Store.ListJobs(ctx, in.Tags, p)
	if err != nil {
		return nil, err
	}
	out := &model.ListJobsResponse{JobNames: make([]string, 0, len(jobs)), NextToken: s.token(scope, next)}
	for _, j := range jobs {
		out.JobNames = append(out.JobNames, j.Name)
	}
	return out, nil
}

func (s service) batchGetJobs(ctx context.Context, in *model.BatchGetJobsRequest) (*model.BatchGetJobsResponse, error) {
	jobs, err := s.Store.Jobs(ctx, in.JobNames)
	if err != nil {
		return nil, err
	}
	out := &model.BatchGetJobsResponse{Jobs: make([]*model.Job, 0, len(jobs)), JobsNotFound: []string{}}
	found := map[string]bool{}
	for _, j := range jobs {
		found[j.Name] = true
		m, err := s.modelJob(j)
		if err != nil {
			return nil, err
		}
		out.Jobs = append(out.Jobs, m)
	}
	for _, name := range in.JobNames {
		if !found[name] {
			found[name] = true // names that are asked for twice are reported once
			out.JobsNotFound = append(out.JobsNotFound, name)
		}
	}
	return out, nil
}

func (s service) job(ctx context.Context, op, name string) (remora.Job, error) {
	j, err := s.Store.Job(ctx, name)
	if remora.KindOf(err) == remora.NotFound {
		return j, remora.NotFoundf(op, name, textJobNotFound)
	}
	return j, err
}

// domainJob is a checked definition as the domain keeps it.
func (s service) domainJob(m model.Job) (remora.Job, error) {
	doc, err := awsjson.Encode(&m)
	if err != nil {
		return remora.Job{}, remora.Internalf("encode job", awsmodel.Value(m.Name), "%w", err)
	}
	return remora.Job{
		Name: *m.Name,
		Command: remora.Command{
			Name: *m.Command.Name, Runtime: *m.Command.Runtime, ScriptLocation: *m.Command.ScriptLocation,
			PythonVersion: awsmodel.Value(m.Command.PythonVersion),
		},
		DefaultArguments: m.DefaultArguments, NonOverridableArguments: m.NonOverridableArguments,
		WorkerType: *m.WorkerType, NumberOfWorkers: int(*m.NumberOfWorkers),
		MaxRetries: int(awsmodel.Value(m.MaxRetries)), MaxConcurrentRuns: int(*m.ExecutionProperty.MaxConcurrentRuns),
		Queuing: awsmodel.Value(m.JobRunQueuingEnabled), GlueVersion: *m.GlueVersion, Document: doc,
	}, nil
}

// modelJob is a job as the service answers it: the definition as it was given,
// and what the service adds.
func (s service) modelJob(j remora.Job) (*model.Job, error) {
	var m model.Job
	if err := awsjson.Decode(j.Document, &m); err != nil {
		return nil, remora.Internalf("decode job", j.Name, "%w", err)
	}
	m.CreatedOn, m.LastModifiedOn = optionalTime(j.CreatedOn), optionalTime(j.LastModifiedOn)
	m.Timeout = minutes(s.Timeout)
	if m.MaxRetries == nil {
		m.MaxRetries = new(int32(0))
	}
	if capacity := s.WorkerTypes[j.WorkerType].DPU * float64(j.NumberOfWorkers); capacity > 0 {
		m.MaxCapacity, m.AllocatedCapacity = new(capacity), new(int32(capacity))
	}
	return &m, nil
}
