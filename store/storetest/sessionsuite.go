package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// Sessions is a remora.SessionStore together with the remora.Store that has the
// sessions' tags.
type Sessions interface {
	remora.Store
	remora.SessionStore
}

// RunSessions checks that the stores that open returns keep the contract of
// remora.SessionStore. The first call of open with a folder returns a new, empty
// one; later ones, made after Close, return one that holds what the former did.
// open arranges for the end of each with t.Cleanup.
func RunSessions(t *testing.T, open func(t *testing.T, dir string) Sessions) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Sessions)
	}{
		{"a session comes back as it was stored", sessionRoundTrip},
		{"a session's id is any text", sessionIDs},
		{"a session's id is taken once", sessionIDTaken},
		{"a session is admitted by how many are not closed", sessionAdmission},
		{"a session changes its state along SessionState.CanBecome", sessionStates},
		{"a change of a session is stored, or nothing of it", sessionChange},
		{"a closed session stays closed", sessionClosed},
		{"the sessions that are not closed are listed, oldest first", sessionsOpen},
		{"sessions are listed by tags, newest first", sessionsByTags},
		{"a deleted session takes its statements and tags along", sessionDelete},

		{"a statement comes back as it was stored", statementRoundTrip},
		{"a statement is admitted by its session and what is open", statementAdmission},
		{"a statement that is not there is not found", statementMissing},
		{"a statement changes its state along StatementState.CanBecome", statementStates},
		{"a change of a statement is stored, or nothing of it", statementChange},
		{"the statements that have not ended are listed in order", statementsOpen},
		{"long code and long output come back whole", statementLong},

		{"times and numbers are kept exactly", sessionExactness},
		{"a listing of sessions comes in pages", sessionPages},
		{"a page of large sessions or statements ends early", sessionLargePages},
		{"a cursor belongs to its listing of sessions", sessionCursors},
		{"a listing of sessions holds while entries come and go", sessionMovingPages},

		{"one of many sessions at once is admitted", sessionAdmitOne},
		{"statements at once have ids without a gap", statementNumbers},
		{"a statement is of the session that it was made in", statementsOrDeletion},
		{"no change of a session or statement is lost", sessionNoLostChange},
		{"a call on sessions whose context has ended changes nothing", sessionEndedContext},
		{"a function that panics changes no session", sessionPanicking},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t, t.TempDir())) })
	}
	t.Run("random calls on sessions do what the model does", func(t *testing.T) { sessionRandom(t, open) })
}

var sessionStateNames = []remora.SessionState{remora.SessionProvisioning, remora.SessionReady, remora.SessionStopping,
	remora.SessionStopped, remora.SessionFailed, remora.SessionTimedOut}

var statementStateNames = []remora.StatementState{remora.StatementWaiting, remora.StatementRunning,
	remora.StatementAvailable, remora.StatementCancelling, remora.StatementCancelled, remora.StatementErrored}

func sessionARN(id string) string { return "arn:aws:glue:eu-central-1:000000000000:session/" + id }

func newSession(id string) remora.Session {
	return remora.Session{
		ID: id, State: remora.SessionReady,
		Plan: remora.SessionPlan{
			Command:    remora.Command{Name: "glueray", Runtime: "Ray2.60", PythonVersion: "3.9", ScriptLocation: "s3://b/k"},
			Arguments:  map[string]string{"--k": "v", "--empty": "", "--odd": "<'\";-- \u2028 é 🐟"},
			WorkerType: "Z.2X", NumberOfWorkers: 5, DPUPerWorker: 2, GlueVersion: "4.0",
			IdleTimeout: 30*time.Minute + 1, Timeout: 8 * time.Hour},
		CreatedOn: start, CompletedOn: start.Add(time.Minute + 1),
		ExecutionTime: 59*time.Second + 1, DPUSeconds: 600.1, ErrorMessage: "line 1\nline 2",
		Handle: json.RawMessage("{ \"v\": 1 }"), Document: json.RawMessage("{ \"Id\":\t\"<&>\", \"Big\": 12345678901234567890.0 }"),
	}
}

