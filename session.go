package remora

import (
	"encoding/json"
	"time"
)

// SessionState is the state of an interactive session, in Glue's words.
type SessionState string

const (
	SessionProvisioning SessionState = "PROVISIONING" // its cluster and its interpreter are starting
	SessionReady        SessionState = "READY"
	SessionStopping     SessionState = "STOPPING"
	SessionStopped      SessionState = "STOPPED"
	SessionFailed       SessionState = "FAILED"
	SessionTimedOut     SessionState = "TIMEOUT" // idle for too long, or there for too long
)

var nextSession = map[SessionState][]SessionState{
	SessionProvisioning: {SessionReady, SessionStopping, SessionFailed},
	SessionReady:        {SessionStopping, SessionFailed, SessionTimedOut},
	SessionStopping:     {SessionStopped, SessionFailed},
}

// CanBecome reports whether a session in state s may go to state t.
func (s SessionState) CanBecome(t SessionState) bool {
	for _, n := range nextSession[s] {
		if n == t {
			return true
		}
	}
	return false
}

// Ended reports whether the session is over: no statement runs any more.
func (s SessionState) Ended() bool { return s != "" && len(nextSession[s]) == 0 }

// Session is a cluster with an interpreter on it that runs statements.
type Session struct {
	ID    string // the client's choice
	State SessionState
	Plan  SessionPlan

	CreatedOn   time.Time
	CompletedOn time.Time // zero until the session has ended

	ExecutionTime time.Duration // from READY to the end, from the monotonic clock
	DPUSeconds    float64
	ErrorMessage  string

	Handle Handle // of its cluster; set before the cluster starts
	// Closed says that nothing of the cluster is left. A session that has ended is
	// closed a little later.
	Closed   bool
	Document json.RawMessage // the request, for what Remora does not act on; opaque here
}

// SessionPlan is what a session was asked to be.
type SessionPlan struct {
	Command         Command           `json:"command"`
	Arguments       map[string]string `json:"arguments"`
	WorkerType      string            `json:"workerType"`
	NumberOfWorkers int               `json:"numberOfWorkers"`
	DPUPerWorker    float64           `json:"dpuPerWorker"`
	GlueVersion     string            `json:"glueVersion"`
	IdleTimeout     time.Duration     `json:"idleTimeout"` // without a statement running
	Timeout         time.Duration     `json:"timeout"`     // from READY on
}

// MaxCapacity is the session's capacity in (M-)DPU.
func (p SessionPlan) MaxCapacity() float64 { return float64(p.NumberOfWorkers) * p.DPUPerWorker }

// StatementState is the state of a statement, in Glue's words.
type StatementState string

const (
	StatementWaiting    StatementState = "WAITING" // for those before it
	StatementRunning    StatementState = "RUNNING"
	StatementAvailable  StatementState = "AVAILABLE" // it has ended; also with a Python error
	StatementCancelling StatementState = "CANCELLING"
	StatementCancelled  StatementState = "CANCELLED"
	StatementErrored    StatementState = "ERROR" // the session ended under it
)

var nextStatement = map[StatementState][]StatementState{
	StatementWaiting:    {StatementRunning, StatementCancelled, StatementErrored},
	StatementRunning:    {StatementAvailable, StatementCancelling, StatementCancelled, StatementErrored},
	StatementCancelling: {StatementCancelled, StatementAvailable, StatementErrored},
}

// CanBecome reports whether a statement in state s may go to state t.
func (s StatementState) CanBecome(t StatementState) bool {
	for _, n := range nextStatement[s] {
		if n == t {
			return true
		}
	}
	return false
}

// Ended reports whether the statement is over.
func (s StatementState) Ended() bool { return s != "" && len(nextStatement[s]) == 0 }

// Statement is a piece of code that a session runs. Statements of a session run
// one at a time, in the order of their ids.
type Statement struct {
	SessionID   string
	ID          int // from 1 on
	Code        string
	State       StatementState
	Output      *Output // nil until there is any
	Progress    float64 // 0 to 1
	StartedOn   time.Time
	CompletedOn time.Time
}

// Output is what a statement has said and what came out.
type Output struct {
	Text      string   `json:"text,omitempty"`     // what it printed, and its values as text
	MimeType  string   `json:"mimeType,omitempty"` // of Result; "" if there is only Text
	Result    string   `json:"result,omitempty"`   // a picture in base64, or markup
	StdOut    string   `json:"stdOut,omitempty"`   // what it printed, beside a Result
	StdErr    string   `json:"stdErr,omitempty"`   // likewise
	ErrorName string   `json:"errorName,omitempty"`
	Error     string   `json:"error,omitempty"` // ErrorValue
	Traceback []string `json:"traceback,omitempty"`
}
