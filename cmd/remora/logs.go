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

// Run prints a run's log. Its exit status is 1 if the run has failed and
// --follow saw its end.
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
	for {
		// The state is asked for before the events: what the run wrote before it
		// ended is then sure to be among them.
		run, err = operator.GetRun(s.ctx, api, c.Run_)
		if err != nil {
			return err
		}
		n, err := printEvents(s.ctx, api, in)
		if err != nil {
			return err
		}
		switch {
		case n > 0: // there may be more
		case run.Ended && run.State == "FAILED" && c.Follow:
			return fmt.Errorf("run %s %s: %s", c.Run_, run.State, run.ErrorMessage)
		case run.Ended || !c.Follow:
			return nil
		default:
			select {
			case <-time.After(200 * time.Millisecond):
			case <-s.ctx.Done():
				return s.ctx.Err()
			}
		}
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
