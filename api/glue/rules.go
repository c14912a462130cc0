package glue

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/blobs"
	"github.com/remora-project/remora/control"
)

// Texts of the real service.
const (
	textMaxCapacity = "Please do not set Max Capacity if using Worker Type and Number of Workers"
	textBothWorkers = "Please set both Worker Type and Number of Workers"
	textTimeout     = "Timeout not supported for Ray jobs"
	textRuntime     = "Runtime parameter is required for GlueRay command"
	textJobNotFound = "Job not found."
	textRunNotFound = "Job run not found."
	textMismatch    = "Job already submitted with different configuration"
)

const (
	commandName    = "glueray"
	defaultVersion = "4.0" // the first Glue version with Ray
	defaultPython  = "3.9" // what Ray jobs of the original say
	maxRetries     = 10
)

// pythonVersion matches what existing Ray jobs say, and what the runtimes are.
var pythonVersion = regexp.MustCompile(`^3(\.(9|1[0-3]))?$`)

// checkJob applies the rules for Ray jobs that the model does not hold, and
// fills in the defaults that the service answers with.
func (s service) checkJob(op string, j *model.Job) error {
	name := awsmodel.Value(j.Name)
	invalid := func(format string, args ...any) error { return remora.Invalidf(op, name, format, args...) }

	if j.Command == nil {
		return invalid("Command is required.")
	}
	c := *j.Command
	if n := awsmodel.Value(c.Name); n != commandName {
		return invalid("Command name %q is not supported: Remora runs %s jobs only.", n, commandName)
	}
	switch runtime := awsmodel.Value(c.Runtime); {
	case runtime == "":
		return invalid("%s", textRuntime)
	case !slices.Contains(s.Runtimes, runtime):
		return invalid("Runtime %s is not supported; supported: %s.", runtime, strings.Join(s.Runtimes, ", "))
	}
	if _, _, err := blobs.Parse(awsmodel.Value(c.ScriptLocation)); err != nil {
		return invalid("ScriptLocation is not the address of a script: %s.", errors.Unwrap(err))
	}
	if c.PythonVersion == nil {
		c.PythonVersion = new(defaultPython)
	} else if !pythonVersion.MatchString(*c.PythonVersion) {
		return invalid("PythonVersion %s is not supported: use %s, or the runtime's own.", *c.PythonVersion, defaultPython)
	}
	j.Command = &c

	if err := s.checkCapacity(op, name, j.WorkerType, j.NumberOfWorkers, j.MaxCapacity, j.AllocatedCapacity); err != nil {
		return err
	}
	switch {
	case awsmodel.Value(j.WorkerType) == "":
		return invalid("%s", control.UnknownWorkerType)
	case j.NumberOfWorkers == nil:
		return invalid("%s", textBothWorkers)
	case j.Timeout != nil:
		return invalid("%s", textTimeout)
	case j.Role == nil:
		return invalid("Role is required.")
	}
	if n := awsmodel.Value(j.MaxRetries); n < 0 || n > maxRetries {
		return invalid("MaxRetries must be between 0 and %d, not %d.", maxRetries, n)
	}
	if j.ExecutionProperty == nil || j.ExecutionProperty.MaxConcurrentRuns == nil {
		j.ExecutionProperty = &model.ExecutionProperty{MaxConcurrentRuns: new(int32(1))}
	}
	if n := *j.ExecutionProperty.MaxConcurrentRuns; n < 1 {
		return invalid("MaxConcurrentRuns must be at least 1, not %d.", n)
	}
	if j.GlueVersion == nil {
		j.GlueVersion = new(defaultVersion)
	} else if v, err := strconv.ParseFloat(*j.GlueVersion, 64); err != nil || v < 4 {
		return invalid("GlueVersion %s has no Ray: use %s or later.", *j.GlueVersion, defaultVersion)
	}
	return control.CheckParameters(op, j.DefaultArguments)
}

// checkCapacity applies the rules that jobs and runs share.
func (s service) checkCapacity(op, name string, workerType *string, workers *int32, capacity *float64, allocated *int32) error {
	if workerType != nil {
		if _, ok := s.WorkerTypes[*workerType]; !ok {
			return remora.Invalidf(op, name, "%s", control.UnknownWorkerType)
		}
		if capacity != nil || allocated != nil {
			return remora.Invalidf(op, name, "%s", textMaxCapacity)
		}
	}
	if workers != nil {
		return control.CheckWorkers(op, name, int(*workers))
	}
	return nil
}

// minutes rounds up: a limit below a minute is not none.
func minutes(t time.Duration) *int32 { return new(int32((t + time.Minute - 1) / time.Minute)) }
