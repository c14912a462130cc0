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
	Run_   string        `arg:"" name:"run" help:"Id of the job run."`
	Follow bool          `short:"f" help:"Go on until the run has ended."`
	Group  string        `default:"script-log" help:"Which of the run's logs: script-log, ray-gcs-logs, ray-raylet-logs, …"`
	Since  time.Duration `help:"Only the last part, for example 10m." placeholder:"DURATION"`
}

// Run prints a run's log. Its exit status is 1 if --follow saw the run end in any
// way but well, or by being stopped. A server that is being restarted is waited
// for: the run goes on meanwhile.
func (c logsCmd) Run(s *scope) error {
	api, err := s.client()
	if err != nil {
		return err
	}
	run, err := operator.GetRun(s.ctx, api, c.Run_)
	if err != nil {
		return err
	}
	in := map[string]any{"logGroupName": run.LogGroupName + "/" + c.Group, "logStreamName": c.Run_, "startFromHead": true}
	if c.Since > 0 {
		in["startTime"] = time.Now().Add(-c.Since).UnixMilli()
	}
	var away time.Time // when the server was last heard, if it is not now
	for {
		// The state is asked for before the events: what the run wrote before it
		// ended is then sure to be among them.
		now, err := operator.GetRun(s.ctx, api, c.Run_)
		n := 0
		if err == nil {
			run = now
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
		case run.Ended && c.Follow && run.State != "SUCCEEDED" && run.State != "STOPPED":
			return fmt.Errorf("run %s %s: %s", c.Run_, run.State, run.ErrorMessage)
		case run.Ended || !c.Follow:
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
