package logstore

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// idleAfter is how long nothing must have been written to a stream's newest
	// segment before Sweep takes it for ended.
	idleAfter = 10 * time.Minute
	// leftover is the age at which something in tmp/ has no owner any more.
	leftover = time.Hour
)

// sweptSegment is a segment as Sweep sees it.
type sweptSegment struct {
	group, stream string
	base          uint64
	newest        bool // of its stream
	size          int64
	written       time.Time
}

// Sweep drops what has expired under its group's retention and then, while the
// store is bigger than Options.TotalBytes, the segments that were written to the
// longest time ago; the newest one of a stream only if nothing was written to it
// for ten minutes. Streams stay, empty. It also removes what killed processes
// left half made. One process calls it every few minutes; two at a time do no harm.
func (s *Store) Sweep(ctx context.Context) error {
	defer s.sizes.forget()
	s.sweepTmp()
	groups, err := s.names(filepath.Join(s.dir, "groups"), "group.json")
	if err != nil {
		return failed("Sweep", s.dir, err)
	}
	var all []sweptSegment
	var total int64
	for _, group := range groups {
		g, err := s.group("Sweep", group)
		if err != nil {
			continue // deleted meanwhile
		}
		streams, err := s.streamNames("Sweep", group, "")
		if err != nil {
			return err
		}
		for _, stream := range streams {
			if err := ctx.Err(); err != nil {
				return failed("Sweep", group, err)
			}
			kept, err := s.sweepStream(ctx, group, stream, s.cutoff(g))
			if err != nil {
				return failed("Sweep", group+":"+stream, err)
			}
			for _, seg := range kept {
				total += seg.size
			}
			all = append(all, kept...)
		}
	}
	slices.SortFunc(all, func(a, b sweptSegment) int {
		return cmp.Or(a.written.Compare(b.written), cmp.Compare(a.base, b.base))
	})
	for _, seg := range all {
		if total <= s.opts.TotalBytes {
			break
		}
		if seg.newest && s.opts.Clock().Sub(seg.written) < idleAfter {
			continue
		}
		if err := s.drop(ctx, seg); err != nil {
			return failed("Sweep", seg.group+":"+seg.stream, err)
		}
		total -= seg.size
	}
	return nil
}

// sweepStream drops a stream's expired segments and returns the others.
func (s *Store) sweepStream(ctx context.Context, group, stream string, cutoff int64) ([]sweptSegment, error) {
	dir := s.streamPath(group, stream)
	bases, err := segments(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var kept []sweptSegment
	for i, base := range bases {
		fi, err := os.Stat(segmentPath(dir, base))
		if err != nil {
			continue
		}
		seg := sweptSegment{group: group, stream: stream, base: base, newest: i == len(bases)-1,
			size: fi.Size(), written: fi.ModTime()}
		if cutoff > 0 && seg.size > 0 {
			if h, err := lastBlock(dir, base); err == nil && h.last < cutoff {
				if err := s.drop(ctx, seg); err != nil {
					return nil, err
				}
				continue
			}
		}
		kept = append(kept, seg)
	}
	return kept, nil
}

// drop removes a segment, if it is still what it was. A stream's newest one is
// followed by an empty one first, so that sequence numbers go on.
func (s *Store) drop(ctx context.Context, seg sweptSegment) error {
	path := segmentPath(s.streamPath(seg.group, seg.stream), seg.base)
	if !seg.newest {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	if seg.size == 0 {
		return nil
	}
	err := s.write(ctx, seg.group, seg.stream, false, func(st *stream) error {
		fi, err := st.seg.f.Stat()
		if err != nil || st.seg.base != seg.base || fi.Size() != seg.size {
			return err // written to meanwhile
		}
		if err := st.seg.f.Chmod(sealedMode); err != nil {
			return err
		}
		if err := st.start(st.next); err != nil {
			return err
		}
		return os.Remove(path)
	})
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// sweepTmp removes what was being made or deleted when its process died.
func (s *Store) sweepTmp() {
	tmp := filepath.Join(s.dir, "tmp")
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return
	}
	for _, e := range entries {
		if fi, err := e.Info(); err == nil && time.Since(fi.ModTime()) > leftover {
			os.RemoveAll(filepath.Join(tmp, e.Name()))
		}
	}
}
