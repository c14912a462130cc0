package runtimes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/flock"
)

// usedEnd ends the name of a key's mark of use: its time is that of the latest
// use, and a shared flock on it says that the key is in use now. It is never
// removed: somebody may be about to lock it.
const usedEnd = ".used"

func (c *Cache) usedPath(key string) string { return filepath.Join(c.dir, key+usedEnd) }

// grace protects what has just been handed out and is not locked yet, see
// remora.Runtime.Locks.
const grace = 10 * time.Minute

// use marks a key as used if check finds it whole. Prune either comes before
// and check does not find it, or after and sees the mark. On a read-only file
// system there are no marks, and no Prune.
func (c *Cache) use(key string, check func() error) error {
	f, err := c.mark(key)
	if err != nil {
		return check()
	}
	defer f.Close()
	if err := check(); err != nil {
		return err
	}
	now := time.Now()
	_ = os.Chtimes(f.Name(), now, now)
	return nil
}

// mark opens a key's mark with a shared lock.
func (c *Cache) mark(key string) (*os.File, error) {
	f, err := os.OpenFile(c.usedPath(key), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock.Shared(f); err != nil { // Prune and List keep the lock for a moment only
		f.Close()
		return nil, err
	}
	return f, nil
}

// Entry is what the cache keeps under one key.
type Entry struct {
	Key          string
	Kind         string   // "runtime", "overlay", or "layer" for Remora's own part of a runtime
	Runtime      string   // the name that it was first asked for by
	Requirements []string // of an overlay
	Bytes        int64    // files that are linked to uv's cache included
	LastUsed     time.Time
	InUse        bool // held by somebody
}

// List returns what is in the cache, least recently used first.
func (c *Cache) List(ctx context.Context) ([]Entry, error) {
	const op = "runtimes: list"
	found, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, remora.Unavailablef(op, c.dir, "list runtimes: %w", err)
	}
	var out []Entry
	for _, d := range found {
		if ctx.Err() != nil {
			return nil, remora.Unavailablef(op, c.dir, "list runtimes: %w", context.Cause(ctx))
		}
		if !d.IsDir() || strings.HasSuffix(d.Name(), staging) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(c.dir, d.Name(), manifestName))
		var m struct { // what the kinds' manifests have of it
			overlay
			Layer bool `json:"layer"`
		}
		if err != nil || json.Unmarshal(data, &m) != nil || m.Runtime == "" {
			continue // no environment: uv, or what another build is about to replace
		}
		e := Entry{Key: d.Name(), Kind: "runtime", Runtime: m.Runtime, Requirements: m.Requirements, Bytes: m.Bytes, LastUsed: m.BuiltAt}
		switch {
		case m.Overlay:
			e.Kind = "overlay"
		case m.Layer:
			e.Kind = "layer"
		}
		if info, err := os.Stat(c.usedPath(e.Key)); err == nil && info.ModTime().After(e.LastUsed) {
			e.LastUsed = info.ModTime()
		}
		if f, err := c.claim(e.Key, 0); err == nil {
			f.Close()
		} else {
			e.InUse = errors.Is(err, unix.EWOULDBLOCK)
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(a.LastUsed.Compare(b.LastUsed), cmp.Compare(a.Key, b.Key))
	})
	return out, nil
}

// claim locks a key's mark for one alone; EWOULDBLOCK if somebody holds it.
func (c *Cache) claim(key string, flag int) (*os.File, error) {
	f, err := os.OpenFile(c.usedPath(key), os.O_RDWR|flag, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// PruneOptions say what goes. A field that is zero removes nothing.
type PruneOptions struct {
	OlderThan time.Duration // what was last used so long ago
	MaxBytes  int64         // the least recently used, until the rest is no larger
}

// Prune removes what is not needed and returns it. What is held, was used
// within the last ten minutes, or is being built stays. What builds that were
// killed have left goes in any case.
func (c *Cache) Prune(ctx context.Context, opts PruneOptions) ([]Entry, error) {
	if err := sweep(c.dir, nil); err != nil {
		return nil, remora.Unavailablef("runtimes: prune", c.dir, "%w", err)
	}
	entries, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	var total int64
	for _, e := range entries {
		total += e.Bytes
	}
	var removed []Entry
	for _, e := range entries {
		if ctx.Err() != nil {
			return removed, remora.Unavailablef("runtimes: prune", e.Key, "remove runtimes: %w", context.Cause(ctx))
		}
		old := opts.OlderThan > 0 && time.Since(e.LastUsed) >= opts.OlderThan
		if !old && (opts.MaxBytes <= 0 || total <= opts.MaxBytes) {
			continue
		}
		ok, err := c.remove(e)
		if err != nil {
			return removed, remora.Unavailablef("runtimes: prune", e.Key, "remove %s: %w", e.Key, err)
		}
		if ok {
			c.log.Info("runtimes: removed", "key", e.Key, "bytes", e.Bytes, "lastUsed", e.LastUsed)
			removed = append(removed, e)
			total -= e.Bytes
		}
	}
	return removed, nil
}

// remove removes an entry unless somebody builds, holds or has just used it.
func (c *Cache) remove(e Entry) (bool, error) {
	l, err := tryLock(c.dir, e.Key)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer l.release()
	f, err := c.claim(e.Key, os.O_CREATE)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	// Where there was no mark the claim has made one: next time.
	if min(time.Since(info.ModTime()), time.Since(e.LastUsed)) < grace || info.ModTime().After(e.LastUsed) {
		return false, nil
	}
	return true, l.discard(filepath.Join(c.dir, e.Key))
}
