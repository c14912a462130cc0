package supervise

import (
	"context"
	"log/slog"
	"os"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/flock"
)

// watchOwner ends the cluster when its owner has ended, however that was. A
// lease would not do: an owner that is stopped, by Ctrl-Z say, has not ended.
// Once the cluster has been assigned it has no owner, but a lease.
func (s *supervisor) watchOwner(ctx context.Context) (release func()) {
	f, err := os.Open(s.spec.Owner)
	if err != nil {
		s.log.Error("the cluster's owner cannot be watched; the cluster ends", "error", err)
		s.end(true)
		return func() {}
	}
	if s.spec.Logs == (remora.LogTarget{}) {
		go func() {
			select {
			case <-s.assigned:
				s.watchLease(ctx)
			case <-ctx.Done():
			}
		}()
	}
	go func() {
		if flock.Shared(f) != nil {
			return
		}
		s.mu.Lock()
		free := s.spec.Owner == ""
		s.mu.Unlock()
		if free {
			f.Close() // the next owner must not find it taken
			return
		}
		s.log.Info("the cluster's owner has ended")
		s.end(true)
	}()
	return func() { f.Close() }
}

// holdShared takes a shared flock on each file. One that cannot be had is no
// reason not to run: at worst what it protects is removed, and the cluster
// fails with a better message than ours.
func holdShared(paths []string, log *slog.Logger) (release func()) {
	var held []*os.File
	for _, path := range paths {
		f, err := os.Open(path)
		if err == nil {
			if err = flock.Shared(f); err != nil {
				f.Close()
			}
		}
		if err != nil {
			log.Warn("a lock of the runtime is not held", "path", path, "error", err)
			continue
		}
		held = append(held, f)
	}
	return func() {
		for _, f := range held {
			f.Close()
		}
	}
}
