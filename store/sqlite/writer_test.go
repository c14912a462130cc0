package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/remora-project/remora"
)

// queued makes calls that all wait while one change is held, so that they form
// one group with it, and returns when all have ended.
func queued(t *testing.T, s *Store, calls ...func()) {
	t.Helper()
	var done sync.WaitGroup
	hold, held := make(chan struct{}), make(chan struct{})
	done.Go(func() {
		if _, err := s.CreateRun(ctx, aRun("held", "held"), func(int, int) (remora.RunState, error) {
			close(held)
			<-hold
			return remora.Starting, nil
		}); err != nil && remora.KindOf(err) != remora.Unavailable {
			t.Errorf("the change that was held: %v", err)
		}
	})
	<-held
	for _, call := range calls {
		done.Go(call)
		synctest.Wait() // it stands in the queue, behind the one before
	}
	close(hold)
	done.Wait()
}

func TestGroupIsOneCommitAndEachMemberItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh(t)
		mustCreate(t, s, "taken", "j")
		refusal := errors.New("refused")
		create := func(id string, admit func(int, int) (remora.RunState, error)) error {
			_, err := s.CreateRun(ctx, aRun(id, "j"), admit)
			return err
		}
		var calls []func()
		for i := range 10 {
			calls = append(calls, func() {
				if err := create(fmt.Sprint("good", i), admit); err != nil {
					t.Errorf("a good member: %v", err)
				}
			}, func() {
				refuse := func(int, int) (remora.RunState, error) { return "", refusal }
				if err := create(fmt.Sprint("refused", i), refuse); err != refusal {
					t.Errorf("a refused member got %v", err)
				}
			}, func() {
				if err := create("taken", admit); remora.KindOf(err) != remora.AlreadyExists {
					t.Errorf("a member that repeats an id got %v", err)
				}
			}, func() {
				defer func() {
					if recover() != "oh" {
						t.Error("the panic did not reach its caller")
					}
				}()
				create("panicked", func(int, int) (remora.RunState, error) { panic("oh") })
			}, func() {
				create("gone", func(int, int) (remora.RunState, error) { runtime.Goexit(); return "", nil })
				t.Error("a goroutine that exited went on")
			})
		}
		before := commits(t, s.path)
		queued(t, s, calls...)
		if n := commits(t, s.path) - before; n != 1 {
			t.Errorf("%d commits, want 1", n)
		}
		runs, _, err := s.ListRuns(ctx, "j", remora.Page{Limit: 100})
		if err != nil || len(runs) != 11 {
			t.Errorf("%d runs are stored (%v), want 10 good ones and the first", len(runs), err)
		}
	})
}

// A failure of the disk is everybody's: of a group that it hits, nothing is
// stored and nobody is told otherwise.
func TestGroupFailsTogetherWhenTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fresh(t)
		mustCreate(t, s, "first", "j")
		limitPages(t, s, pages(t, s)+8) // room for all but one
		var calls []func()
		for i := range 20 {
			r := aRun(fmt.Sprint("r", i), "j")
			if i == 10 {
				r.ErrorMessage = string(make([]byte, 1<<16)) // what does not fit
			}
			calls = append(calls, func() {
				_, err := s.CreateRun(ctx, r, admit)
				if i <= 10 {
					wantError(t, err, remora.Unavailable, "is full", s.path)
				}
			})
		}
		queued(t, s, calls...)
		runs, err := s.OpenRuns(ctx)
		if err != nil || len(runs) == 0 || runs[0].ID != "first" {
			t.Fatalf("after the failure: %d runs, error %v", len(runs), err)
		}
		for _, r := range runs[1:] {
			for i := range 11 {
				if r.ID == fmt.Sprint("r", i) || r.ID == "held" {
					t.Errorf("run %s was reported as failed and is stored", r.ID)
				}
			}
		}
		limitPages(t, s, 1<<30)
		mustCreate(t, s, "after", "j")
	})
}

func TestCommitsAreSynced(t *testing.T) {
	s := fresh(t)
	for query, want := range map[string]int{"PRAGMA synchronous": 2, "PRAGMA foreign_keys": 1, "PRAGMA mmap_size": 0} {
		var got int
		if err := s.writer.conn.QueryRowContext(ctx, query).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %d (%v), want %d", query, got, err, want)
		}
	}
	if _, err := s.read.db.ExecContext(ctx, "DELETE FROM runs"); err == nil {
		t.Error("a connection for reading can write")
	}
}

// commits counts the frames of the WAL that end a transaction: those that give
// the size of the database, see https://www.sqlite.org/fileformat2.html#walformat.
func commits(t *testing.T, path string) (n int) {
	t.Helper()
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const header, frame = 32, 24 + 4096
	for at := header; at+frame <= len(wal); at += frame {
		if binary.BigEndian.Uint32(wal[at+4:]) != 0 {
			n++
		}
	}
	return n
}

func pages(t *testing.T, s *Store) (n int) {
	t.Helper()
	if err := s.writer.conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// limitPages makes SQLite find the disk full when the file has n pages.
func limitPages(t *testing.T, s *Store, n int) {
	t.Helper()
	if _, err := s.writer.conn.ExecContext(ctx, fmt.Sprint("PRAGMA max_page_count = ", n)); err != nil {
		t.Fatal(err)
	}
}
