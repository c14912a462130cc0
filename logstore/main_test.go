package logstore

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// Some tests need other processes: this binary again, which finds what to do in
// its environment.
func TestMain(m *testing.M) {
	if job := os.Getenv("LOGSTORE_TEST_JOB"); job != "" {
		if err := jobs[job](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var jobs = map[string]func() error{
	// append writes numbered events, batch after batch, and acknowledges each
	// batch on standard output.
	"append": func() error {
		s, err := Open(os.Getenv("DIR"), Options{SegmentBytes: 16 << 10})
		if err != nil {
			return err
		}
		who, limit := os.Getenv("WHO"), 1<<30
		if n, err := strconv.Atoi(os.Getenv("LIMIT")); err == nil {
			limit = n
		}
		n := 0
		for batch := 0; batch < limit; batch++ {
			events := make([]remora.LogEvent, 1+batch%17)
			for i := range events {
				events[i].Message = fmt.Sprintf("%s %d", who, n)
				n++
			}
			if err := s.Append(context.Background(), "g", "s", events); err != nil {
				return err
			}
			fmt.Printf("%d\n", n)
		}
		return nil
	},
	// file-limit appends until no file may grow any more, and says how many
	// events it got acknowledged.
	"file-limit": func() error {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 5000, Max: 5000}); err != nil {
			return err
		}
		s, err := Open(os.Getenv("DIR"), Options{})
		if err != nil {
			return err
		}
		for n := 0; ; n++ {
			err := s.Append(context.Background(), "g", "s", []remora.LogEvent{{Message: fmt.Sprintf("event %d", n)}})
			if err != nil {
				fmt.Println(n, remora.KindOf(err) == remora.Unavailable)
				return nil
			}
		}
	},
}

// child starts this binary for a job.
func child(t *testing.T, job string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "LOGSTORE_TEST_JOB="+job), env...)
	cmd.Stderr = os.Stderr
	t.Cleanup(func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return cmd
}

// open opens a store on a directory, or on a new one.
func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func put(t testing.TB, s *Store, group, stream string, events ...remora.LogEvent) {
	t.Helper()
	if err := s.Append(t.Context(), group, stream, events); err != nil {
		t.Fatal(err)
	}
}

// all reads a stream from its head, page by page.
func all(t testing.TB, s *Store, group, stream string) []remora.LogEvent {
	t.Helper()
	var out []remora.LogEvent
	q := remora.ReadQuery{Group: group, Stream: stream, FromHead: true}
	for {
		p, err := s.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Events) == 0 {
			return out
		}
		out = append(out, p.Events...)
		q.Token = p.Forward
	}
}

func messages(events []remora.LogEvent) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.Message
	}
	return out
}

// wantKind fails unless err is of a kind.
func wantKind(t testing.TB, err error, kind remora.Kind) {
	t.Helper()
	if err == nil || remora.KindOf(err) != kind {
		t.Fatalf("error %v, want one of kind %q", err, kind)
	}
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute still not: %s", what)
		}
	}
}
