package control_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/logstore"
	"github.com/remora-project/remora/provider/fake"
	"github.com/remora-project/remora/store/sqlite"
)

const (
	// deadline bounds whatever a test waits for, on a busy machine too.
	deadline  = 3 * time.Minute
	logPrefix = "/aws-glue/ray/jobs"
)

// bed is a machine: what outlives a control plane. Scripts are of the shell,
// unless the job's runtime is "python".
type bed struct {
	t     *testing.T
	dir   string
	store *sqlite.Store
	watch *watch
	logs  *logstore.Store
	host  *fake.Host
	blobs blobs
	skew  atomic.Int64 // of the wall clock, in nanoseconds
	// interpreter is the command of sessions' drivers.
	interpreter func(remora.Runtime) []string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir(), blobs: blobs{}, interpreter: interpreter}
	var err error
	path := filepath.Join(b.dir, "remora.db")
	if b.store, err = sqlite.Open(path, sqlite.Options{Now: b.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.store.Close() })
	b.watch = newWatch(t, path)
	open := func() *logstore.Store {
		s, err := logstore.Open(filepath.Join(b.dir, "logs"), logstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	b.logs = open()
	b.host = fake.NewHost(filepath.Join(shortDir(t), "c"), sink{open()})
	if err := os.Mkdir(filepath.Join(b.dir, "out"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.checkNothingLeft)
	return b
}

func (b *bed) now() time.Time { return time.Now().Add(time.Duration(b.skew.Load())) }

// checkNothingLeft looks at what a test in which all runs have ended leaves.
func (b *bed) checkNothingLeft() {
	open, err := b.store.OpenRuns(context.Background())
	if err != nil || len(open) > 0 {
		b.t.Errorf("%d runs have not ended (%v): %s", len(open), err, describe(open...))
	}
	if open, err := b.store.OpenSessions(context.Background()); err != nil || len(open) > 0 {
		b.t.Errorf("sessions are not closed (%v): %+v", err, open)
	}
	if ids := b.host.Clusters(); len(ids) > 0 {
		b.t.Errorf("clusters %q are left", ids)
	}
	if left, _ := os.ReadDir(filepath.Join(b.dir, "work")); len(left) > 0 {
		b.t.Errorf("work directories %v are left", left)
	}
	b.watch.check(b.t)
}

// job stores a job of which change may change anything.
func (b *bed) job(name, script string, change ...func(*remora.Job)) remora.Job {
	b.t.Helper()
	j := remora.Job{Name: name, WorkerType: "Z.2X", NumberOfWorkers: 2, MaxConcurrentRuns: 1, GlueVersion: "4.0",
		Command:          remora.Command{Name: "glueray", Runtime: "sh", ScriptLocation: "s3://scripts/" + name + ".sh"},
		DefaultArguments: map[string]string{"--out": b.out("")}, CreatedOn: b.now(), LastModifiedOn: b.now()}
	for _, f := range change {
		f(&j)
	}
	b.blobs[j.Command.ScriptLocation] = []byte(script)
	if err := b.store.CreateJob(b.t.Context(), j, "arn:"+name, nil); err != nil {
		b.t.Fatal(err)
	}
	return j
}

// out is a file that scripts know as $out/name.
func (b *bed) out(name string) string { return filepath.Join(b.dir, "out", name) }

func (b *bed) touch(name string) {
	b.t.Helper()
	if err := os.WriteFile(b.out(name), nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Scripts. Each notes under its run's id that it runs.
const (
	note   = "echo ran >> \"$out/$REMORA_CLUSTER\"\n"
	hold   = note + "while [ ! -e \"$out/go\" ]; do sleep 0.02; done\n"
	failSh = note + "exit 3\n"
)

// executions is how often a run's script has been started.
func (b *bed) executions(id string) int {
	text, _ := os.ReadFile(b.out(id))
	return strings.Count(string(text), "ran\n")
}

// log returns the run's log so far.
func (b *bed) log(id string) []string {
	b.t.Helper()
	return b.logBelow(logPrefix, id)
}

func (b *bed) logBelow(prefix, stream string) []string {
	b.t.Helper()
	page, err := b.logs.Read(b.t.Context(), remora.ReadQuery{Group: prefix + "/" + remora.ScriptLog, Stream: stream, FromHead: true, Limit: 1000})
	if err != nil && remora.KindOf(err) != remora.NotFound {
		b.t.Fatal(err)
	}
	var lines []string
	for _, e := range page.Events {
		lines = append(lines, e.Message)
	}
	return lines
}

func (b *bed) run(id string) remora.Run {
	b.t.Helper()
	r, err := b.store.Run(context.Background(), "", id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// eventually waits for cond; what says what did not happen.
func (b *bed) eventually(cond func() bool, what string, args ...any) {
	b.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(deadline); !cond(); <-tick.C {
		if time.Now().After(end) {
			b.t.Fatalf("after %s: %s", deadline, fmt.Sprintf(what, args...))
		}
	}
}

// started waits until a run's script runs.
func (b *bed) started(id string) {
	b.t.Helper()
	b.eventually(func() bool { return b.executions(id) > 0 }, "the script of run %s has not started", id)
}

// ended waits for a run's end.
func (b *bed) ended(id string) (r remora.Run) {
	b.t.Helper()
	b.eventually(func() bool { r = b.run(id); return r.State.Ended() }, "run %s has not ended", id)
	return r
}

// want checks how a run has ended.
func (b *bed) want(id string, state remora.RunState, message ...string) remora.Run {
	b.t.Helper()
	r := b.ended(id)
	if r.State != state {
		b.t.Errorf("run %s is %s (%s), want %s", id, r.State, r.ErrorMessage, state)
	}
	for _, m := range message {
		if !strings.Contains(r.ErrorMessage, m) {
			b.t.Errorf("run %s: message %q lacks %q", id, r.ErrorMessage, m)
		}
	}
	if len(message) == 0 && r.ErrorMessage != "" {
		b.t.Errorf("run %s: unexpected message %q", id, r.ErrorMessage)
	}
	return r
}

func describe(runs ...remora.Run) string {
	var b strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&b, "%s of %s is %s, outcome %v; ", r.ID, r.JobName, r.State, r.Outcome)
	}
	return b.String()
}

// sink writes to the log store as a supervisor does.
type sink struct{ store *logstore.Store }

func (s sink) Writer(group, stream string) io.WriteCloser {
	return logstore.NewWriter(s.store, group, stream, logstore.WriterOptions{FlushEvery: time.Millisecond})
}

func (s sink) Close() error { return nil }

func with(base map[string]string, key, value string) map[string]string {
	out := maps.Clone(base)
	out[key] = value
	return out
}

func queuing(j *remora.Job) { j.Queuing = true }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (b *bed) read(name string) string {
	text, _ := os.ReadFile(b.out(name))
	return string(text)
}

// idle reports whether all runs have ended.
func (b *bed) idle() bool {
	open, err := b.store.OpenRuns(context.Background())
	return err == nil && len(open) == 0
}

func (b *bed) limit(job string, n int) {
	b.t.Helper()
	_, err := b.store.UpdateJob(b.t.Context(), job, func(j *remora.Job) error { j.MaxConcurrentRuns = n; return nil })
	if err != nil {
		b.t.Fatal(err)
	}
}
