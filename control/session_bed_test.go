package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/session"
)

const (
	sessionPrefix = "/aws-glue/sessions"
	sessionLimit  = 3
)

// TestMain is also the host of a session's interpreter: clusters run the test
// binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "interpreter" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		// On a busy machine Python takes its time: what does not end is the control plane's to end.
		o := session.Options{Argv: os.Args[2:], Socket: os.Getenv(session.Socket), ReadyWithin: deadline, CancelGrace: deadline, StopGrace: 2 * deadline}
		if err := session.Serve(ctx, o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// host is the command of the host of an interpreter.
func host(argv ...string) []string {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return append([]string{program, "interpreter"}, argv...)
}

// interpreter is the real one in its real host.
func interpreter(rt remora.Runtime) []string {
	script, err := filepath.Abs(filepath.Join("..", "python", "remora", "session", "__main__.py"))
	if err != nil {
		panic(err)
	}
	return host(rt.Python, "-u", script)
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "remora-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

type request = control.SessionRequest

// sessionRequest asks for a session of which change may change anything.
func sessionRequest(b *bed, id string, change ...func(*request)) request {
	q := request{ID: id, ARN: "arn:session/" + id, Plan: remora.SessionPlan{
		Command:   remora.Command{Name: "glueray", Runtime: "python"},
		Arguments: map[string]string{"--out": b.out("")}, WorkerType: "Z.2X", NumberOfWorkers: 2, GlueVersion: "4.0",
		IdleTimeout: time.Hour, Timeout: 10 * time.Hour,
	}}
	for _, f := range change {
		f(&q)
	}
	return q
}

// create asks for a session.
func (p *plane) create(id string, change ...func(*request)) (s remora.Session, err error) {
	q := sessionRequest(p.bed, id, change...)
	if !p.do(func() { s, err = p.sessions.Create(p.t.Context(), q) }) {
		err = errKilled
	}
	return s, err
}

// open creates a session and waits until it is ready.
func (p *plane) open(id string, change ...func(*request)) {
	p.t.Helper()
	if _, err := p.create(id, change...); err != nil {
		p.t.Fatalf("create session %s: %v", id, err)
	}
	p.ready(id)
}

// busy opens a session with a statement that runs, until somebody touches go,
// and one that waits for it. The code has holding("begun").
func (p *plane) busy(id, code string) (runs, waits int) {
	p.t.Helper()
	p.open(id)
	runs, waits = p.submit(id, code), p.submit(id, appending("never"))
	p.begun("begun")
	return runs, waits
}

// wantNeverRun fails if what waits in a busy session has been run.
func (b *bed) wantNeverRun() {
	b.t.Helper()
	if b.executions("never") != 0 {
		b.t.Error("a statement that waited was run")
	}
}

func (p *plane) ready(id string) {
	p.t.Helper()
	s, err := p.sessions.Session(p.t.Context(), id, deadline)
	if err != nil || s.State != remora.SessionReady {
		p.t.Fatalf("session %s is %s (%s), not READY: %v", id, s.State, s.ErrorMessage, err)
	}
}

func (p *plane) trySubmit(id, code string) (st remora.Statement, err error) {
	if !p.do(func() { st, err = p.sessions.RunStatement(p.t.Context(), id, code) }) {
		err = errKilled
	}
	return st, err
}

// submit queues a statement and returns its number.
func (p *plane) submit(id, code string) int {
	p.t.Helper()
	st, err := p.trySubmit(id, code)
	if err != nil || st.State != remora.StatementWaiting {
		p.t.Fatalf("submit a statement to session %s: it is %s, %v", id, st.State, err)
	}
	return st.ID
}

// result waits for the end of a statement.
func (p *plane) result(id string, n int) remora.Statement {
	p.t.Helper()
	st, err := p.sessions.Statement(p.t.Context(), id, n, deadline)
	if err != nil || !st.State.Ended() {
		p.t.Fatalf("statement %d of session %s is %s, not at its end: %v", n, id, st.State, err)
	}
	return st
}

// eval runs a statement that must say text, and nothing else.
func (p *plane) eval(id, code, text string) {
	p.t.Helper()
	st := p.result(id, p.submit(id, code))
	if st.State != remora.StatementAvailable || st.Output == nil || st.Output.Text != text || st.Output.ErrorName != "" {
		p.t.Errorf("%q is %s with %+v, want %q", code, st.State, st.Output, text)
	}
}

// says waits until a statement that has not ended has said just so much.
func (p *plane) says(id string, n int, text string) (st remora.Statement) {
	p.t.Helper()
	p.eventually(func() bool {
		var err error
		if st, err = p.sessions.Statement(p.t.Context(), id, n, 0); err != nil || st.State.Ended() {
			p.t.Fatalf("statement %d of session %s is %+v, %v", n, id, st, err)
		}
		return st.Output != nil && st.Output.Text == text
	}, "statement %d of session %s does not say %q but is %+v", n, id, text, &st)
	return st
}

func (p *plane) cancel(id string, n int) {
	p.t.Helper()
	if err := p.sessions.CancelStatement(p.t.Context(), id, n); err != nil {
		p.t.Fatalf("cancel statement %d of session %s: %v", n, id, err)
	}
}

// askToStop asks a session to stop, by a control plane that may be killed by it.
func (p *plane) askToStop(id string) {
	p.t.Helper()
	var err error
	if p.do(func() { err = p.sessions.Stop(p.t.Context(), id) }); err != nil {
		p.t.Fatalf("stop session %s: %v", id, err)
	}
}

// end stops a session and waits until nothing of it is left.
func (p *plane) end(id string) remora.Session {
	p.t.Helper()
	p.askToStop(id)
	return p.wantSession(id, remora.SessionStopped)
}

func (b *bed) session(id string) remora.Session {
	b.t.Helper()
	s, err := b.store.Session(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *bed) statement(id string, n int) remora.Statement {
	b.t.Helper()
	st, err := b.store.Statement(context.Background(), id, n)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// becomes waits until a statement is in a state.
func (b *bed) becomes(id string, n int, state remora.StatementState) {
	b.t.Helper()
	b.eventually(func() bool { return b.statement(id, n).State == state }, "statement %d of session %s is not %s", n, id, state)
}

// wantSession waits until nothing of a session is left, and checks its end.
func (b *bed) wantSession(id string, state remora.SessionState, message ...string) (s remora.Session) {
	b.t.Helper()
	b.eventually(func() bool { s = b.session(id); return s.Closed }, "session %s is not closed", id)
	if s.State != state || s.CompletedOn.IsZero() {
		b.t.Errorf("session %s is %s (%s), completed on %s; want %s", id, s.State, s.ErrorMessage, s.CompletedOn, state)
	}
	if len(message) == 0 && s.ErrorMessage != "" {
		b.t.Errorf("session %s: unexpected message %q", id, s.ErrorMessage)
	}
	for _, m := range message {
		if !strings.Contains(s.ErrorMessage, m) {
			b.t.Errorf("session %s: message %q lacks %q", id, s.ErrorMessage, m)
		}
	}
	return s
}

// wantStatement checks how a statement has ended. Each of says is in its text
// or in its error.
func (b *bed) wantStatement(id string, n int, state remora.StatementState, says ...string) remora.Statement {
	b.t.Helper()
	st := b.statement(id, n)
	if st.State != state || st.State.Ended() && st.CompletedOn.IsZero() {
		b.t.Errorf("statement %d of session %s is %s, completed on %s; want %s: %+v", n, id, st.State, st.CompletedOn, state, st.Output)
	}
	for _, s := range says {
		if st.Output == nil || !strings.Contains(st.Output.Text+st.Output.Error, s) {
			b.t.Errorf("statement %d of session %s lacks %q: %+v", n, id, s, st.Output)
		}
	}
	return st
}

// clusterOf is the id of a session's or a run's cluster.
func (b *bed) clusterOf(h remora.Handle) string {
	b.t.Helper()
	var handle struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(h, &handle); err != nil {
		b.t.Fatalf("handle %s: %v", h, err)
	}
	return handle.ID
}

// Statements. appending leaves a line in a file; holding does so and then waits
// for the file go.
func appending(file string) string {
	return fmt.Sprintf("import os, time\nopen(os.environ['out'] + '/%s', 'a').write('ran\\n')\n", file)
}

func holding(file string) string {
	return appending(file) + "while not os.path.exists(os.environ['out'] + '/go'): time.sleep(0.01)\n"
}

// begun waits until what leaves a line in a file has done so.
func (b *bed) begun(file string) {
	b.t.Helper()
	b.started(file)
}

func idleTimeout(t time.Duration) func(*request) { return func(q *request) { q.Plan.IdleTimeout = t } }

func timeout(t time.Duration) func(*request) { return func(q *request) { q.Plan.Timeout = t } }

func argument(name, value string) func(*request) {
	return func(q *request) { q.Plan.Arguments = with(q.Plan.Arguments, name, value) }
}
