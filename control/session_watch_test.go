package control_test

import (
	"slices"
	"strings"
	"testing"
)

// What the watch sees of sessions and statements; statement is 0 for a session.
const watchSessions = `
CREATE TABLE seen_sessions (n INTEGER PRIMARY KEY, seq INTEGER, id TEXT, statement INTEGER, state TEXT);
CREATE TRIGGER see_new_session AFTER INSERT ON sessions BEGIN
	INSERT INTO seen_sessions (seq, id, statement, state) VALUES (NEW.seq, NEW.id, 0, NEW.state);
END;
CREATE TRIGGER see_session AFTER UPDATE ON sessions BEGIN
	INSERT INTO seen_sessions (seq, id, statement, state) SELECT NEW.seq, NEW.id, 0, 'CHANGED' WHERE OLD.closed = 1;
	INSERT INTO seen_sessions (seq, id, statement, state) SELECT NEW.seq, NEW.id, 0, NEW.state WHERE NEW.state <> OLD.state;
	INSERT INTO seen_sessions (seq, id, statement, state) SELECT NEW.seq, NEW.id, 0, 'CLOSED' WHERE NEW.closed <> OLD.closed;
END;
CREATE TRIGGER see_new_statement AFTER INSERT ON statements BEGIN
	INSERT INTO seen_sessions (seq, id, statement, state)
	SELECT NEW.session, sessions.id, NEW.id, NEW.state FROM sessions WHERE seq = NEW.session;
END;
CREATE TRIGGER see_statement AFTER UPDATE ON statements BEGIN
	INSERT INTO seen_sessions (seq, id, statement, state)
	SELECT NEW.session, sessions.id, NEW.id, CASE WHEN NEW.state <> OLD.state THEN NEW.state ELSE 'CHANGED' END FROM sessions
	WHERE seq = NEW.session AND (NEW.state <> OLD.state OR OLD.open = 0);
END;`

type glimpse struct {
	seq       int // of the session
	id        string
	statement int
	state     string
}

func (w *watch) glimpses(t *testing.T) (all []glimpse) {
	t.Helper()
	rows, err := w.db.Query("SELECT seq, id, statement, state FROM seen_sessions ORDER BY n")
	if err != nil {
		t.Fatalf("read what the watch has seen: %v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var g glimpse
		if err := rows.Scan(&g.seq, &g.id, &g.statement, &g.state); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

// session are the states that a session has been in, with CLOSED at the end.
func (w *watch) session(t *testing.T, id string) string {
	t.Helper()
	return w.statement(t, id, 0)
}

// statement are those of a statement.
func (w *watch) statement(t *testing.T, id string, n int) string {
	t.Helper()
	var states []string
	for _, g := range w.glimpses(t) {
		if g.id == id && g.statement == n {
			states = append(states, g.state)
		}
	}
	return strings.Join(states, " ")
}

// sessionWays and statementWays are the lives that there can be.
var (
	sessionWays = []string{
		"PROVISIONING READY STOPPING STOPPED CLOSED", "PROVISIONING STOPPING STOPPED CLOSED", "PROVISIONING FAILED CLOSED",
		"PROVISIONING READY FAILED CLOSED", "PROVISIONING READY TIMEOUT CLOSED",
	}
	statementWays = []string{
		"WAITING RUNNING AVAILABLE", "WAITING RUNNING CANCELLING CANCELLED", "WAITING RUNNING CANCELLING AVAILABLE",
		"WAITING RUNNING CANCELLED", "WAITING CANCELLED", "WAITING ERROR", "WAITING RUNNING ERROR", "WAITING RUNNING CANCELLING ERROR",
	}
)

// checkSessions looks at the lives of all sessions and statements, and at the
// statements' order: one at a time, in that of their numbers.
func (w *watch) checkSessions(t *testing.T) {
	t.Helper()
	type key struct{ seq, statement int }
	lives := map[key][]string{}
	running := map[int]int{} // by session
	for _, g := range w.glimpses(t) {
		k := key{g.seq, g.statement}
		lives[k] = append(lives[k], g.state)
		switch {
		case g.statement == 0:
		case g.state == "RUNNING":
			if running[g.seq] >= g.statement {
				t.Errorf("statement %d of session %s runs after %d", g.statement, g.id, running[g.seq])
			}
			for n := 1; n < g.statement; n++ {
				if before := lives[key{g.seq, n}]; !slices.Contains([]string{"AVAILABLE", "CANCELLED", "ERROR"}, before[len(before)-1]) {
					t.Errorf("statement %d of session %s begins while %d is %s", g.statement, g.id, n, before[len(before)-1])
				}
			}
			running[g.seq] = g.statement
		}
	}
	for k, states := range lives {
		ways := sessionWays
		if k.statement > 0 {
			ways = statementWays
		}
		if way := strings.Join(states, " "); !slices.Contains(ways, way) {
			t.Errorf("session no. %d, statement %d (0: itself) was %s", k.seq, k.statement, way)
		}
	}
}
