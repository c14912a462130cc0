package control_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/remora-project/remora"
	_ "modernc.org/sqlite"
)

// watch sees every state that the store ever holds, in its order: triggers note
// them within the transactions that make them.
type watch struct{ db *sql.DB }

// A run counts against its job's limit while it has a cluster or will get one.
const watchSchema = `
CREATE TABLE seen (n INTEGER PRIMARY KEY, id TEXT, job TEXT, state TEXT, active INTEGER);
CREATE TRIGGER see_new AFTER INSERT ON runs BEGIN
	INSERT INTO seen (id, job, state, active) SELECT NEW.id, NEW.job, NEW.state, count(*) FROM runs
	WHERE job = NEW.job AND (state IN ('STARTING', 'RUNNING') OR state = 'STOPPING' AND handle IS NOT NULL);
END;
CREATE TRIGGER see_change AFTER UPDATE ON runs WHEN NEW.state <> OLD.state BEGIN
	INSERT INTO seen (id, job, state, active) SELECT NEW.id, NEW.job, NEW.state, count(*) FROM runs
	WHERE job = NEW.job AND (state IN ('STARTING', 'RUNNING') OR state = 'STOPPING' AND handle IS NOT NULL);
END;
CREATE TRIGGER frozen BEFORE UPDATE ON runs WHEN OLD.open = 0 BEGIN SELECT RAISE(ABORT, 'a run that has ended was changed'); END;`

func newWatch(t *testing.T, path string) *watch {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err == nil {
		_, err = db.Exec(watchSchema + watchSessions)
	}
	if err != nil {
		t.Fatalf("watch the store: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return &watch{db}
}

type sight struct {
	id, job string
	state   remora.RunState
	active  int // runs of the job, then
}

func (w *watch) seen(t *testing.T) (all []sight) {
	t.Helper()
	rows, err := w.db.Query("SELECT id, job, state, active FROM seen ORDER BY n")
	if err != nil {
		t.Fatalf("read what the watch has seen: %v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s sight
		if err := rows.Scan(&s.id, &s.job, &s.state, &s.active); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// states are those that a run has been in.
func (w *watch) states(t *testing.T, id string) string {
	t.Helper()
	var states []string
	for _, s := range w.seen(t) {
		if s.id == id {
			states = append(states, string(s.state))
		}
	}
	return strings.Join(states, " ")
}

// ways are the lives that a run can have.
var ways = []string{
	"STARTING RUNNING SUCCEEDED", "STARTING RUNNING FAILED", "STARTING RUNNING TIMEOUT", "STARTING FAILED",
	"STARTING RUNNING STOPPING STOPPED", "STARTING STOPPING STOPPED", "STOPPING STOPPED",
}

// check looks at the lives of all runs, sessions and statements.
func (w *watch) check(t *testing.T) {
	t.Helper()
	w.checkSessions(t)
	lives := map[string]bool{}
	for _, s := range w.seen(t) {
		if lives[s.id] {
			continue
		}
		lives[s.id] = true
		if way := w.states(t, s.id); !slices.Contains(ways, strings.TrimPrefix(way, "WAITING ")) || way == "STOPPING STOPPED" {
			t.Errorf("run %s was %s", s.id, way)
		}
	}
}
