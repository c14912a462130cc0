package sqlite

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/remora-project/remora"
)

// The member names below, and those of remora.RunPlan, Command, Outcome,
// SessionPlan and Output, are part of the file format: a member may be added,
// none renamed.

// jobFields is what the table jobs keeps of a Job in its column fields.
type jobFields struct {
	Command                 remora.Command    `json:"command"`
	DefaultArguments        map[string]string `json:"defaultArguments"`
	NonOverridableArguments map[string]string `json:"nonOverridableArguments"`
	WorkerType              string            `json:"workerType"`
	NumberOfWorkers         int               `json:"numberOfWorkers"`
	MaxRetries              int               `json:"maxRetries"`
	MaxConcurrentRuns       int               `json:"maxConcurrentRuns"`
	Queuing                 bool              `json:"queuing"`
	GlueVersion             string            `json:"glueVersion,omitempty"`
	CreatedOn               time.Time         `json:"createdOn,omitzero"`
	LastModifiedOn          time.Time         `json:"lastModifiedOn,omitzero"`
}

func encodeJob(j remora.Job) (string, error) {
	return encode("job", j.Name, jobFields{j.Command, j.DefaultArguments, j.NonOverridableArguments, j.WorkerType,
		j.NumberOfWorkers, j.MaxRetries, j.MaxConcurrentRuns, j.Queuing, j.GlueVersion,
		asStored(j.CreatedOn), asStored(j.LastModifiedOn)})
}

// scanJob reads jobColumns.
func scanJob(row scanner) (seq int64, j remora.Job, err error) {
	var text string
	var document []byte
	if err := row.Scan(&seq, &j.Name, &text, &document); err != nil {
		return 0, remora.Job{}, err
	}
	var f jobFields
	if err := decode("job", j.Name, text, &f); err != nil {
		return 0, remora.Job{}, err
	}
	return seq, remora.Job{Name: j.Name, Command: f.Command, DefaultArguments: f.DefaultArguments,
		NonOverridableArguments: f.NonOverridableArguments, WorkerType: f.WorkerType, NumberOfWorkers: f.NumberOfWorkers,
		MaxRetries: f.MaxRetries, MaxConcurrentRuns: f.MaxConcurrentRuns, Queuing: f.Queuing,
		GlueVersion: f.GlueVersion, CreatedOn: f.CreatedOn, LastModifiedOn: f.LastModifiedOn, Document: document}, nil
}

// runFields is what the table runs keeps of a Run in its column fields.
type runFields struct {
	Attempt        int               `json:"attempt"`
	PreviousRunID  string            `json:"previousRunID,omitempty"`
	Arguments      map[string]string `json:"arguments"`
	Plan           remora.RunPlan    `json:"plan"`
	StartedOn      time.Time         `json:"startedOn,omitzero"`
	LastModifiedOn time.Time         `json:"lastModifiedOn,omitzero"`
	CompletedOn    time.Time         `json:"completedOn,omitzero"`
	ExecutionTime  time.Duration     `json:"executionTime,omitempty"`
	DPUSeconds     float64           `json:"dpuSeconds,omitempty"`
	ErrorMessage   string            `json:"errorMessage,omitempty"`
	Outcome        *remora.Outcome   `json:"outcome,omitempty"`
}

func encodeRun(r remora.Run) (string, error) {
	return encode("run", r.ID, runFields{r.Attempt, r.PreviousRunID, r.Arguments, r.Plan, asStored(r.StartedOn),
		asStored(r.LastModifiedOn), asStored(r.CompletedOn), r.ExecutionTime, r.DPUSeconds, r.ErrorMessage, r.Outcome})
}

// scanRun reads runColumns.
func scanRun(row scanner) (seq int64, r remora.Run, err error) {
	var text string
	var handle, document []byte
	if err := row.Scan(&seq, &r.ID, &r.JobName, &r.State, &text, &handle, &document); err != nil {
		return 0, remora.Run{}, err
	}
	var f runFields
	if err := decode("run", r.ID, text, &f); err != nil {
		return 0, remora.Run{}, err
	}
	return seq, remora.Run{ID: r.ID, JobName: r.JobName, State: r.State, Attempt: f.Attempt, PreviousRunID: f.PreviousRunID,
		Arguments: f.Arguments, Plan: f.Plan, StartedOn: f.StartedOn, LastModifiedOn: f.LastModifiedOn,
		CompletedOn: f.CompletedOn, ExecutionTime: f.ExecutionTime, DPUSeconds: f.DPUSeconds, ErrorMessage: f.ErrorMessage,
		Outcome: f.Outcome, Handle: handle, Document: document}, nil
}

