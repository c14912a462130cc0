package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/store/storetest"
)

func TestSessionContract(t *testing.T) {
	storetest.RunSessions(t, func(t *testing.T, dir string) storetest.Sessions {
		return open(t, filepath.Join(dir, "remora.db"))
	})
}

func aSession(id string) remora.Session {
	return remora.Session{ID: id, State: remora.SessionReady, CreatedOn: time.Now()}
}

func admitSession(int) error { return nil }

func admitStatement(remora.Session, int) error { return nil }

func deletable(remora.Session) error { return nil }

// everySessionCall is everything for sessions.
func everySessionCall(t *testing.T, s *Store) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.CreateSession(ctx, aSession("s"), "arn", map[string]string{"k": "v"}, admitSession))
	_, err := s.CreateStatement(ctx, "s", "1", admitStatement)
	check(err)
	_, err = s.Session(ctx, "s")
	check(err)
	_, _, err = s.ListSessions(ctx, map[string]string{"k": "v"}, remora.Page{Limit: 1})
	check(err)
	_, err = s.OpenSessions(ctx)
	check(err)
	_, err = s.ChangeSession(ctx, "s", func(*remora.Session) error { return nil })
	check(err)
	_, err = s.Statement(ctx, "s", 1)
	check(err)
	_, _, err = s.ListStatements(ctx, "s", remora.Page{Limit: 1})
	check(err)
	_, err = s.OpenStatements(ctx, "s")
	check(err)
	_, err = s.ChangeStatement(ctx, "s", 1, func(*remora.Statement) error { return nil })
	check(err)
	check(s.DeleteSession(ctx, "s", "arn", deletable))
}

