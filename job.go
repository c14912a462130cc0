package remora

import (
	"encoding/json"
	"time"
)

// Job is a job definition. The named fields are what Remora acts on; Document
// holds the whole definition as the API gave it, so that members which only
// other engines use come back unchanged.
type Job struct {
	Name                    string
	Command                 Command
	DefaultArguments        map[string]string
	NonOverridableArguments map[string]string
	WorkerType              string
	NumberOfWorkers         int
	MaxRetries              int
	MaxConcurrentRuns       int  // at least 1
	Queuing                 bool // JobRunQueuingEnabled
	GlueVersion             string
	CreatedOn               time.Time
	LastModifiedOn          time.Time
	Document                json.RawMessage // an awsmodel.Job without the two times; opaque here
}

// Command names the script and what runs it.
type Command struct {
	Name           string // "glueray"
	Runtime        string // "Ray2.60", "Ray2.4"
	PythonVersion  string
	ScriptLocation string // s3://bucket/key
}

// EffectiveArguments merges a run's arguments over the job's: the run's replace
// the defaults, and the non-overridable ones replace both.
func (j Job) EffectiveArguments(run map[string]string) map[string]string {
	out := make(map[string]string, len(j.DefaultArguments)+len(run)+len(j.NonOverridableArguments))
	for _, m := range []map[string]string{j.DefaultArguments, run, j.NonOverridableArguments} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
