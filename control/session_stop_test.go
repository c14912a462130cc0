package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/fake"
)

func TestStopOfASession(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.busy("s", "print('said')\n"+holding("begun"))
	p.says("s", 1, "said\n")
	answer := make(chan remora.Statement)
	go func() {
		st, _ := p.sessions.Statement(t.Context(), "s", 1, time.Hour)
		answer <- st
	}()
	p.askToStop("s")
	p.askToStop("s") // STOPPING, or STOPPED already
	s := p.wantSession("s", remora.SessionStopped)
	if st := <-answer; st.State != remora.StatementCancelled || st.Output == nil || st.Output.Text != "said\n" {
		t.Errorf("who waits for the statement hears %s with %+v", st.State, st.Output)
	}
	b.wantStatement("s", 2, remora.StatementCancelled)
	p.askToStop("s")
	if again := b.session("s"); fmt.Sprint(again) != fmt.Sprint(s) || b.executions("never") != 0 {
		t.Errorf("a session that had ended is %+v after it was stopped, before %+v", again, s)
	}
}

// The request was stored, and its client told otherwise: it asks again.
func TestStopOfASessionWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.fault("after "+stopStored, 1)
	if err := p.sessions.Stop(t.Context(), "s"); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("error %v, want one of kind %q", err, remora.Unavailable)
	}
	p.end("s")
}

func TestStopWhileProvisioning(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	starting := make(chan struct{})
	b.host.Inject(fake.Faults{Start: func(ctx context.Context, _ int) error {
		close(starting)
		<-ctx.Done()
		return ctx.Err()
	}})
	p := b.plane()
	if _, err := p.create("s"); err != nil {
		t.Fatal(err)
	}
	<-starting
	if s := p.end("s"); s.ExecutionTime != 0 || s.DPUSeconds != 0 {
		t.Errorf("execution time %s, %v DPU-seconds", s.ExecutionTime, s.DPUSeconds)
	}
	if got := b.watch.session(t, "s"); got != "PROVISIONING STOPPING STOPPED CLOSED" {
		t.Errorf("the session was %s", got)
	}
}

// The control plane has just been restarted and has not found the cluster: no
// interpreter is started any more.
func TestStopBeforeTheTakeOver(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.killAtMoment("after " + clusterStarted)
	p.create("s")
	b.eventually(func() bool { return isClosed(p.killed) }, "there is no cluster")
	p.kill()
	b.host.Inject(fake.Faults{Run: func(context.Context, remora.Driver) error {
		t.Error("an interpreter is started")
		return nil
	}})
	p = b.newPlane()
	p.holdAt("at adoption")
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	<-p.held
	p.askToStop("s")
	close(p.release)
	if s := p.wantSession("s", remora.SessionStopped); s.ExecutionTime != 0 {
		t.Errorf("execution time %s", s.ExecutionTime)
	}
}

// A stop can meet a session at any point between two steps. Whatever it meets,
// the session ends, and nothing of it is left.
func TestStopOfASessionAtEachStep(t *testing.T) {
	t.Parallel()
	for _, moment := range moments([]string{sessionStored, handleRecorded, clusterStarted, driverStarted, readyStored, statementRunning, submitted,
		statementEnded})[1:] {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			done, stopped := make(chan bool), make(chan bool)
			if strings.Contains(moment, "statement") {
				p.open("s")
				p.holdAt(moment)
				go func() {
					defer close(done)
					p.trySubmit("s", appending("ran"))
				}()
			} else {
				p.holdAt(moment)
				go func() {
					defer close(done)
					p.create("s")
				}()
			}
			<-p.held
			go func() {
				defer close(stopped)
				p.askToStop("s")
			}()
			if strings.HasPrefix(moment, "after ") { // before, a transaction may be in the way
				<-stopped
			}
			close(p.release)
			<-done
			<-stopped
			p.wantSession("s", remora.SessionStopped)
			b.eventually(func() bool { return p.sessions.Open() == 0 }, "the session is still driven")
			if n := b.executions("ran"); n > 1 {
				t.Errorf("the statement was executed %d times", n)
			}
		})
	}
}