// fill sets all that may change in a statement, but for its state.
func fill(st *remora.Statement) {
	st.Output = &remora.Output{Text: "<&>\u2028 \\ é 🐟\n\x00", MimeType: "image/png", Result: "iVBORw0KGgo=", StdOut: "printed\n", StdErr: "warning\r\n",
		ErrorName: "ValueError", Error: "no 'x'", Traceback: []string{"Traceback (most recent call last):", "", "  é"}}
	st.Progress, st.StartedOn, st.CompletedOn = 0.1, start.Add(1), start.Add(time.Second+1)
}

// oddIDs are different ids, each of which something might take for another one
// or for more than an id.
var oddIDs = []string{"a", "A", "a ", " a", "a b", "a\tb", "a\n", "a/b", "/a", "..", "a'b", `a"b`, `a\b`, "a%20b", "a%", "_", "?",
	"a;--", "é", "e\u0301", "🐟", "日本語", "\u202eab", "1", "01", "1.0", "null", strings.Repeat("x", 255),
	strings.Repeat("x", 254), strings.Repeat("🐟", 255), strings.Repeat("🐟", 254) + "é"}

func admitSession(int) error { return nil }

func admitStatement(remora.Session, int) error { return nil }

// addSession, addStatement and become store what a test takes for granted.
func addSession(t *testing.T, s Sessions, id string, state remora.SessionState, tags map[string]string) remora.Session {
	t.Helper()
	v := newSession(id)
	v.State = state
	if err := s.CreateSession(ctx, v, sessionARN(id), tags, admitSession); err != nil {
		t.Fatalf("create session %q: %v", id, err)
	}
	return v
}

func addStatement(t *testing.T, s Sessions, session, code string) remora.Statement {
	t.Helper()
	st, err := s.CreateStatement(ctx, session, code, admitStatement)
	if err != nil {
		t.Fatalf("create a statement of session %q: %v", session, err)
	}
	return st
}

func become(t *testing.T, s Sessions, st remora.Statement, path ...remora.StatementState) remora.Statement {
	t.Helper()
	for _, to := range path {
		var err error
		st, err = s.ChangeStatement(ctx, st.SessionID, st.ID, func(st *remora.Statement) error {
			st.State = to
			return nil
		})
		if err != nil {
			t.Fatalf("take statement %d of session %q to %s: %v", st.ID, st.SessionID, to, err)
		}
	}
	return st
}

// statementPaths lead from WAITING to each state.
var statementPaths = map[remora.StatementState][]remora.StatementState{
	remora.StatementWaiting:    nil,
	remora.StatementRunning:    {remora.StatementRunning},
	remora.StatementAvailable:  {remora.StatementRunning, remora.StatementAvailable},
	remora.StatementCancelling: {remora.StatementRunning, remora.StatementCancelling},
	remora.StatementCancelled:  {remora.StatementCancelled},
	remora.StatementErrored:    {remora.StatementErrored},
}

func closeSession(t *testing.T, s Sessions, id string) remora.Session {
	t.Helper()
	v, err := s.ChangeSession(ctx, id, func(v *remora.Session) error { v.Closed = true; return nil })
	if err != nil {
		t.Fatalf("close session %q: %v", id, err)
	}
	return v
}

// walkAll returns a whole listing in pages of n.
func walkAll[T any](t *testing.T, n int, list func(remora.Page) ([]T, remora.Cursor, error)) (all []T) {
	t.Helper()
	p := remora.Page{Limit: n}
	for {
		page, next, err := list(p)
		noError(t, err)
		all = append(all, page...)
		if next == "" {
			return all
		}
		if len(page) == 0 || len(page) > n || next == p.After {
			t.Fatalf("a page of %d entries that is not the last, limit %d, with the cursor %q after %q", len(page), n, next, p.After)
		}
		p.After = next
	}
}

func walkSessions(t *testing.T, s Sessions, tags map[string]string, n int) []remora.Session {
	t.Helper()
	return walkAll(t, n, func(p remora.Page) ([]remora.Session, remora.Cursor, error) { return s.ListSessions(ctx, tags, p) })
}

func walkStatements(t *testing.T, s Sessions, session string, n int) []remora.Statement {
	t.Helper()
	return walkAll(t, n, func(p remora.Page) ([]remora.Statement, remora.Cursor, error) {
		return s.ListStatements(ctx, session, p)
	})
}

// tagCount is the number of a session's tags.
func tagCount(t *testing.T, s Sessions, id string) int {
	t.Helper()
	tags, err := s.Tags(ctx, sessionARN(id))
	noError(t, err)
	return len(tags)
}
