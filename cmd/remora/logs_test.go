package main_test

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/testenv"
	"github.com/remora-project/remora/logstore"
	"github.com/remora-project/remora/session"
	"github.com/remora-project/remora/store/sqlite"
)

// sessionID is one whose log is not in a stream of that name.
const sessionID = "a session: of *mine* é"

// openSession makes a session that the server knows of but does not drive, with
// one line in its log.
func openSession(t *testing.T, dir string) (change func(func(*remora.Session)), say func(string)) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := sqlite.Open(filepath.Join(dir, "remora.db"), sqlite.Options{})
	check(err)
	t.Cleanup(func() { store.Close() })
	logs, err := logstore.Open(filepath.Join(dir, "logs"), logstore.Options{})
	check(err)
	t.Cleanup(func() { logs.Close() })
	check(store.CreateSession(t.Context(), remora.Session{ID: sessionID, State: remora.SessionReady}, "arn", nil, func(int) error { return nil }))
	say = func(line string) {
		t.Helper()
		check(logs.Append(t.Context(), "/aws-glue/ray/sessions/script-log", session.LogStream(sessionID),
			[]remora.LogEvent{{Timestamp: time.Now(), Message: line}}))
	}
	say("first")
	return func(f func(*remora.Session)) {
		t.Helper()
		_, err := store.ChangeSession(t.Context(), sessionID, func(s *remora.Session) error { f(s); return nil })
		check(err)
	}, say
}

func TestLogsOfASession(t *testing.T) {
	dir := t.TempDir()
	s := testenv.Serve(t, dir, testenv.Environ(t))
	logs := func(args ...string) testenv.Result {
		t.Helper()
		return testenv.Run(t, s.Env, append([]string{"logs", "--data-dir", dir}, args...)...)
	}
	want(t, logs("none"), 1, "There is no job run and no session none.")
	change, say := openSession(t, dir)
	if r := want(t, logs(sessionID), 0); r.Stdout != "first\n" {
		t.Errorf("the log of a session that goes on is %q", r.Stdout)
	}

	follow := exec.Command(testenv.Remora(t), "logs", "--follow", "--data-dir", dir, sessionID)
	follow.Env = s.Env
	var errs bytes.Buffer
	follow.Stderr = &errs
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(testenv.Deadline, func() { follow.Process.Kill() }).Stop()
	lines := bufio.NewScanner(out)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("the next line is %q, want %q: %v", lines.Text(), want, lines.Err())
		}
	}
	next("first")
	say("second")
	next("second")
	change(func(s *remora.Session) { s.State, s.ErrorMessage = remora.SessionFailed, "its Python died" })
	say("of its end") // by what is left of its cluster
	next("of its end")
	say("last")
	change(func(s *remora.Session) { s.Closed = true })
	next("last")
	if lines.Scan() {
		t.Errorf("there is one more line, %q", lines.Text())
	}
	follow.Wait()
	want(t, testenv.Result{Code: follow.ProcessState.ExitCode(), Stderr: errs.String()}, 1, "remora: session "+sessionID+" FAILED: its Python died")
	want(t, logs("--group", "ray-gcs-logs", sessionID), 0)
}

// A session that was stopped has ended well.
func TestLogsOfAStoppedSession(t *testing.T) {
	dir := t.TempDir()
	s := testenv.Serve(t, dir, testenv.Environ(t))
	change, _ := openSession(t, dir)
	change(func(s *remora.Session) { s.State = remora.SessionStopping })
	change(func(s *remora.Session) { s.State, s.Closed = remora.SessionStopped, true })
	if r := want(t, testenv.Run(t, s.Env, "logs", "-f", "--data-dir", dir, sessionID), 0); r.Stdout != "first\n" {
		t.Errorf("the log is %q", r.Stdout)
	}
}
