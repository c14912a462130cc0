package notebook

import (
	"context"
	"time"

	"github.com/remora-project/remora/api/operator"
	"github.com/remora-project/remora/internal/client"
)

// markTag is the tag by which the sessions of a notebook are known.
const markTag = "remora-notebook"

// endSessions stops the sessions that have the mark, and waits until they have
// ended and nothing of their clusters is left.
func endSessions(ctx context.Context, c client.Client, mark string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	asked := map[string]bool{}
	for {
		open, err := openSessions(ctx, c, map[string]string{markTag: mark})
		if err != nil {
			return err
		}
		for _, id := range open {
			if asked[id] {
				continue
			}
			if err := stopSession(ctx, c, id); err != nil {
				return err
			}
			asked[id] = true
		}
		if len(open) == 0 {
			if gone, err := clustersGone(ctx, c); gone || err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopAbandoned stops the sessions of notebooks that could not: their clusters
// outlive a server that ends with its notebook, and the next one adopts them.
// The server takes them down while the new notebook starts.
func (o Options) stopAbandoned(ctx context.Context, c client.Client, marks []string) error {
	for _, mark := range marks {
		open, err := openSessions(ctx, c, map[string]string{markTag: mark})
		if err != nil {
			return err
		}
		for _, id := range open {
			if err := stopSession(ctx, c, id); err != nil {
				return err
			}
			o.Say("stopping session " + id + " of a notebook that was killed")
		}
	}
	return nil
}

func stopSession(ctx context.Context, c client.Client, id string) error {
	return c.Call(ctx, "glue", "AWSGlue.StopSession", map[string]any{"Id": id}, nil)
}

// clustersGone reports whether the server looks after no session that has
// ended: its cluster is taken down after that.
func clustersGone(ctx context.Context, c client.Client) (bool, error) {
	open, err := openSessions(ctx, c, nil)
	if err != nil {
		return false, err
	}
	status, err := operator.GetStatus(ctx, c)
	return status.Sessions <= len(open), err
}

// openSessions returns the sessions with the given tags that have not ended.
func openSessions(ctx context.Context, c client.Client, tags map[string]string) (ids []string, err error) {
	in := map[string]any{}
	if tags != nil {
		in["Tags"] = tags
	}
	for {
		var out struct {
			Sessions  []struct{ Id, Status string }
			NextToken string
		}
		if err := c.Call(ctx, "glue", "AWSGlue.ListSessions", in, &out); err != nil {
			return nil, err
		}
		for _, s := range out.Sessions {
			switch s.Status {
			case "STOPPED", "FAILED", "TIMEOUT":
			default:
				ids = append(ids, s.Id)
			}
		}
		if out.NextToken == "" {
			return ids, nil
		}
		in["NextToken"] = out.NextToken
	}
}
