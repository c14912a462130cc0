package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/store/storetest"
)

var ctx = context.Background()

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

func fresh(t testing.TB) *Store { return open(t, filepath.Join(t.TempDir(), "remora.db")) }

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) remora.Store { return fresh(t) })
}

func aRun(id, job string) remora.Run {
	return remora.Run{ID: id, JobName: job, StartedOn: time.Now(), Arguments: map[string]string{"--secret": "x"}}
}

func admit(int, int) (remora.RunState, error) { return remora.Starting, nil }

func admitAs(s remora.RunState) func(int, int) (remora.RunState, error) {
	return func(int, int) (remora.RunState, error) { return s, nil }
}

func mustCreate(t testing.TB, s *Store, id, job string) {
	t.Helper()
	if _, err := s.CreateRun(ctx, aRun(id, job), admit); err != nil {
		t.Fatalf("create run %s: %v", id, err)
	}
}

func wantError(t *testing.T, err error, kind remora.Kind, parts ...string) {
	t.Helper()
	var e *remora.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Errorf("error is %v, want %v", err, kind)
		return
	}
	for _, part := range parts {
		if !strings.Contains(e.Message(), part) {
			t.Errorf("the message lacks %q: %s", part, e.Message())
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	mustCreate(t, s, "r", "j")
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode())
		}
	}
}

