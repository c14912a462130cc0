package control

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/remora-project/remora"
	"golang.org/x/sys/unix"
)

// maxErrorMessage keeps ErrorMessage readable in a listing; the whole output is
// in the run's log.
const maxErrorMessage = 4096

// judge says how a run ends whose script has ended: by itself, or because the
// control plane stopped it for the given reason.
func (d *drive) judge(why remora.RunState, exit remora.Exit, err error) *remora.Outcome {
	d.notes = exit.Notes
	o := &remora.Outcome{ExecutionTime: exit.Elapsed}
	// A control plane that was killed between stopping an overdue script and
	// recording it finds a script that a signal ended after its time was up.
	if why == "" && exit.Signal != 0 && exit.Elapsed >= d.run.Plan.Timeout {
		why = remora.TimedOut
	}
	// One that was busy finds both due: the end and, a moment later, the timeout.
	if why == remora.TimedOut && err == nil && exit.Signal == 0 && exit.Elapsed < d.run.Plan.Timeout {
		why = ""
	}
	switch {
	case why == remora.Stopped || d.run.State == remora.Stopping:
		o.State = remora.Stopped
	case why == remora.TimedOut:
		o.State = remora.TimedOut
		o.ErrorMessage = fmt.Sprintf("The job run exceeded its timeout of %s and was stopped.", minutes(d.run.Plan.Timeout))
	case err != nil:
		o.State = remora.Failed
		o.ErrorMessage = remora.MessageOf(err)
	case exit.Code == 0 && exit.Signal == 0 && exit.Error == "":
		o.State = remora.Succeeded
	default:
		o.State = remora.Failed
		o.ErrorMessage = exitMessage(exit)
	}
	return o
}

// exitMessage tells how a script failed, its last words behind it.
func exitMessage(e remora.Exit) string {
	var b strings.Builder
	switch {
	case e.Error != "":
		b.WriteString(e.Error)
	case e.Signal != 0:
		fmt.Fprintf(&b, "The script was killed by signal %d (%s).", e.Signal, unix.SignalName(syscall.Signal(e.Signal)))
		if e.Signal == int(syscall.SIGKILL) {
			b.WriteString(" Where nobody sent it, the kernel had run out of memory.")
		}
	default:
		fmt.Fprintf(&b, "The script exited with status %d.", e.Code)
	}
	// The traceback's end says most: drop lines from its beginning to fit.
	tail := e.Tail
	size := b.Len()
	for _, l := range tail {
		size += len(l) + 1
	}
	for len(tail) > 1 && size > maxErrorMessage {
		size -= len(tail[0]) + 1
		tail = tail[1:]
	}
	for _, l := range tail {
		b.WriteString("\n")
		b.WriteString(l)
	}
	msg := b.String()
	if len(msg) > maxErrorMessage {
		msg = strings.ToValidUTF8(msg[:maxErrorMessage], "")
	}
	return msg
}

func minutes(t time.Duration) string {
	if t%time.Minute == 0 {
		return fmt.Sprintf("%d minutes", t/time.Minute)
	}
	return t.String()
}
