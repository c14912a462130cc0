package supervise

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	remora "github.com/remora-project/remora"
)

// Process is a driver; it implements remora.Process.
type Process struct {
	c  *Cluster
	id string

	mu   sync.Mutex
	exit *remora.Exit // once known; the cluster's directory may go after that
}

// Wait implements remora.Process.
func (p *Process) Wait(ctx context.Context) (remora.Exit, error) {
	r, err := p.final(ctx, "GET", "/end", nil)
	if err != nil {
		return remora.Exit{}, err
	}
	return *r.Exit, nil
}

// Stop implements remora.Process. A driver that is gone together with its
// supervisor has ended as well, so that is no error.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	_, err := p.final(ctx, "POST", "/stop", stopRequest{Grace: grace})
	if remora.KindOf(err) == remora.Unavailable && ctx.Err() == nil {
		return nil
	}
	return err
}

// Elapsed implements remora.Process.
func (p *Process) Elapsed(ctx context.Context) (time.Duration, error) {
	r, err := p.record(ctx)
	if err != nil {
		return 0, err
	}
	return r.elapsed(), nil
}

// final makes a call that answers when the driver has ended, and finds out what
// became of the driver if there is nobody to answer it.
func (p *Process) final(ctx context.Context, method, path string, in any) (Record, error) {
	for {
		if r, ok := p.known(); ok {
			return r, nil
		}
		var r Record
		err := p.c.call(ctx, method, driverPath(path, p.id), in, &r)
		if err == nil && r.Exit != nil {
			p.remember(r)
			return r, nil
		}
		var gone *goneError
		if err != nil && !errors.As(err, &gone) {
			return Record{}, err
		}
		r, locked, err := p.fromDisk()
		if !locked {
			return r, err
		}
		// It is on its way up or down.
		if err := pause(ctx, clientPoll); err != nil {
			return Record{}, err
		}
	}
}

// fromDisk reads how the driver ended, if there is no supervisor; locked if
// there is one. Of a driver whose end nobody saw nothing is left running.
func (p *Process) fromDisk() (r Record, locked bool, err error) {
	lock, err := tryLock(p.c.dir, false)
	if errors.Is(err, errLocked) {
		return Record{}, true, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, ioError("take the cluster's lock", p.c.id, err)
	}
	if lock != nil {
		defer lock.Close()
	}
	r, err = readRecord(p.c.dir, p.id)
	if err == nil && r.Exit != nil {
		p.remember(r)
		return r, false, nil
	}
	if err := Sweep(p.c.id, p.c.dir); err != nil {
		return Record{}, false, remora.Internalf("supervise: wait", p.id, "kill what is left of the cluster: %w", err)
	}
	return Record{}, false, remora.Unavailablef("supervise: wait", p.id,
		"the cluster is gone and nobody saw how the driver ended")
}

// record returns what is known now. NotFound if there is no such driver.
func (p *Process) record(ctx context.Context) (Record, error) {
	if r, ok := p.known(); ok {
		return r, nil
	}
	var r Record
	err := p.c.call(ctx, "GET", driverPath("", p.id), nil, &r)
	var gone *goneError
	if errors.As(err, &gone) {
		if r, err = readRecord(p.c.dir, p.id); errors.Is(err, fs.ErrNotExist) {
			return r, remora.NotFoundf("supervise: driver", p.id, "the cluster has ended, and no driver %q with it", p.id)
		} else if err != nil {
			return r, ioError("read the driver's record", p.id, err)
		}
	}
	if err == nil && r.Exit != nil {
		p.remember(r)
	}
	return r, err
}

func (p *Process) known() (Record, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Record{ID: p.id, Exit: p.exit}, p.exit != nil
}

func (p *Process) remember(r Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit = r.Exit
}