// The region or account that Remora was started with may have changed since.
func TestDeletedSessionTakesTheTagsOfItsFirstARNAlong(t *testing.T) {
	s := fresh(t)
	if err := s.CreateSession(ctx, aSession("s"), "then", map[string]string{"k": "v"}, admitSession); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangeTags(ctx, "now", func(tags map[string]string) error { tags["k"] = "v"; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteSession(ctx, "s", "now", deletable); err != nil {
		t.Fatal(err)
	}
	for _, arn := range []string{"then", "now"} {
		if tags, err := s.Tags(ctx, arn); err != nil || len(tags) != 0 {
			t.Errorf("the tags of %q are %v, error %v", arn, tags, err)
		}
	}
}

// What a change returns is what a later call reads, to the time's zone.
func TestChangedSessionsAreReturnedAsStored(t *testing.T) {
	s := fresh(t)
	if err := s.CreateSession(ctx, aSession("s"), "arn", nil, admitSession); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateStatement(ctx, "s", "1", admitStatement); err != nil {
		t.Fatal(err)
	}
	output := &remora.Output{Traceback: []string{"a"}}
	v, err := s.ChangeSession(ctx, "s", func(v *remora.Session) error { v.CompletedOn = time.Now(); return nil })
	if stored, again := s.Session(ctx, "s"); err != nil || again != nil || !reflect.DeepEqual(v, stored) {
		t.Errorf("%+v (%v) was returned, %+v (%v) is stored", v, err, stored, again)
	}
	st, err := s.ChangeStatement(ctx, "s", 1, func(st *remora.Statement) error {
		st.StartedOn, st.CompletedOn, st.Output = time.Now(), time.Now(), output
		return nil
	})
	output.Text, output.Traceback[0] = "later", "later"
	if stored, again := s.Statement(ctx, "s", 1); err != nil || again != nil || !reflect.DeepEqual(st, stored) {
		t.Errorf("%+v (%v) was returned, %+v (%v) is stored", st, err, stored, again)
	}
}

func TestSessionErrorsSayWhat(t *testing.T) {
	s := fresh(t)
	if err := s.CreateSession(ctx, aSession("a/b"), "arn", nil, admitSession); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.CreateSession(ctx, aSession("a/b"), "arn", nil, admitSession), remora.AlreadyExists, `session "a/b" already`)
	wantError(t, s.CreateSession(ctx, remora.Session{ID: "c"}, "arn", nil, admitSession), remora.Internal, `"c"`, `state ""`)
	_, err := s.Session(ctx, "c")
	wantError(t, err, remora.NotFound, `no session "c"`)
	_, err = s.Statement(ctx, "a/b", 7)
	wantError(t, err, remora.NotFound, `session "a/b" has no statement 7`)
	_, err = s.ChangeSession(ctx, "a/b", func(v *remora.Session) error { v.State = remora.SessionProvisioning; return nil })
	wantError(t, err, remora.WrongState, `session "a/b" is READY and cannot become PROVISIONING`)
	if _, err := s.CreateStatement(ctx, "a/b", "1", admitStatement); err != nil {
		t.Fatal(err)
	}
	_, err = s.ChangeStatement(ctx, "a/b", 1, func(st *remora.Statement) error { st.State = remora.StatementAvailable; return nil })
	wantError(t, err, remora.WrongState, `statement 1 of session "a/b" is WAITING and cannot become AVAILABLE`)
}

// What is listed and what is open is found without reading the rest, however
// long a session's history is.
func TestSessionQueriesReadWhatTheyReturn(t *testing.T) {
	s := fresh(t)
	everySessionCall(t, s)
	want := map[string]string{
		"ORDER BY s.seq DESC":                                "SEARCH s USING INTEGER PRIMARY KEY (rowid<?)",
		"FROM " + openSessions + " WHERE s.closed = 0 ORDER": "SEARCH s USING INDEX sessions_open (closed=?)",
		"count(*) FROM " + openSessions:                      "SEARCH s USING COVERING INDEX sessions_open (closed=?)",
		"AND id > ?":                                         "SEARCH statements USING INDEX sqlite_autoindex_statements_1 (session=? AND id>?)",
		"AND open = 1 ORDER BY id":                           "SEARCH statements USING INDEX statements_open (session=?)",
		"count(*) FROM " + openStatements:                    "SEARCH statements USING COVERING INDEX statements_open (session=?)",
		"max(id)":                                            "SEARCH statements USING COVERING INDEX sqlite_autoindex_statements_1 (session=?)",
	}
	explain := func(query string) {
		for part, plan := range want {
			if !strings.Contains(query, part) {
				continue
			}
			delete(want, part)
			var details []string
			args := make([]any, strings.Count(query, "?"))
			err := s.read.query(ctx, func(row scanner) error {
				var id, parent, unused int
				var detail string
				err := row.Scan(&id, &parent, &unused, &detail)
				details = append(details, detail)
				return err
			}, "EXPLAIN QUERY PLAN "+query, args...)
			all := strings.Join(details, "\n\t")
			if err != nil || !strings.Contains(all, plan) || strings.Contains(all, "TEMP B-TREE FOR ORDER") {
				t.Errorf("%s\nis done by (%v)\n\t%s\nwant\n\t%s", query, err, all, plan)
			}
		}
	}
	var queries []string
	s.read.prepared.Range(func(query, _ any) bool { queries = append(queries, query.(string)); return true })
	for query := range s.writer.prepared {
		queries = append(queries, query)
	}
	for _, query := range queries {
		explain(query)
	}
	for part := range want {
		t.Errorf("no query has %q", part)
	}
}

// A file of the release before sessions gets the tables for them and keeps all
// that it has.
func TestFileWithoutSessionsIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	if err := migrated(t, path, migrations[:1]); err != nil {
		t.Fatal(err)
	}
	before, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Exec(`INSERT INTO jobs (name, arn, fields) VALUES ('j', 'a', '{}');
		INSERT INTO tags (arn, key, value) VALUES ('a', 'k', 'v');
		INSERT INTO runs (id, job, state, open, fields) VALUES ('r', 'j', 'RUNNING', 1, '{}')`); err != nil {
		t.Fatal(err)
	}
	before.Close()
	s := open(t, path)
	jobs, _, err := s.ListJobs(ctx, map[string]string{"k": "v"}, remora.Page{Limit: 9})
	if err != nil || len(jobs) != 1 || jobs[0].Name != "j" {
		t.Errorf("the jobs are %+v, error %v", jobs, err)
	}
	if runs, err := s.OpenRuns(ctx); err != nil || len(runs) != 1 || runs[0].ID != "r" {
		t.Errorf("the runs are %+v, error %v", runs, err)
	}
	everySessionCall(t, s)
}

