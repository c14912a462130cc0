package control_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

func TestSessionLives(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	s, err := p.create("s", argument("--class", "x"), argument("--NAME", "mine"))
	if err != nil || s.State != remora.SessionProvisioning || s.CreatedOn.IsZero() || !s.CompletedOn.IsZero() || s.Plan.MaxCapacity() != 4 {
		t.Errorf("the session is answered as %+v, %v", s, err)
	}
	p.ready("s")
	if s := b.session("s"); s.Closed || s.Handle == nil || s.ExecutionTime != 0 {
		t.Errorf("the session that is ready is %+v", s)
	}
	p.eval("s", "import os\nprint('hello')\nos.environ['NAME'], os.environ['AWS_REGION'], os.environ['RUNTIME']", "hello\n('mine', 'test', 'python')")
	s = p.end("s")
	if got := b.watch.session(t, "s"); got != "PROVISIONING READY STOPPING STOPPED CLOSED" {
		t.Errorf("the session was %s", got)
	}
	if got := b.watch.statement(t, "s", 1); got != "WAITING RUNNING AVAILABLE" {
		t.Errorf("the statement was %s", got)
	}
	if s.ExecutionTime <= 0 || s.DPUSeconds != s.ExecutionTime.Seconds()*4 || s.CompletedOn.Before(s.CreatedOn) {
		t.Errorf("created on %s, completed on %s, execution time %s, %v DPU-seconds", s.CreatedOn, s.CompletedOn, s.ExecutionTime, s.DPUSeconds)
	}
	log := strings.Join(b.logBelow(sessionPrefix, "s"), "\n")
	for _, want := range []string{"hello", "remora: warning: parameter --class has no meaning for Ray jobs", "remora: cluster ready after ",
		"remora: starting a Ray cluster: python, a head and 2 workers of Z.2X", "remora: the session ends: it was stopped"} {
		if !strings.Contains(log, want) {
			t.Errorf("the session's log lacks %q:\n%s", want, log)
		}
	}
}

// Nothing of the clock's goes into what is billed.
func TestClockJumpsInASession(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s", idleTimeout(2*deadline), timeout(2*deadline))
	b.skew.Store(int64(24 * time.Hour))
	p.eval("s", "1", "1")
	if s := p.end("s"); s.ExecutionTime <= 0 || s.ExecutionTime > deadline {
		t.Errorf("execution time %s", s.ExecutionTime)
	}
}

// Ids are the client's: whatever they hold, folders and logs have names.
func TestSessionIDs(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	ids := []string{"../up", "with space and ü", strings.Repeat("long", 60) + "*"}
	for _, id := range ids {
		if _, err := p.create(id); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		p.ready(id)
		p.eval(id, "print('logged')", "logged\n")
		p.end(id)
	}
	streams, _, err := b.logs.Streams(t.Context(), remora.StreamQuery{Group: sessionPrefix + "/" + remora.ScriptLog, Page: remora.Page{Limit: 10}})
	if err != nil || len(streams) != len(ids) {
		t.Fatalf("streams %+v, %v", streams, err)
	}
	for _, s := range streams {
		if !strings.HasPrefix(s.Name, "session-") && s.Name != ids[0] || !slices.Contains(b.logBelow(sessionPrefix, s.Name), "logged") {
			t.Errorf("stream %s: %q", s.Name, b.logBelow(sessionPrefix, s.Name))
		}
	}
}

func TestSessionsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	for name, change := range map[string]func(*request){
		"worker type": func(q *request) { q.Plan.WorkerType = "G.1X" },
		"workers":     func(q *request) { q.Plan.NumberOfWorkers = -1 },
		"argument":    argument("--object_store_memory_head", "101"),
		"module":      argument("--s3-py-modules", "one.zip"),
	} {
		if _, err := p.create("s", change); remora.KindOf(err) != remora.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"a", "b", "c"} {
		p.open(id)
	}
	if _, err := p.create("b"); remora.KindOf(err) != remora.AlreadyExists {
		t.Errorf("an id that is taken: %v", err)
	}
	if _, err := p.create("d"); remora.KindOf(err) != remora.LimitExceeded || !strings.Contains(remora.MessageOf(err), "3 sessions are open") {
		t.Errorf("beyond the limit: %v", err)
	}
	if n := p.sessions.Open(); n != 3 {
		t.Errorf("%d sessions are driven", n)
	}
	p.end("a")
	p.open("d")
	for _, id := range []string{"b", "c", "d"} {
		p.end(id)
	}
	b.eventually(func() bool { return p.sessions.Open() == 0 }, "sessions are still driven")
}

func TestWaitingForASession(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.holdAt("before " + clusterStarted)
	if _, err := p.create("s"); err != nil {
		t.Fatal(err)
	}
	<-p.held
	for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
		asked := time.Now()
		if s, err := p.sessions.Session(t.Context(), "s", wait); err != nil || s.State != remora.SessionProvisioning || time.Since(asked) < wait {
			t.Errorf("after %s it is %s, %v", wait, s.State, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- errorOf(p.sessions.Session(ctx, "s", time.Hour)) }()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("a client that is gone is answered with %v", err)
	}
	states := make(chan remora.SessionState)
	watch := func() {
		s, _ := p.sessions.Session(t.Context(), "s", time.Hour)
		states <- s.State
	}
	for range 8 {
		go watch()
	}
	close(p.release)
	for range 8 {
		if s := <-states; s != remora.SessionReady {
			t.Errorf("who waits for the session hears that it is %s", s)
		}
	}
	if s, err := p.sessions.Session(t.Context(), "s", time.Hour); s.State != remora.SessionReady || err != nil {
		t.Errorf("the session is %s, %v; READY need not be waited for", s.State, err)
	}
	p.holdAt("before " + clusterStopped)
	p.askToStop("s")
	<-p.held
	go watch()
	close(p.release)
	if s := <-states; s != remora.SessionStopped && s != remora.SessionStopping {
		t.Errorf("who waits for the session's end hears that it is %s", s)
	}
	b.wantSession("s", remora.SessionStopped)
}

// Close lets go of sessions, and of who waits for news of them.
func TestCloseWhileClientsWait(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", holding("begun"))
	b.begun("begun")
	answer := make(chan remora.Statement)
	go func() {
		st, _ := p.sessions.Statement(t.Context(), "s", n, time.Hour)
		answer <- st
	}()
	p.close()
	if st := <-answer; st.State != remora.StatementRunning {
		t.Errorf("the statement is %s", st.State)
	}
	p = b.plane()
	b.touch("go")
	p.result("s", n)
	p.end("s")
}

// What a session brings along is there from its first statement on, also under
// a control plane that cannot fetch it.
func TestModulesOfASession(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.blobs["s3://b/one.zip"] = packed(t, "one/__init__.py", "x = 'one'")
	b.blobs["s3://b/app.zip"] = packed(t, "app/data.txt", "data")
	p := b.plane()
	p.killAtMoment("after " + clusterStarted)
	if _, err := p.create("s", argument("--s3-py-modules", "s3://b/one.zip"), argument("--working-dir", "s3://b/app.zip")); err != nil {
		t.Fatal(err)
	}
	b.eventually(func() bool { return isClosed(p.killed) }, "there is no cluster")
	p.kill()
	clear(b.blobs)
	p = b.newPlane(func(c *control.Config) { c.Runtimes = noRuntimes{} })
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	p.ready("s")
	p.eval("s", "import one\none.x + open('data.txt').read()", "'onedata'")
	p.end("s")
}
