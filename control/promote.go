package control

import (
	"context"
	"time"

	"github.com/remora-project/remora"
)

// Promote starts waiting runs of a job while its limit allows it. It is called
// when a run ends and when the limit may have changed. If the store cannot say
// now, or ctx ends, it goes on asking after it has returned: a promotion that is
// forgotten leaves runs waiting for ever.
func (c *Runs) Promote(ctx context.Context, jobName string) {
	if err := c.promote(ctx, jobName); err != nil {
		c.promoteLater(jobName, err)
	}
}

// promoteLater goes on when the store can be reached again, which failed with
// err. It may have stored what it was told to and only not said so: then there
// are runs that nobody drives.
func (c *Runs) promoteLater(jobName string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(func() {
		for wait := firstWait; remora.KindOf(err) == remora.Unavailable; wait = min(2*wait, longestWait) {
			c.cfg.Log.Warn("waiting runs cannot be promoted yet", "job", jobName, "err", err)
			if !pause(c.ctx, wait) {
				return
			}
			if err = c.pickUp(jobName); err == nil {
				return
			}
		}
		c.cfg.Log.Error("waiting runs cannot be promoted", "job", jobName, "err", err)
	})
}

// pickUp drives whatever runs of a job are open.
func (c *Runs) pickUp(jobName string) error {
	open, err := c.cfg.Store.OpenRuns(c.ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.JobName == jobName && r.State != remora.Waiting {
			c.spawn(r)
		}
	}
	return c.promote(c.ctx, jobName)
}

func (c *Runs) promote(ctx context.Context, jobName string) error {
	for {
		limit := 1 // of a job that was deleted while runs waited: one after the other
		if j, err := c.cfg.Store.Job(ctx, jobName); err == nil {
			limit = j.MaxConcurrentRuns
		} else if remora.KindOf(err) != remora.NotFound {
			return err
		}
		r, ok, err := c.cfg.Store.PromoteRun(ctx, jobName, limit)
		if err != nil || !ok {
			return err
		}
		c.spawn(r)
	}
}

// What fails because of others is tried again after firstWait, then twice that,
// and so on.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 10 * time.Second
)

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
