package control_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func TestStatementsRunInOrder(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	first := p.submit("s", holding("begun"))
	b.begun("begun")
	for n := first + 1; n <= 5; n++ {
		if got := p.submit("s", fmt.Sprintf("open(os.environ['out'] + '/order', 'a').write('%d')", n)); got != n {
			t.Errorf("the statement's number is %d, not %d", got, n)
		}
	}
	b.wantStatement("s", 1, remora.StatementRunning)
	for n := 2; n <= 5; n++ {
		b.wantStatement("s", n, remora.StatementWaiting)
	}
	b.touch("go")
	p.result("s", 5)
	for n := 1; n <= 5; n++ {
		st := b.wantStatement("s", n, remora.StatementAvailable)
		if st.StartedOn.IsZero() || st.CompletedOn.Before(st.StartedOn) || st.Progress != 1 {
			t.Errorf("the statement is %+v", st)
		}
	}
	if got := b.read("order"); got != "2345" {
		t.Errorf("they ran in the order %s", got)
	}
	p.end("s")
}

func TestOutputOfStatements(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	for code, want := range map[string]remora.Output{
		"":                      {},
		"x = 1":                 {},
		"6 * 7":                 {Text: "42"},
		"print('out')\n'value'": {Text: "out\n'value'"},
		"import sys\nprint('e', file=sys.stderr)": {Text: "e\n"},
		"import os\nos.system('echo raw') * 0":    {Text: "raw\n0"},
		"'é' * 2":                                 {Text: "'éé'"},
	} {
		st := p.result("s", p.submit("s", code))
		if st.State != remora.StatementAvailable || st.Output == nil || fmt.Sprint(*st.Output) != fmt.Sprint(want) {
			t.Errorf("%q is %s with %+v, want %+v", code, st.State, st.Output, want)
		}
	}
	for code, want := range map[string][2]string{"def f():\n    return 1 / 0\nprint('before')\nf()": {"ZeroDivisionError", "division by zero"},
		"def f(:": {"SyntaxError", "invalid syntax"}} {
		st := p.result("s", p.submit("s", code))
		if st.State != remora.StatementAvailable || st.Output == nil || st.Output.ErrorName != want[0] || !strings.Contains(st.Output.Error, want[1]) ||
			len(st.Output.Traceback) == 0 {
			t.Errorf("%q is %s with %+v", code, st.State, st.Output)
		}
	}
	p.eval("s", "x", "1")
	p.end("s")
}

// What a statement has said so far can be read before it has ended.
func TestOutputWhileAStatementRuns(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", "print('first')\n"+holding("begun")+"print('second')")
	st := p.says("s", n, "first\n")
	if st.State != remora.StatementRunning || st.Progress == 1 {
		t.Errorf("the statement is %+v", st)
	}
	b.touch("go")
	if st := p.result("s", n); st.Output.Text != "first\nsecond\n" {
		t.Errorf("in the end it has said %q", st.Output.Text)
	}
	p.end("s")
}

func TestWaitingForAStatement(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", "print('partial output is no end')\n"+holding("begun"))
	b.begun("begun")
	for _, wait := range []time.Duration{0, 200 * time.Millisecond} {
		asked := time.Now()
		if st, err := p.sessions.Statement(t.Context(), "s", n, wait); err != nil || st.State != remora.StatementRunning || time.Since(asked) < wait {
			t.Errorf("after %s it is %s, %v", wait, st.State, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- errorOf(p.sessions.Statement(ctx, "s", n, time.Hour)) }()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("a client that is gone is answered with %v", err)
	}
	const clients = 50
	ends := make(chan string, clients)
	for range clients {
		go func() {
			st, err := p.sessions.Statement(t.Context(), "s", n, time.Hour)
			ends <- fmt.Sprint(st.State, " ", err)
		}()
	}
	b.touch("go")
	for range clients {
		if got := <-ends; got != "AVAILABLE <nil>" {
			t.Errorf("who waits for the statement hears %s", got)
		}
	}
	p.end("s")
}

// Each of many clients gets what it asked for.
func TestManyClients(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.eval("s", "count = 0", "")
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := range 5 {
				st, err := p.trySubmit("s", fmt.Sprintf("count += 1; (%d, %d)", c, i))
				if err == nil {
					st, err = p.sessions.Statement(t.Context(), "s", st.ID, deadline)
				}
				if want := fmt.Sprintf("(%d, %d)", c, i); err != nil || st.Output == nil || st.Output.Text != want {
					t.Errorf("statement %d is %s with %+v (%v), want %s", st.ID, st.State, st.Output, err, want)
				}
			}
		})
	}
	clients.Wait()
	p.eval("s", "count", "40")
	p.end("s")
}

func TestStatementsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.holdAt("before " + clusterStarted)
	if _, err := p.create("s"); err != nil {
		t.Fatal(err)
	}
	<-p.held
	refused := func(state remora.SessionState) {
		t.Helper()
		st, err := p.trySubmit("s", "1")
		if remora.KindOf(err) != remora.Invalid || remora.MessageOf(err) != "Session is not ready, session_id=s, status="+string(state) {
			t.Errorf("a session that is %s takes statement %d: %v", state, st.ID, err)
		}
	}
	refused(remora.SessionProvisioning)
	if err := p.sessions.CheckStatements(t.Context(), "GetStatement", "s"); remora.KindOf(err) != remora.WrongState {
		t.Errorf("a session without interpreter has statements: %v", err)
	}
	close(p.release)
	p.ready("s")
	for what, err := range map[string]error{
		"check":            p.sessions.CheckStatements(t.Context(), "GetStatement", "s"),
		"check of another": p.sessions.CheckStatements(t.Context(), "GetStatement", "other"),
		"statement":        errorOf(p.sessions.Statement(t.Context(), "s", 1, deadline)),
		"cancel":           p.sessions.CancelStatement(t.Context(), "s", 1),
		"of another":       errorOf(p.trySubmit("other", "1")),
	} {
		if what == "check" && err != nil || what != "check" && remora.KindOf(err) != remora.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	p.holdAt("before " + clusterStopped)
	p.askToStop("s")
	<-p.held
	refused(remora.SessionStopping)
	close(p.release)
	b.wantSession("s", remora.SessionStopped)
	refused(remora.SessionStopped)
}

// A session's queue has an end, and what is in it ends with the session.
func TestTooManyStatements(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.submit("s", holding("begun"))
	b.begun("begun")
	var clients sync.WaitGroup
	for range 37 {
		clients.Go(func() {
			for range 27 {
				if _, err := p.trySubmit("s", appending("never")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	if st, err := p.trySubmit("s", "1"); remora.KindOf(err) != remora.LimitExceeded {
		t.Errorf("statement %d is taken: %v", st.ID, err)
	}
	p.end("s")
	for _, n := range []int{1, 2, 1000} {
		b.wantStatement("s", n, remora.StatementCancelled)
	}
	b.wantNeverRun()
}
