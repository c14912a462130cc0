package control

import (
	"context"
	"log/slog"

	"github.com/remora-project/remora"
)

// adopt takes over a cluster that an earlier control plane started; failures
// other than NotFound are tried again for a while.
func (cfg Config) adopt(ctx context.Context, log *slog.Logger, h remora.Handle) (remora.Cluster, error) {
	for wait := firstWait; ; wait *= 2 {
		c, err := cfg.Provider.Adopt(ctx, h)
		if err == nil || remora.KindOf(err) == remora.NotFound || wait > longestWait {
			return c, err
		}
		log.Warn("cluster cannot be taken over yet", "err", err)
		if !pause(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

// remove ends a cluster that cannot be taken over. Its processes may be
// running: until they are gone the run or session stays open, or another one
// would run beside it. It reports false if ctx ended first.
func (cfg Config) remove(ctx context.Context, log *slog.Logger, h remora.Handle) bool {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := cfg.Provider.Remove(ctx, h)
		if err == nil {
			return true
		}
		log.Error("cluster that cannot be taken over cannot be removed either", "err", err)
		if !pause(ctx, wait) {
			return false
		}
	}
}

// takeDown ends a cluster. It reports false if ctx ended first.
func takeDown(ctx context.Context, log *slog.Logger, c remora.Cluster, tell func(line string)) bool {
	for wait := firstWait; ; wait *= 2 {
		err := c.Stop(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		log.Error("cluster could not be taken down", "err", err)
		if wait > 3*longestWait {
			tell("the cluster could not be taken down, something of it may be left: " + remora.MessageOf(err))
			return true
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}
