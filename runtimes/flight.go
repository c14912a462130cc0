package runtimes

import (
	"context"
	"sync"
)

// flight is a build that several callers wait for. It ends early when the last
// of them has gone.
type flight struct {
	cancel  context.CancelFunc
	waiting int           // guarded by Cache.mu
	done    chan struct{} // closed when the build is over and err is set
	err     error

	mu      sync.Mutex
	lines   []string
	changed chan struct{} // closed and replaced when there are more lines
}

// join waits for the build of key, starting it if there is none. Each caller
// gets all lines of progress from the first one on, in its own goroutine: a
// slow one holds up nobody.
func (c *Cache) join(ctx context.Context, key string, progress func(string),
	build func(ctx context.Context, emit func(string)) error) error {
	c.mu.Lock()
	f := c.flights[key]
	if f == nil {
		building, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{cancel: cancel, done: make(chan struct{}), changed: make(chan struct{})}
		c.flights[key] = f
		go func() {
			defer cancel()
			f.err = build(building, f.emit)
			c.mu.Lock()
			if c.flights[key] == f {
				delete(c.flights, key)
			}
			c.mu.Unlock()
			close(f.done)
		}()
	}
	f.waiting++
	c.mu.Unlock()

	err := f.follow(ctx, progress)
	c.mu.Lock()
	f.waiting--
	last := f.waiting == 0
	if last && c.flights[key] == f {
		// Whoever comes from now on starts anew; its build waits for the lock
		// until this one has cleared away.
		delete(c.flights, key)
	}
	c.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
	return err
}

func (f *flight) emit(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, line)
	close(f.changed)
	f.changed = make(chan struct{})
}

// follow passes lines on until the build is over or ctx ends.
func (f *flight) follow(ctx context.Context, progress func(string)) error {
	seen := 0
	for {
		f.mu.Lock()
		fresh, changed := f.lines[seen:], f.changed
		f.mu.Unlock()
		for _, line := range fresh {
			progress(line)
		}
		seen += len(fresh)
		if len(fresh) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-f.done:
			f.mu.Lock()
			rest := f.lines[seen:]
			f.mu.Unlock()
			for _, line := range rest {
				progress(line)
			}
			return f.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
