package control

import (
	"context"
	"log/slog"
	"sync"
	"testing"

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
