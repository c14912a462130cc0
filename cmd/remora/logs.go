package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/remora-project/remora/api/operator"
	"github.com/remora-project/remora/internal/client"
)

type logsCmd struct {
	ID     string        `arg:"" name:"id" help:"Id of the job run or the session."`
	Follow bool          `short:"f" help:"Go on until it has ended."`
	Group  string        `default:"script-log" help:"Which of its logs: script-log, ray-gcs-logs, ray-raylet-logs, …"`
	Since  time.Duration `help:"Only the last part, for example 10m." placeholder:"DURATION"`
}

// Run prints the log of a run or a session. Its exit status is 1 if --follow saw
// that end in any way but well, or by being stopped. A server that is being
// restarted is waited for: what it runs goes on meanwhile.
func (c logsCmd) Run(s *scope) error {
	api, err := s.client()
	if err != nil {
		return err
	}
	log, err := operator.GetLog(s.ctx, api, c.ID)
	if err != nil {
		return err
	}
	in := map[string]any{"logGroupName": log.LogGroupName + "/" + c.Group, "logStreamName": log.LogStreamName, "startFromHead": true}
	if c.Since > 0 {
		in["startTime"] = time.Now().Add(-c.Since).UnixMilli()
	}
	var away time.Time // when the server was last heard, if it is not now
	for {
		// The state is asked for before the events: what was written before the end
		// is then sure to be among them.
		now, err := operator.GetLog(s.ctx, api, c.ID)
		n := 0
		if err == nil {
			log = now
			n, err = printEvents(s.ctx, api, in)
		}
		if err == nil {
			away = time.Time{}
		} else if away.IsZero() {
			away = time.Now()
		}
		refused := errors.As(err, new(*client.Error))
		switch {
		case err != nil && (!c.Follow || refused || s.ctx.Err() != nil || time.Since(away) > patience):
			return err
		case err != nil:
			if again, e := s.client(); e == nil { // it may be back at another address
				api = again
			}
			if !c.pause(s.ctx) {
				return s.ctx.Err()
			}
		case n > 0: // there may be more
		case log.Ended && c.Follow && log.State != "SUCCEEDED" && log.State != "STOPPED":
			return fmt.Errorf("%s %s %s: %s", log.Kind, c.ID, log.State, log.ErrorMessage)
		case log.Ended || !c.Follow:
			return nil
		default:
			if !c.pause(s.ctx) {
				return s.ctx.Err()
			}
		}
	}
}

// patience is how long --follow waits for a server that does not answer.
const patience = time.Minute

// pause waits for the next look; false if ctx ends.
func (logsCmd) pause(ctx context.Context) bool {
	select {
	case <-time.After(200 * time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}

// printEvents prints what is there from in's token on, and moves the token.
func printEvents(ctx context.Context, api client.Client, in map[string]any) (int, error) {
	var out struct {
		Events           []struct{ Message string }
		NextForwardToken string
	}
	err := api.Call(ctx, "logs", "Logs_20140328.GetLogEvents", in, &out)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == "ResourceNotFoundException" {
		return 0, nil // nothing has been logged yet
	}
	if err != nil {
		return 0, err
	}
	for _, e := range out.Events {
		if _, err := fmt.Fprintln(os.Stdout, e.Message); err != nil {
			return 0, err
		}
	}
	in["nextToken"] = out.NextForwardToken
	return len(out.Events), nil
}
