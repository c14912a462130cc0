package operator

import (
	"context"
	"fmt"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/internal/client"
	"github.com/remora-project/remora/session"
)

// Log says where a job run or a session logs, and how it stands.
type Log struct {
	Kind          string // "run" or "session"
	State         string // in Glue's words
	Ended         bool   // nothing is logged any more
	ErrorMessage  string
	LogGroupName  string // prefix of its groups
	LogStreamName string
}

// GetLog asks a server for what has the id; Glue's operations want to know what
// it is, and for a run the job's name too.
func GetLog(ctx context.Context, c client.Client, id string) (Log, error) {
	var out Log
	if err := c.Call(ctx, signing, target+".GetLog", map[string]string{"Id": id}, &out); err != nil {
		return out, fmt.Errorf("look up the log: %w", err)
	}
	return out, nil
}

type getLogRequest struct{ Id *string }

// AWSMembers implements awsmodel.Structure.
func (*getLogRequest) AWSMembers() []awsmodel.Member {
	return []awsmodel.Member{{Name: "Id", Required: true}}
}

type getLogResponse struct {
	Kind, State                 *string
	Ended                       *bool
	ErrorMessage                *string
	LogGroupName, LogStreamName *string
}

// AWSMembers implements awsmodel.Structure.
func (*getLogResponse) AWSMembers() []awsmodel.Member {
	return []awsmodel.Member{{Name: "Kind"}, {Name: "State"}, {Name: "Ended"}, {Name: "ErrorMessage"}, {Name: "LogGroupName"}, {Name: "LogStreamName"}}
}

// logs finds the logs of runs and sessions.
type logs struct {
	store Store
	jobs  string // prefix of runs' groups
}

// get prefers a run: its id is ours, while a session's is any that its client
// has chosen.
func (l logs) get(ctx context.Context, in *getLogRequest) (*getLogResponse, error) {
	const op = "GetLog"
	id := *in.Id
	r, err := l.store.Run(ctx, "", id)
	if err == nil {
		return &getLogResponse{Kind: new("run"), State: new(string(r.State)), Ended: new(r.State.Ended()), ErrorMessage: &r.ErrorMessage,
			LogGroupName: &l.jobs, LogStreamName: &id}, nil
	}
	if remora.KindOf(err) != remora.NotFound {
		return nil, err
	}
	s, err := l.store.Session(ctx, id)
	if remora.KindOf(err) == remora.NotFound {
		return nil, remora.NotFoundf(op, id, "There is no job run and no session %s.", id)
	}
	if err != nil {
		return nil, err
	}
	// What is left of its cluster may log until it is closed.
	return &getLogResponse{Kind: new("session"), State: new(string(s.State)), Ended: new(s.Closed), ErrorMessage: &s.ErrorMessage,
		LogGroupName: new(session.LogGroup), LogStreamName: new(session.LogStream(id))}, nil
}
