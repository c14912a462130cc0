package supervise

import (
	"context"
	"errors"
	"io/fs"
	"time"

	remora "github.com/remora-project/remora"
)

// Attach finds a cluster again. If its supervisor is gone, everything that is
// left of the cluster is removed but the records of drivers that ended; NotFound
// if there are none, for then nothing can be said about the cluster any more.
//
// A cluster that is being stopped is waited for. So is one that has an owner: it
// ends when the owner has ended, which the control plane that attaches knows of,
// though the supervisor may not yet.
func Attach(ctx context.Context, id, dir string) (*Cluster, error) {
	c := newCluster(id, dir)
	limit, ending := time.Now().Add(answerTimeout), false
	for {
		lock, err := tryLock(dir, true)
		if err == nil {
			defer lock.Close()
			if err := c.clearUp(); err != nil {
				return nil, err
			}
			return c, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			if err := c.removeRest(); err != nil {
				return nil, err
			}
			return nil, c.notFound()
		}
		if !errors.Is(err, errLocked) {
			return nil, ioError("take the cluster's lock", id, err)
		}
		answer, cancel := context.WithDeadline(ctx, limit)
		st, err := c.Status(answer)
		cancel()
		switch {
		case err == nil && !st.Ending && !st.Owned:
			return c, nil
		case err == nil && st.Ending && !ending:
			limit, ending = time.Now().Add(stopTimeout), true
		case ctx.Err() == nil && time.Now().After(limit):
			return nil, c.notAttached(st, err)
		}
		if err := pause(ctx, clientPoll); err != nil {
			return nil, err
		}
	}
}

// notAttached says why a supervisor that holds its lock was waited for in vain.
func (c *Cluster) notAttached(st Status, err error) error {
	const op = "supervise: attach"
	switch {
	case err != nil:
		return remora.Unavailablef(op, c.id, "the cluster's supervisor does not answer: %w", err)
	case st.Ending:
		return remora.Unavailablef(op, c.id, "the cluster is being stopped and has not ended within %v", stopTimeout)
	}
	return remora.Unavailablef(op, c.id, "the cluster belongs to a process that has not ended")
}

// clearUp does what a dead supervisor cannot; the lock is held.
func (c *Cluster) clearUp() error {
	if err := Sweep(c.id, c.dir); err != nil {
		return remora.Internalf("supervise: attach", c.id, "kill what is left of the cluster: %w", err)
	}
	for _, r := range readRecords(c.dir) {
		if r.Exit != nil {
			return keepRecordsOnly(c.dir)
		}
	}
	if err := removeClusterDir(c.dir); err != nil {
		return err
	}
	return c.notFound()
}

func (c *Cluster) notFound() error {
	return remora.NotFoundf("supervise: attach", c.id, "the cluster's processes are gone")
}
