package control

import (
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// A script that ended in time has, also if the control plane was too busy to see
// that before its timeout came; one that ended when it was stopped has not.
func TestTimeoutAndEndAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		exit remora.Exit
		want remora.RunState
	}{
		"in time":          {remora.Exit{Elapsed: time.Minute - time.Millisecond}, remora.Succeeded},
		"failed in time":   {remora.Exit{Elapsed: time.Minute - time.Millisecond, Code: 1}, remora.Failed},
		"killed":           {remora.Exit{Elapsed: time.Minute + time.Millisecond, Code: -1, Signal: 15}, remora.TimedOut},
		"ended when asked": {remora.Exit{Elapsed: time.Minute + time.Second}, remora.TimedOut},
	} {
		d := &drive{run: remora.Run{Plan: remora.RunPlan{Timeout: time.Minute}}}
		if o := d.judge(remora.TimedOut, c.exit, nil); o.State != c.want {
			t.Errorf("%s: %s, want %s", name, o.State, c.want)
		}
	}
}
