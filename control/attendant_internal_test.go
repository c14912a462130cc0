package control

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/remora-project/remora"
)

// Who asks an attendant for news that is just being replaced by another one
// must not wait for ever.
func TestNewsOfAnAttendantThatHasLetGo(t *testing.T) {
	t.Parallel()
	c := NewSessions(SessionsConfig{Config: Config{Log: slog.Default()}})
	a := newAttendant(c, remora.Session{ID: "s"})
	before := a.watch()
	a.letGo()
	a.changed() // by a request that has held it since
	for _, news := range []<-chan struct{}{before, a.watch()} {
		select {
		case <-news:
		default:
			t.Error("there is nothing to wait for, and it is waited for")
		}
	}
}

// A request may meet a session whose attendant stores a change of it; the race
// detector looks on.
func TestCancelWhileTheSessionChanges(t *testing.T) {
	t.Parallel()
	c := NewSessions(SessionsConfig{Config: Config{Log: slog.Default()}, Store: stored{}})
	a := newAttendant(c, remora.Session{ID: "s"})
	var both sync.WaitGroup
	both.Go(func() {
		for range 1000 {
			a.cancel(t.Context(), 1)
		}
	})
	both.Go(func() {
		for range 1000 {
			a.change(t.Context(), func(*remora.Session) error { return nil })
		}
	})
	both.Wait()
}

// stored is a store that does nothing, and by that orders nothing.
type stored struct{ remora.SessionStore }

func (stored) ChangeSession(_ context.Context, id string, _ func(*remora.Session) error) (remora.Session, error) {
	return remora.Session{ID: id}, nil
}

func (stored) ChangeStatement(context.Context, string, int, func(*remora.Statement) error) (remora.Statement, error) {
	return remora.Statement{}, nil
}

// A session that has rested for a while when it is found again has that much
// less left.
func TestIdleTimeoutCountsWhatWasBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewSessions(SessionsConfig{Config: Config{Log: slog.Default()}, Store: waiting{}})
		a := newAttendant(c, remora.Session{ID: "s", Plan: remora.SessionPlan{Timeout: 48 * time.Hour, IdleTimeout: time.Hour}})
		rests := make(chan struct{}, 1)
		start := time.Now()
		a.idle = start.Add(-59 * time.Minute)
		rests <- struct{}{}
		end := a.wait(t.Context(), func() time.Duration { return 0 }, nil, nil, rests)
		if end.state != remora.SessionTimedOut || time.Since(start) != time.Minute {
			t.Errorf("after %s it ends as %s", time.Since(start), end.state)
		}
	})
}

// A statement that has been accepted as the idle time ends is run.
func TestIdleTimeoutMeetsAStatement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewSessions(SessionsConfig{Config: Config{Log: slog.Default()}, Store: waiting{statements: 1}})
		a := newAttendant(c, remora.Session{ID: "s", Plan: remora.SessionPlan{Timeout: 48 * time.Hour, IdleTimeout: time.Hour}})
		start := time.Now()
		a.idle = start
		end := a.wait(t.Context(), func() time.Duration { return 0 }, nil, nil, nil)
		if end.state != remora.SessionTimedOut || time.Since(start) != 48*time.Hour {
			t.Errorf("after %s it ends as %s", time.Since(start), end.state)
		}
	})
}

// waiting is a store of a session with so many statements that wait.
type waiting struct {
	remora.SessionStore
	statements int
}

func (w waiting) OpenStatements(context.Context, string) ([]remora.Statement, error) {
	return make([]remora.Statement, w.statements), nil
}
