package remora

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// RunState is the state of a job run, in Glue's words.
type RunState string

const (
	Waiting   RunState = "WAITING"  // accepted, held back by MaxConcurrentRuns
	Starting  RunState = "STARTING" // its cluster is being provisioned
	Running   RunState = "RUNNING"  // the script has been started
	Stopping  RunState = "STOPPING" // asked to stop, not stopped yet
	Stopped   RunState = "STOPPED"
	Succeeded RunState = "SUCCEEDED"
	Failed    RunState = "FAILED"
	TimedOut  RunState = "TIMEOUT"
	Errored   RunState = "ERROR"
)

// next lists where a run may go from each state. There is no way back, and no
// way out of an end state. A run that ends in Stopped has been Stopping before,
// also where it had not started: who follows a run always sees the same order.
var next = map[RunState][]RunState{
	Waiting:  {Starting, Stopping, Failed, Errored},
	Starting: {Running, Stopping, Failed, Errored},
	Running:  {Stopping, Succeeded, Failed, TimedOut, Errored},
	Stopping: {Stopped, Failed, Errored},
}

// CanBecome reports whether a run in state s may go to state t.
func (s RunState) CanBecome(t RunState) bool {
	for _, n := range next[s] {
		if n == t {
			return true
		}
	}
	return false
}

// Ended reports whether the run is over: nothing changes any more.
func (s RunState) Ended() bool { return s != "" && len(next[s]) == 0 }

// Active reports whether the run counts against MaxConcurrentRuns.
func (s RunState) Active() bool { return s == Starting || s == Running || s == Stopping }

// Run is one attempt at running a job.
type Run struct {
	ID            string // "jr_" and 64 hex digits; automatic retries end in "_attempt_N"
	JobName       string
	Attempt       int    // 0 for the first
	PreviousRunID string // the run that this one retries
	State         RunState

	Arguments map[string]string // as the caller gave them, kept verbatim
	Plan      RunPlan           // what was resolved from job and request when the run was accepted

	StartedOn      time.Time // when the run was accepted
	LastModifiedOn time.Time
	CompletedOn    time.Time // zero until the run has ended

	ExecutionTime time.Duration // of the script, from the monotonic clock; without provisioning
	DPUSeconds    float64       // billed: by the second, one minute at least once the script has started
	ErrorMessage  string

	// Outcome is set once it is known how the script ended, while the cluster is
	// still being taken down: a control plane that dies in between must not
	// mistake a cluster that is gone for a run that was lost.
	Outcome *Outcome

	Handle   Handle          // of its cluster; set before the cluster starts
	Document json.RawMessage // members of the request that Remora does not act on; opaque here
}

// Outcome is how a run will end.
type Outcome struct {
	State         RunState      `json:"state"`
	ErrorMessage  string        `json:"errorMessage,omitempty"`
	ExecutionTime time.Duration `json:"executionTime"`
}

// RunPlan is what a run needs, frozen when it is accepted: a later UpdateJob
// does not change a run.
type RunPlan struct {
	Command         Command           `json:"command"`
	Arguments       map[string]string `json:"arguments"` // effective, see Job.EffectiveArguments
	WorkerType      string            `json:"workerType"`
	NumberOfWorkers int               `json:"numberOfWorkers"`
	DPUPerWorker    float64           `json:"dpuPerWorker"`
	MaxRetries      int               `json:"maxRetries"`
	GlueVersion     string            `json:"glueVersion"`
	Timeout         time.Duration     `json:"timeout"`
}

// MaxCapacity is the run's capacity in (M-)DPU.
func (p RunPlan) MaxCapacity() float64 { return float64(p.NumberOfWorkers) * p.DPUPerWorker }

// BilledSeconds is what an execution time costs in seconds: whole seconds,
// rounded up, a minute at least. A script that never started costs nothing.
func BilledSeconds(execution time.Duration) float64 {
	if execution <= 0 {
		return 0
	}
	s := (execution + time.Second - 1) / time.Second
	return float64(max(s, 60))
}

// NewRunID returns a fresh run id.
func NewRunID() string {
	var b [32]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return "jr_" + hex.EncodeToString(b[:])
}

// RetryID is the id of the automatic retry number attempt of the run whose
// first attempt, or any later one, had the given id.
func RetryID(id string, attempt int) string {
	if i := strings.Index(id, "_attempt_"); i >= 0 {
		id = id[:i]
	}
	return fmt.Sprintf("%s_attempt_%d", id, attempt)
}