// The name of the file is data, not a part of the connection string.
func TestPathIsTakenLiterally(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory", "a#b", "a%20b", "é 🐟.db", "a&_pragma=x", ":memory:"} {
		path := filepath.Join(t.TempDir(), name)
		s := open(t, path)
		mustCreate(t, s, "r", "j")
		s.Close()
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 || entries[0].Name() != name {
			t.Errorf("after closing %q the folder holds %v", name, entries)
		}
		if _, err := open(t, path).Run(ctx, "j", "r"); err != nil {
			t.Errorf("in %q the run is gone: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole := filepath.Join(dir, "whole.db")
	s := open(t, whole)
	for i := range 50 {
		mustCreate(t, s, fmt.Sprint("r", i), "j")
	}
	s.Close()
	content, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	noSchema := append([]byte(nil), content...)
	for i := 100; i < 4096; i++ {
		noSchema[i] = 0xff
	}
	for _, c := range []struct {
		path, want string
		kind       remora.Kind
	}{
		{file("text", []byte(strings.Repeat("not a database ", 1000))), "is not a Remora database", remora.Internal},
		{file("short", content[:len(content)-8192]), "is damaged", remora.Internal},
		{file("schema", noSchema), "is damaged", remora.Internal},
		{filepath.Join(dir, "missing", "remora.db"), "no such file", remora.Unavailable},
		{dir, "is not a file", remora.Invalid},
	} {
		_, err := Open(c.path, Options{})
		wantError(t, err, c.kind, c.want, c.path)
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open made a folder: %v", err)
	}
}

// Damage that a start does not look for is reported by the call that meets it.
func TestDamageIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	s := open(t, path)
	for i := range 200 {
		mustCreate(t, s, fmt.Sprint("r", i), "j")
	}
	s.Close()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 2; i < len(content); i++ {
		content[i] ^= 0xa5
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = open(t, path).ListRuns(ctx, "j", remora.Page{Limit: 1000})
	wantError(t, err, remora.Internal, path, "is damaged", "backup")
}

func TestClosed(t *testing.T) {
	s := fresh(t)
	mustCreate(t, s, "r", "j")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.CreateRun(ctx, aRun("q", "j"), admit)
	wantError(t, err, remora.Unavailable, "closed")
	_, err = s.Run(ctx, "j", "r")
	wantError(t, err, remora.Unavailable, "closed")
}

func TestPromotionIsStamped(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	s, err := Open(filepath.Join(t.TempDir(), "remora.db"), Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.CreateRun(ctx, aRun("r", "j"), admitAs(remora.Waiting)); err != nil {
		t.Fatal(err)
	}
	r, ok, err := s.PromoteRun(ctx, "j", 1)
	if err != nil || !ok || !r.LastModifiedOn.Equal(now) {
		t.Fatalf("promoted at %v (%v, %v), want %v", r.LastModifiedOn, ok, err, now)
	}
}

// Two processes, here two stores, may have the file open: an upgrade that
// overlaps is no accident.
func TestTwoStoresOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	a, b := open(t, path), open(t, path)
	done := make(chan error)
	for i, s := range []*Store{a, b} {
		go func() {
			var err error
			for n := range 100 {
				_, e := s.CreateRun(ctx, aRun(fmt.Sprint(i, "-", n), "j"), admit)
				err = errors.Join(err, e)
			}
			done <- err
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	runs, err := a.OpenRuns(ctx)
	if err != nil || len(runs) != 200 {
		t.Fatalf("%d runs, error %v, want 200", len(runs), err)
	}
}

// What is written today must be readable by every later release: this is a run
// and a job as the first release stores them.
func TestStoredFormIsRead(t *testing.T) {
	s := fresh(t)
	err := s.writer.change(ctx, func(x *tx) error {
		return errors.Join(
			x.exec(`INSERT INTO runs (id, job, state, open, fields, handle) VALUES ('jr_1', 'j', 'STOPPING', 1, '{"attempt":2,
				"previousRunID":"jr_0","arguments":{"--a":"b"},"plan":{"command":{"Name":"glueray","Runtime":"Ray2.60",
				"PythonVersion":"3.9","ScriptLocation":"s3://b/k"},"arguments":{"--c":"d"},"workerType":"Z.2X","numberOfWorkers":5,
				"dpuPerWorker":2,"maxRetries":1,"glueVersion":"4.0","timeout":28800000000000},"startedOn":"2026-11-23T09:30:01.5Z",
				"lastModifiedOn":"2026-11-23T09:30:02Z","executionTime":1500000000,"dpuSeconds":600,"errorMessage":"m",
				"outcome":{"state":"FAILED","errorMessage":"o","executionTime":1000000000}}', X'7B7D')`),
			x.exec(`INSERT INTO jobs (name, arn, fields) VALUES ('j', 'arn', '{"command":{"Name":"glueray"},"defaultArguments":{"--a":"b"},
				"nonOverridableArguments":{"--c":"d"},"workerType":"Z.2X","numberOfWorkers":5,"maxRetries":1,"maxConcurrentRuns":3,
				"queuing":true,"glueVersion":"4.0","createdOn":"2026-11-23T09:30:01Z","lastModifiedOn":"2026-11-23T09:30:02Z"}')`))
	})
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	r, err := s.Run(ctx, "j", "jr_1")
	if want := (remora.Run{ID: "jr_1", JobName: "j", Attempt: 2, PreviousRunID: "jr_0", State: remora.Stopping,
		Arguments: map[string]string{"--a": "b"},
		Plan: remora.RunPlan{Command: remora.Command{Name: "glueray", Runtime: "Ray2.60", PythonVersion: "3.9",
			ScriptLocation: "s3://b/k"}, Arguments: map[string]string{"--c": "d"}, WorkerType: "Z.2X", NumberOfWorkers: 5,
			DPUPerWorker: 2, MaxRetries: 1, GlueVersion: "4.0", Timeout: 8 * time.Hour},
		StartedOn: at("2026-11-23T09:30:01.5Z"), LastModifiedOn: at("2026-11-23T09:30:02Z"),
		ExecutionTime: 1500 * time.Millisecond, DPUSeconds: 600, ErrorMessage: "m",
		Outcome: &remora.Outcome{State: remora.Failed, ErrorMessage: "o", ExecutionTime: time.Second},
		Handle:  []byte("{}")}); err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("got\n%+v, %v, want\n%+v", r, err, want)
	}
	j, err := s.Job(ctx, "j")
	if want := (remora.Job{Name: "j", Command: remora.Command{Name: "glueray"},
		DefaultArguments: map[string]string{"--a": "b"}, NonOverridableArguments: map[string]string{"--c": "d"},
		WorkerType: "Z.2X", NumberOfWorkers: 5, MaxRetries: 1, MaxConcurrentRuns: 3, Queuing: true, GlueVersion: "4.0",
		CreatedOn: at("2026-11-23T09:30:01Z"), LastModifiedOn: at("2026-11-23T09:30:02Z")}); err != nil || !reflect.DeepEqual(j, want) {
		t.Errorf("got\n%+v, %v, want\n%+v", j, err, want)
	}
}
