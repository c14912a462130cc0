package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/remora-project/remora"
)

// keepSessionsForEver takes sessions and statements through their lives, from
// several goroutines, and says what is done.
func keepSessionsForEver(path string) {
	s, err := Open(path, Options{})
	fatal(err)
	for range 4 {
		go func() {
			for round := 0; ; round++ {
				id := remora.NewRunID() // of the same length and as unlike any other
				fatal(s.CreateSession(ctx, aSession(id), id, map[string]string{"k": id}, admitSession))
				fmt.Println("created", id)
				for n := 1; n <= 3; n++ {
					_, err := s.CreateStatement(ctx, id, fmt.Sprint(n), admitStatement)
					fatal(err)
					fmt.Println("said", id, n)
					_, err = s.ChangeStatement(ctx, id, n, func(st *remora.Statement) error {
						st.State, st.Output = remora.StatementRunning, &remora.Output{Text: fmt.Sprint(n)}
						return nil
					})
					fatal(err)
					fmt.Println("ran", id, n)
				}
				_, err := s.ChangeSession(ctx, id, func(v *remora.Session) error {
					v.State, v.Closed = remora.SessionFailed, true
					return nil
				})
				fatal(err)
				fmt.Println("closed", id)
				if round%2 == 0 {
					fmt.Println("deleting", id)
					fatal(s.DeleteSession(ctx, id, id, deletable))
					fmt.Println("deleted", id)
				}
			}
		}()
	}
	select {}
}

func TestNothingReportedOfSessionsIsLostByKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	reports := make(map[string]map[string]bool) // word -> the rest of its lines
	killAgainAndAgain(t, "keeps sessions", path, func(word, rest string) {
		if reports[word] == nil {
			reports[word] = make(map[string]bool)
		}
		reports[word][rest] = true
	})
	s := open(t, path)
	for id := range reports["created"] {
		v, err := s.Session(ctx, id)
		switch kind := remora.KindOf(err); {
		case reports["deleted"][id] && (err == nil || kind != remora.NotFound):
			t.Errorf("session %s was reported as deleted and is there (%v)", id, err)
		case !reports["deleting"][id] && err != nil:
			t.Errorf("session %s was reported as created and is lost: %v", id, err)
		case err == nil && reports["closed"][id] && !(v.Closed && v.State == remora.SessionFailed):
			t.Errorf("session %s was reported as closed and is %s, closed: %v", id, v.State, v.Closed)
		}
		if err != nil {
			continue
		}
		statements, _, err := s.ListStatements(ctx, id, remora.Page{Limit: 9})
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 3; n++ {
			line, there := fmt.Sprint(id, " ", n), n <= len(statements)
			if !there {
				if reports["said"][line] {
					t.Errorf("statement %s was reported as stored and is lost", line)
				}
				continue
			}
			st := statements[n-1]
			ran := st.State == remora.StatementRunning
			if st.ID != n || st.Code != fmt.Sprint(n) || ran != (st.Output != nil && st.Output.Text == st.Code) {
				t.Errorf("statement %s is %+v", line, st)
			}
			if reports["ran"][line] && !ran {
				t.Errorf("statement %s was reported as running and is %s", line, st.State)
			}
		}
	}
	// A session, its tags and its statements come and go together.
	for what, query := range map[string]string{
		"sessions without their tags":   `SELECT count(*) FROM sessions WHERE arn NOT IN (SELECT arn FROM tags)`,
		"tags without their session":    `SELECT count(*) FROM tags WHERE arn NOT IN (SELECT arn FROM sessions)`,
		"statements without a session":  `SELECT count(*) FROM statements WHERE session NOT IN (SELECT seq FROM sessions)`,
		"sessions with missing numbers": `SELECT count(*) FROM (SELECT 1 FROM statements GROUP BY session HAVING max(id) <> count(*))`,
	} {
		var n int
		if err := s.read.db.QueryRowContext(ctx, query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d %s (%v)", n, what, err)
		}
	}
	intact(t, s)
	t.Logf("%d sessions, %d statements and %d deletions reported before 10 kills",
		len(reports["created"]), len(reports["said"]), len(reports["deleted"]))
}