// These are a session and a statement as the first release that has them stores
// them, see TestStoredFormIsRead.
func TestStoredFormOfSessionsIsRead(t *testing.T) {
	s := fresh(t)
	err := s.writer.change(ctx, func(x *tx) error {
		return errors.Join(
			x.exec(`INSERT INTO sessions (seq, id, arn, state, closed, fields, handle, document) VALUES (3, 's', 'arn', 'STOPPED', 1,
				'{"plan":{"command":{"Name":"glueray","Runtime":"Ray2.60","PythonVersion":"3.9","ScriptLocation":""},
				"arguments":{"--c":"d"},"workerType":"Z.2X","numberOfWorkers":5,"dpuPerWorker":2,"glueVersion":"4.0",
				"idleTimeout":1800000000000,"timeout":28800000000000},"createdOn":"2026-11-23T09:30:01.5Z",
				"completedOn":"2026-11-23T09:30:02Z","executionTime":1500000000,"dpuSeconds":600,"errorMessage":"m"}',
				X'7B7D', X'5B5D')`),
			x.exec(`INSERT INTO statements (session, id, state, open, code, fields) VALUES (3, 1, 'AVAILABLE', 0, '1/0',
				'{"output":{"text":"t","mimeType":"image/png","result":"r","stdErr":"s","errorName":"n","error":"e",
				"traceback":["a","b"]},"progress":0.5,"startedOn":"2026-11-23T09:30:01.5Z","completedOn":"2026-11-23T09:30:02Z"}')`))
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 23, 9, 30, 1, 5e8, time.UTC)
	ended := began.Add(500 * time.Millisecond)
	v, err := s.Session(ctx, "s")
	if want := (remora.Session{ID: "s", State: remora.SessionStopped, Closed: true,
		Plan: remora.SessionPlan{Command: remora.Command{Name: "glueray", Runtime: "Ray2.60", PythonVersion: "3.9"},
			Arguments: map[string]string{"--c": "d"}, WorkerType: "Z.2X", NumberOfWorkers: 5, DPUPerWorker: 2, GlueVersion: "4.0",
			IdleTimeout: 30 * time.Minute, Timeout: 8 * time.Hour},
		CreatedOn: began, CompletedOn: ended, ExecutionTime: 1500 * time.Millisecond, DPUSeconds: 600, ErrorMessage: "m",
		Handle: []byte("{}"), Document: []byte("[]")}); err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("got\n%+v, %v, want\n%+v", v, err, want)
	}
	st, err := s.Statement(ctx, "s", 1)
	if want := (remora.Statement{SessionID: "s", ID: 1, Code: "1/0", State: remora.StatementAvailable, Progress: 0.5,
		Output: &remora.Output{Text: "t", MimeType: "image/png", Result: "r", StdErr: "s", ErrorName: "n", Error: "e",
			Traceback: []string{"a", "b"}}, StartedOn: began, CompletedOn: ended}); err != nil || !reflect.DeepEqual(st, want) {
		t.Errorf("got\n%+v, %v, want\n%+v", st, err, want)
	}
	if next, err := s.CreateStatement(ctx, "s", "", admitStatement); err != nil || next.ID != 2 {
		t.Error(fmt.Errorf("the next statement is %d, error %w", next.ID, err))
	}
}
