package sqlite

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/remora-project/remora"
)

// childRole makes the test binary be one of the processes below.
const childRole = "REMORA_SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "writes":
		writeForEver(os.Args[1])
	case "keeps sessions":
		keepSessionsForEver(os.Args[1])
	case "fills":
		fillDisk(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

func child(role, arg string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], arg)
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// fatal ends a child.
func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// writeForEver makes changes from several goroutines and says which are done.
func writeForEver(path string) {
	s, err := Open(path, Options{})
	fatal(err)
	for range 4 {
		go func() {
			for {
				id := remora.NewRunID()
				_, err := s.CreateRun(ctx, aRun(id, "j"), admit)
				fatal(err)
				fmt.Println("created", id)
				_, err = s.ChangeRun(ctx, id, func(r *remora.Run) (*remora.Run, error) {
					next := aRun(remora.RetryID(id, 1), "j")
					next.State, r.State = remora.Starting, remora.Failed
					return &next, nil
				})
				fatal(err)
				fmt.Println("failed", id)
			}
		}()
	}
	select {}
}

func TestNothingReportedIsLostByKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remora.db")
	created, failed := make(map[string]bool), make(map[string]bool)
	killAgainAndAgain(t, "writes", path, func(word, id string) {
		switch word {
		case "created":
			created[id] = true
		case "failed":
			failed[id] = true
		}
	})

	s := open(t, path)
	stored := make(map[string]remora.RunState)
	p := remora.Page{Limit: 500}
	for {
		runs, next, err := s.ListRuns(ctx, "j", p)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			stored[r.ID] = r.State
		}
		if p.After = next; next == "" {
			break
		}
	}
	for id := range created {
		if stored[id] == "" {
			t.Errorf("run %s was reported as created and is lost", id)
		}
	}
	for id, state := range stored {
		retry := stored[remora.RetryID(id, 1)]
		if !strings.Contains(id, "_attempt_") && (state == remora.Failed) != (retry != "") {
			t.Errorf("run %s is %s and its successor is %q: half a change", id, state, retry)
		}
		if failed[id] && state != remora.Failed {
			t.Errorf("run %s was reported as failed and is %s", id, state)
		}
	}
	intact(t, s)
	t.Logf("%d runs and %d changes reported before 10 kills", len(created), len(failed))
}

// killAgainAndAgain starts ten children in turn, kills each after some lines, and
// calls reported for all that they wrote: a word and the rest of the line.
func killAgainAndAgain(t *testing.T, role, path string, reported func(word, rest string)) {
	t.Helper()
	for range 10 {
		cmd := child(role, path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for n, end := 0, 1+rand.IntN(400); ; n++ {
			if n == end {
				cmd.Process.Kill()
			}
			line, err := lines.ReadString('\n')
			if err == io.EOF {
				break // a line without its end does not count
			}
			if err != nil {
				t.Fatal(err)
			}
			word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			reported(word, rest)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the writing process ended otherwise than by SIGKILL: %v", err)
		}
	}
}

func intact(t *testing.T, s *Store) {
	t.Helper()
	var verdict string
	if err := s.read.db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %s (%v)", verdict, err)
	}
}

// A full file system, in a mount namespace of the child's own.
func TestFullDisk(t *testing.T) {
	cmd := child("fills", t.TempDir())
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	out, err := cmd.Output()
	if os.IsPermission(err) || strings.HasPrefix(string(out), "no mount") {
		t.Skipf("cannot mount a small file system here: %v %s", err, out)
	}
	if err != nil {
		t.Fatalf("the process on a full disk failed: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func fillDisk(dir string) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fmt.Println("no mount:", err)
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		fmt.Println("no mount:", err)
		return
	}
	path, ballast := filepath.Join(dir, "remora.db"), filepath.Join(dir, "ballast")
	fatal(os.WriteFile(ballast, make([]byte, 300<<10), 0o600))
	s, err := Open(path, Options{})
	fatal(err)
	acknowledged := 0
	fill := func() error {
		for {
			if _, err := s.CreateRun(ctx, aRun(fmt.Sprint("r", acknowledged), "j"), admit); err != nil {
				return err
			}
			acknowledged++
		}
	}
	check := func(when string) {
		runs, err := s.OpenRuns(ctx)
		fatal(err)
		if len(runs) != acknowledged {
			fatal(fmt.Errorf("%s there are %d runs, %d were acknowledged", when, len(runs), acknowledged))
		}
	}
	err = fill()
	if remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), path) {
		fatal(fmt.Errorf("the error on a full disk does not say so: %w", err))
	}
	fmt.Printf("full after %d runs: %v\n", acknowledged, err)
	check("on the full disk")
	fatal(os.Remove(ballast))
	full := acknowledged
	if fill(); acknowledged == full {
		fatal(fmt.Errorf("after room returned no run could be stored"))
	}
	check("after room returned")
	fatal(s.Close())
	s, err = Open(path, Options{})
	fatal(err)
	check("after another start")
	fatal(s.Close())
	fmt.Printf("%d more after room returned\n", acknowledged-full)
}
