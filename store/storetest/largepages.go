package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

// large are the sizes of entries in the order of a listing, in MiB, and
// largeSizes how many of them each page has: no more than 8 MiB, or one entry.
var (
	large      = []int{0, 5, 9, 0, 0}
	largeSizes = []int{2, 1, 2}
)

// largeText has so many MiB.
func largeText(size int) string { return strings.Repeat("0123456789abcdef", size<<16) }

func largeDocument(size int) json.RawMessage {
	return json.RawMessage(`"` + largeText(size) + `"`)
}

// wantLarge reads a listing in pages that would have room for all entries by
// their number, and checks where they end.
func wantLarge[T any](t *testing.T, ids []string, idOf func(T) string, list func(remora.Page) ([]T, remora.Cursor, error)) {
	t.Helper()
	var sizes []int
	var got []string
	walkAll(t, 1000, func(p remora.Page) ([]T, remora.Cursor, error) {
		page, next, err := list(p)
		sizes = append(sizes, len(page))
		for _, entry := range page {
			got = append(got, idOf(entry))
		}
		return page, next, err
	})
	if !slices.Equal(sizes, largeSizes) {
		t.Errorf("entries of %v MiB come in pages of %v, want %v", large, sizes, largeSizes)
	}
	same(t, got, ids)
}

func largePages(t *testing.T, s remora.Store) {
	var jobs, runs []string
	for i, size := range large {
		j, r := newJob(fmt.Sprint("j", i)), newRun("j")
		j.Document = largeDocument(size)
		noError(t, s.CreateJob(ctx, j, arnOf(j.Name), nil))
		jobs = append(jobs, j.Name)
		r.Document = largeDocument(large[len(large)-1-i]) // the newest comes first
		_, err := s.CreateRun(ctx, r, admitted)
		noError(t, err)
		runs = append([]string{r.ID}, runs...)
	}
	wantLarge(t, jobs, func(j remora.Job) string { return j.Name },
		func(p remora.Page) ([]remora.Job, remora.Cursor, error) { return s.ListJobs(ctx, nil, p) })
	wantLarge(t, runs, func(r remora.Run) string { return r.ID },
		func(p remora.Page) ([]remora.Run, remora.Cursor, error) { return s.ListRuns(ctx, "j", p) })
}

func sessionLargePages(t *testing.T, s Sessions) {
	var sessions, statements []string
	for i, size := range large {
		v := newSession(fmt.Sprint("s", i))
		v.Document = largeDocument(large[len(large)-1-i]) // the newest comes first
		noError(t, s.CreateSession(ctx, v, sessionARN(v.ID), nil, admitSession))
		sessions = append([]string{v.ID}, sessions...)
		st, err := s.ChangeStatement(ctx, "s0", addStatement(t, s, "s0", "").ID, func(st *remora.Statement) error {
			st.Output = &remora.Output{Result: largeText(size)}
			return nil
		})
		noError(t, err)
		statements = append(statements, fmt.Sprint(st.ID))
	}
	wantLarge(t, sessions, func(v remora.Session) string { return v.ID },
		func(p remora.Page) ([]remora.Session, remora.Cursor, error) { return s.ListSessions(ctx, nil, p) })
	wantLarge(t, statements, func(st remora.Statement) string { return fmt.Sprint(st.ID) },
		func(p remora.Page) ([]remora.Statement, remora.Cursor, error) { return s.ListStatements(ctx, "s0", p) })
}
