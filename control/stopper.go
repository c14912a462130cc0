package control

import (
	"context"
	"sync"
)

// stopper is how a run or a session is asked to stop.
type stopper struct {
	once sync.Once
	stop chan struct{} // closed when it is
}

func newStopper() *stopper { return &stopper{stop: make(chan struct{})} }

func (s *stopper) askToStop() { s.once.Do(func() { close(s.stop) }) }

func (s *stopper) askedToStop() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// untilStopped returns a context that ends when it is asked to stop: what is
// not there yet need not be waited for.
func (s *stopper) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
