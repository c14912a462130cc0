// Package operator is the service that Remora's own commands use beside AWS's:
// what an operator wants to know that no AWS operation tells. It speaks AWS
// JSON 1.1 like the others, with the target prefix "Remora".
package operator

import (
	"context"
	"fmt"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/internal/client"
)

const (
	target  = "Remora"
	signing = "remora"
)

// GetRunRequest asks for a run by its id alone; Glue's GetJobRun wants the
// job's name too.
type GetRunRequest struct{ RunId *string }

// AWSMembers implements awsmodel.Structure.
func (*GetRunRequest) AWSMembers() []awsmodel.Member {
	return []awsmodel.Member{{Name: "RunId", Required: true}}
}

// GetRunResponse is the run.
type GetRunResponse struct {
	JobName      *string
	State        *string
	Ended        *bool
	ErrorMessage *string
	LogGroupName *string
}

// AWSMembers implements awsmodel.Structure.
func (*GetRunResponse) AWSMembers() []awsmodel.Member {
	return []awsmodel.Member{{Name: "JobName"}, {Name: "State"}, {Name: "Ended"}, {Name: "ErrorMessage"}, {Name: "LogGroupName"}}
}

// New returns the service; status says what the server is busy with.
func New(store remora.Store, logGroup string, status func(context.Context) Status) *awsjson.Service {
	getRun := func(ctx context.Context, in *GetRunRequest) (*GetRunResponse, error) {
		r, err := store.Run(ctx, "", *in.RunId)
		if remora.KindOf(err) == remora.NotFound {
			return nil, remora.NotFoundf("GetRun", *in.RunId, "There is no job run %s.", *in.RunId)
		}
		if err != nil {
			return nil, err
		}
		return &GetRunResponse{JobName: &r.JobName, State: new(string(r.State)), Ended: new(r.State.Ended()),
			ErrorMessage: &r.ErrorMessage, LogGroupName: &logGroup}, nil
	}
	getStatus := func(ctx context.Context, _ *getStatusRequest) (*getStatusResponse, error) {
		return status(ctx).response(), nil
	}
	return awsjson.NewService(target, signing, []string{"GetRun", "GetStatus"}, awsjson.Op("GetRun", getRun), awsjson.Op("GetStatus", getStatus))
}

// Run is the answer to GetRun.
type Run struct {
	JobName, State, ErrorMessage, LogGroupName string
	Ended                                      bool
}

// GetRun asks a server for a run.
func GetRun(ctx context.Context, c client.Client, id string) (Run, error) {
	var out Run
	if err := c.Call(ctx, signing, target+".GetRun", map[string]string{"RunId": id}, &out); err != nil {
		return out, fmt.Errorf("look up the run: %w", err)
	}
	return out, nil
}
