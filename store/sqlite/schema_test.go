package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remora-project/remora"
)

// migrated opens a file with other migrations than this release's.
func migrated(t *testing.T, path string, steps []migration) error {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return migrate(ctx, conn, faults{path: path}, steps, time.Now)
}

func with(texts ...string) []migration {
	steps := slices.Clone(migrations)
	for _, text := range texts {
		steps = append(steps, migration{version: len(steps) + 1, text: text})
	}
	return steps
}

func TestMigrationsAreAppliedOnceInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	mustCreate(t, open(t, path), "r", "j")
	more := with("CREATE TABLE a (x)", "INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)", "ALTER TABLE a RENAME TO b")
	for range 2 {
		if err := migrated(t, path, more); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var sum, recorded, runs int
	if err := db.QueryRow("SELECT (SELECT sum(x) FROM b), (SELECT count(*) FROM migrations), (SELECT count(*) FROM runs)").
		Scan(&sum, &recorded, &runs); err != nil {
		t.Fatal(err)
	}
	if sum != 3 || recorded != len(more) || runs != 1 {
		t.Errorf("sum %d, %d migrations, %d runs; want 3, %d, 1", sum, recorded, runs, len(more))
	}
}

func TestMigrationThatFailsLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	err := migrated(t, path, with("CREATE TABLE fine (x)", "CREATE TABLE half (x); INSERT INTO half VALUES (1); SELECT nonsense"))
	wantError(t, err, remora.Internal, fmt.Sprintf("migration %03d", len(migrations)+2), "nonsense")
	if err := migrated(t, path, with("CREATE TABLE fine (x)", "CREATE TABLE half (y)")); err != nil {
		t.Fatalf("after the migration was mended: %v", err)
	}
}

func TestForeignSchemasAreRefused(t *testing.T) {
	t.Run("newer release", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "remora.db")
		if err := migrated(t, path, with("CREATE TABLE a (x)")); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, Options{})
		wantError(t, err, remora.Invalid, path, "newer release",
			fmt.Sprintf("schema is %03d", len(migrations)+1), fmt.Sprintf("knows %03d", len(migrations)))
	})
	t.Run("altered migration", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "remora.db")
		steps := slices.Clone(migrations)
		steps[0].text += "\n-- changed"
		if err := migrated(t, path, steps); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, Options{})
		wantError(t, err, remora.Invalid, path, "another migration 001")
	})
	t.Run("another program", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "other.db")
		db, err := sql.Open("sqlite", dsn(path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("CREATE TABLE migrations (version, hash)"); err != nil {
			t.Fatal(err)
		}
		db.Close()
		os.Chmod(path, 0o644)
		before, _ := os.ReadFile(path)
		_, err = Open(path, Options{})
		wantError(t, err, remora.Invalid, path, "another program")
		after, _ := os.ReadFile(path)
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o644 || !bytes.Equal(before, after) {
			t.Errorf("the other program's file was changed: %v, %v", info, err)
		}
	})
}

func TestStoresOpenedAtOnceMigrateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	done := make(chan error)
	for range 8 {
		go func() {
			s, err := Open(path, Options{})
			if err == nil {
				err = s.Close()
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestMigrationFilesHaveNoGap(t *testing.T) {
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), "002.sql") {
			t.Errorf("a gap was accepted: %v", p)
		}
	}()
	mustLoad(fstest.MapFS{"migrations/001.sql": {}, "migrations/003.sql": {}})
}

// Every statement finds its rows by an index, or reads only rows that it
// returns: none gets slower with the number of runs that have ended.
func TestStatementsUseIndexes(t *testing.T) {
	s := fresh(t)
	everything(t, s)
	var queries []string
	s.read.prepared.Range(func(query, _ any) bool {
		queries = append(queries, query.(string))
		return true
	})
	for query := range s.writer.prepared {
		queries = append(queries, query)
	}
	if len(queries) < 30 {
		t.Fatalf("only %d statements were prepared", len(queries))
	}
	for _, query := range queries {
		rows, err := s.read.db.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query,
			slices.Repeat([]any{1}, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatalf("explain %s: %v", query, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			scans := strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "VIRTUAL TABLE") &&
				detail != "SCAN runs USING INDEX runs_open"
			sorts := strings.Contains(detail, "TEMP B-TREE") &&
				!strings.Contains(query, "open = 1") && !strings.Contains(query, "wanted")
			if scans || sorts {
				t.Errorf("%s\n\t%s", detail, query)
			}
		}
		rows.Close()
	}
}

// everything makes each kind of call, so that each statement gets prepared.
func everything(t *testing.T, s *Store) {
	t.Helper()
	mustCreate(t, s, "r", "j")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.CreateJob(ctx, remora.Job{Name: "j"}, "arn", map[string]string{"k": "v"}))
	_, err := s.Job(ctx, "j")
	check(err)
	_, _, err = s.ListJobs(ctx, map[string]string{"k": "v"}, remora.Page{Limit: 1})
	check(err)
	_, err = s.UpdateJob(ctx, "j", func(*remora.Job) error { return nil })
	check(err)
	_, err = s.Run(ctx, "j", "r")
	check(err)
	_, _, err = s.ListRuns(ctx, "j", remora.Page{Limit: 1})
	check(err)
	_, err = s.OpenRuns(ctx)
	check(err)
	_, err = s.CreateRun(ctx, aRun("w", "j"), admitAs(remora.Waiting))
	check(err)
	_, _, err = s.PromoteRun(ctx, "j", 9)
	check(err)
	_, err = s.ChangeRun(ctx, "r", func(r *remora.Run) (*remora.Run, error) { return nil, nil })
	check(err)
	_, err = s.Tags(ctx, "arn")
	check(err)
	check(s.DeleteJob(ctx, "j", "arn"))
	everySessionCall(t, s)
}
