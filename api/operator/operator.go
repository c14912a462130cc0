// Package operator is the service that Remora's own commands use beside AWS's:
// what an operator wants to know that no AWS operation tells. It speaks AWS
// JSON 1.1 like the others, with the target prefix "Remora".
package operator

import (
	"context"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
)

const (
	target  = "Remora"
	signing = "remora"
)

// Store is what the service reads of remora.Store and remora.SessionStore.
type Store interface {
	Run(ctx context.Context, jobName, id string) (remora.Run, error)
	Session(ctx context.Context, id string) (remora.Session, error)
}

// New returns the service; jobLogs is the prefix of job runs' log groups, and
// status says what the server is busy with.
func New(store Store, jobLogs string, status func(context.Context) Status) *awsjson.Service {
	getStatus := func(ctx context.Context, _ *getStatusRequest) (*getStatusResponse, error) {
		return status(ctx).response(), nil
	}
	return awsjson.NewService(target, signing, []string{"GetLog", "GetStatus"},
		awsjson.Op("GetLog", logs{store, jobLogs}.get), awsjson.Op("GetStatus", getStatus))
}
