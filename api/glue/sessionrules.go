package glue

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/control"
)

const textSessionNotFound = "Session %s not found."

// defaultWorkerType is what sessions get whose request does not say otherwise,
// as in the original.
const defaultWorkerType = "Z.2X"

// runtimeArgument chooses a session's runtime: the service's own model has no
// member for it, since sessions of the original had one runtime.
const runtimeArgument = "--runtime"

// maxSessionTime bounds a session's timeouts: seven days.
const maxSessionTime = 7 * 24 * time.Hour

// sessionPlan applies the rules for sessions that the model does not hold, and
// fills in the defaults that the service answers with. The arguments' own rules
// are the control plane's.
func (s service) sessionPlan(op string, in *model.CreateSessionRequest) (remora.SessionPlan, error) {
	p := remora.SessionPlan{
		Command:   remora.Command{Name: awsmodel.Value(in.Command.Name), Runtime: s.SessionDefaults.Runtime, PythonVersion: defaultPython},
		Arguments: in.DefaultArguments, WorkerType: defaultWorkerType, NumberOfWorkers: s.SessionDefaults.Workers, GlueVersion: defaultVersion,
	}
	invalid := func(format string, args ...any) (remora.SessionPlan, error) {
		return p, remora.Invalidf(op, *in.Id, format, args...)
	}
	if p.Command.Name != commandName {
		return invalid("Command name %q is not supported: Remora has %s sessions only.", p.Command.Name, commandName)
	}
	if v := in.Command.PythonVersion; v != nil {
		if p.Command.PythonVersion = *v; !pythonVersion.MatchString(*v) {
			return invalid("PythonVersion %s is not supported: use %s, or the runtime's own.", *v, defaultPython)
		}
	}
	if v, ok := in.DefaultArguments[runtimeArgument]; ok {
		p.Command.Runtime = v
	}
	if !slices.Contains(s.Runtimes, p.Command.Runtime) {
		return invalid("Runtime %s is not supported; supported: %s.", p.Command.Runtime, strings.Join(s.Runtimes, ", "))
	}
	if v := in.GlueVersion; v != nil {
		p.GlueVersion = *v
		if f, err := strconv.ParseFloat(*v, 64); err != nil || f < 4 {
			return invalid("GlueVersion %s has no Ray: use %s or later.", *v, defaultVersion)
		}
	}
	if v := awsmodel.Value(in.SessionType); v == model.SessionTypeSparkConnect {
		return invalid("SessionType %s is not supported: sessions of Ray run statements.", v)
	}
	var err error
	if p.IdleTimeout, err = sessionTime(op, *in.Id, "IdleTimeout", in.IdleTimeout, s.SessionDefaults.IdleTimeout); err != nil {
		return p, err
	}
	if p.Timeout, err = sessionTime(op, *in.Id, "Timeout", in.Timeout, s.SessionDefaults.Timeout); err != nil {
		return p, err
	}
	return p, s.sessionWorkers(op, in, &p)
}

// sessionWorkers fills in the capacity of a session. What is given of worker
// type and number counts, and the rest is the default; a capacity in DPU does
// not go with either.
func (s service) sessionWorkers(op string, in *model.CreateSessionRequest, p *remora.SessionPlan) error {
	if in.MaxCapacity != nil && in.WorkerType == nil {
		return remora.Invalidf(op, *in.Id, "%s", control.UnknownWorkerType)
	}
	if err := s.checkCapacity(op, *in.Id, in.WorkerType, in.NumberOfWorkers, in.MaxCapacity, nil); err != nil {
		return err
	}
	if in.WorkerType != nil {
		p.WorkerType = *in.WorkerType
	}
	if in.NumberOfWorkers != nil {
		p.NumberOfWorkers = int(*in.NumberOfWorkers)
	}
	return nil
}

// sessionTime is a timeout of a request, which is in minutes.
func sessionTime(op, id, member string, given *int32, otherwise time.Duration) (time.Duration, error) {
	if given == nil {
		return otherwise, nil
	}
	if int64(*given) > int64(maxSessionTime/time.Minute) {
		return 0, remora.Invalidf(op, id, "%s must be at most %d minutes, not %d.", member, maxSessionTime/time.Minute, *given)
	}
	return time.Duration(*given) * time.Minute, nil
}
