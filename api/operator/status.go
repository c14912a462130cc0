package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/internal/client"
)

// Status is what a server is busy with.
type Status struct {
	Runs     int // that are driven
	Sessions int
	Warm     []WarmCluster
}

// WarmCluster is a cluster that waits for a run or a session.
type WarmCluster struct {
	Runtime    string
	WorkerType string
	Workers    int
	Since      time.Time
	Memory     int64 // bytes
}

type getStatusRequest struct{}

// AWSMembers implements awsmodel.Structure.
func (*getStatusRequest) AWSMembers() []awsmodel.Member { return nil }

type getStatusResponse struct {
	Runs, Sessions *int32
	Warm           []*warmCluster
}

// AWSMembers implements awsmodel.Structure.
func (*getStatusResponse) AWSMembers() []awsmodel.Member {
	return []awsmodel.Member{{Name: "Runs"}, {Name: "Sessions"}, {Name: "Warm"}}
}

type warmCluster struct {
	Runtime, WorkerType *string
	Workers             *int32
	Since               *time.Time
	Memory              *int64
}

// AWSMembers implements awsmodel.Structure.
func (*warmCluster) AWSMembers() []awsmodel.Member {
	return []awsmodel.Member{{Name: "Runtime"}, {Name: "WorkerType"}, {Name: "Workers"}, {Name: "Since"}, {Name: "Memory"}}
}

func (s Status) response() *getStatusResponse {
	out := &getStatusResponse{Runs: new(int32(s.Runs)), Sessions: new(int32(s.Sessions)), Warm: []*warmCluster{}}
	for _, w := range s.Warm {
		out.Warm = append(out.Warm, &warmCluster{&w.Runtime, &w.WorkerType, new(int32(w.Workers)), &w.Since, &w.Memory})
	}
	return out
}

// GetStatus asks a server what it is busy with.
func GetStatus(ctx context.Context, c client.Client) (Status, error) {
	var in struct {
		Runs, Sessions int
		Warm           []struct {
			Runtime, WorkerType string
			Workers             int
			Since               float64
			Memory              int64
		}
	}
	if err := c.Call(ctx, signing, target+".GetStatus", struct{}{}, &in); err != nil {
		return Status{}, fmt.Errorf("ask for the status: %w", err)
	}
	out := Status{Runs: in.Runs, Sessions: in.Sessions}
	for _, w := range in.Warm {
		since := time.UnixMilli(int64(w.Since * 1000))
		out.Warm = append(out.Warm, WarmCluster{w.Runtime, w.WorkerType, w.Workers, since, w.Memory})
	}
	return out, nil
}