// runAsStored is r as a later call will read it, sharing no memory with the
// caller's.
func runAsStored(r remora.Run) remora.Run {
	r.StartedOn, r.LastModifiedOn = asStored(r.StartedOn), asStored(r.LastModifiedOn)
	r.CompletedOn = asStored(r.CompletedOn)
	r.Arguments, r.Plan.Arguments = maps.Clone(r.Arguments), maps.Clone(r.Plan.Arguments)
	if r.Outcome != nil {
		outcome := *r.Outcome
		r.Outcome = &outcome
	}
	return r
}

// sessionFields is what the table sessions keeps of a Session in its column
// fields.
type sessionFields struct {
	Plan          remora.SessionPlan `json:"plan"`
	CreatedOn     time.Time          `json:"createdOn,omitzero"`
	CompletedOn   time.Time          `json:"completedOn,omitzero"`
	ExecutionTime time.Duration      `json:"executionTime,omitempty"`
	DPUSeconds    float64            `json:"dpuSeconds,omitempty"`
	ErrorMessage  string             `json:"errorMessage,omitempty"`
}

func encodeSession(v remora.Session) (string, error) {
	return encode("session", v.ID, sessionFields{v.Plan, asStored(v.CreatedOn), asStored(v.CompletedOn),
		v.ExecutionTime, v.DPUSeconds, v.ErrorMessage})
}

// scanSession reads sessionColumns.
func scanSession(row scanner) (seq int64, v remora.Session, err error) {
	var text string
	var handle, document []byte
	if err := row.Scan(&seq, &v.ID, &v.State, &v.Closed, &text, &handle, &document); err != nil {
		return 0, remora.Session{}, err
	}
	var f sessionFields
	if err := decode("session", v.ID, text, &f); err != nil {
		return 0, remora.Session{}, err
	}
	return seq, remora.Session{ID: v.ID, State: v.State, Closed: v.Closed, Plan: f.Plan, CreatedOn: f.CreatedOn,
		CompletedOn: f.CompletedOn, ExecutionTime: f.ExecutionTime, DPUSeconds: f.DPUSeconds,
		ErrorMessage: f.ErrorMessage, Handle: handle, Document: document}, nil
}

// statementFields is what the table statements keeps of a Statement in its
// column fields.
type statementFields struct {
	Output      *remora.Output `json:"output,omitempty"`
	Progress    float64        `json:"progress,omitempty"`
	StartedOn   time.Time      `json:"startedOn,omitzero"`
	CompletedOn time.Time      `json:"completedOn,omitzero"`
}

func encodeStatement(st remora.Statement) (string, error) {
	return encode("statement of", st.SessionID,
		statementFields{st.Output, st.Progress, asStored(st.StartedOn), asStored(st.CompletedOn)})
}

// scanStatement reads statementColumns, and what else is in the row.
func scanStatement(row scanner, sessionID string, more ...any) (remora.Statement, error) {
	st := remora.Statement{SessionID: sessionID}
	var text string
	if err := row.Scan(append([]any{&st.ID, &st.State, &st.Code, &text}, more...)...); err != nil {
		return remora.Statement{}, err
	}
	var f statementFields
	if err := decode("statement of", sessionID, text, &f); err != nil {
		return remora.Statement{}, err
	}
	st.Output, st.Progress, st.StartedOn, st.CompletedOn = f.Output, f.Progress, f.StartedOn, f.CompletedOn
	return st, nil
}

// asStored is t as it comes back: in UTC and without the monotonic reading,
// which means nothing in another process.
func asStored(t time.Time) time.Time { return t.Round(0).UTC() }

// raw keeps an opaque document as it is; none is NULL.
func raw(document json.RawMessage) any {
	if len(document) == 0 {
		return nil
	}
	return []byte(document)
}

func encode(what, name string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", remora.Internalf("store", name, "encode %s %s: %w", what, name, err)
	}
	return string(text), nil
}

func decode(what, name, text string, v any) error {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return remora.Internalf("store", name, "read %s %s as stored: %w", what, name, err)
	}
	return nil
}
