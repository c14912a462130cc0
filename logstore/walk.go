package logstore

import (
	"errors"
	"os"
	"slices"
	"sort"
)

// walk goes over a stream's blocks, from a position on or back from it. It
// takes no lock: a segment that is dropped under it is skipped, and a block
// that does not check ends its segment. Where a writer is in the middle of its
// write that is the end of the stream; the next walk sees more.
type walk struct {
	dir   string
	bases []uint64
	i     int      // the position's segment in bases
	seg   *segment // open, or nil
	off   int64    // the position in it; -1: its end
}

// block is where a block is, and its header.
type block struct {
	header
	base uint64
	off  int64
}

func newWalk(dir string) (*walk, error) {
	bases, err := segments(dir)
	return &walk{dir: dir, bases: bases}, err
}

// close lets go of the open file; the walk may go on after it.
func (w *walk) close() {
	if w.seg != nil {
		w.seg.close()
		w.seg = nil
	}
}

// at moves to an offset of a segment.
func (w *walk) at(i int, off int64) {
	if i != w.i {
		w.close()
	}
	w.i, w.off = i, off
}

// open makes w.seg the position's segment; false if that is gone.
func (w *walk) open() (bool, error) {
	if w.seg != nil && w.seg.base == w.bases[w.i] {
		return true, nil
	}
	w.close()
	seg, err := openSegment(w.dir, w.bases[w.i], os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	w.seg = seg
	return err == nil, err
}

// next returns the block at the position and moves behind it; ok is false at
// the end of the stream.
func (w *walk) next() (b block, ok bool, err error) {
	for w.i < len(w.bases) {
		there, err := w.open()
		if err != nil {
			return b, false, err
		}
		if there {
			h, err := w.seg.at(w.off)
			if err == nil {
				b = block{header: h, base: w.seg.base, off: w.off}
				w.off += h.size()
				return b, true, nil
			}
			if !errors.Is(err, errTorn) {
				return b, false, err
			}
		}
		if w.i == len(w.bases)-1 {
			break
		}
		w.at(w.i+1, 0)
	}
	return b, false, nil
}

// prev returns the block before the position and moves to its beginning; ok is
// false at the beginning of the stream.
func (w *walk) prev() (b block, ok bool, err error) {
	for w.i >= 0 && len(w.bases) > 0 {
		there, err := w.open()
		if err != nil {
			return b, false, err
		}
		if there {
			if w.off < 0 {
				if w.off, _, _, err = w.seg.tail(); err != nil {
					return b, false, err
				}
			}
			off, h, err := w.seg.before(w.off)
			if err == nil {
				w.off = off
				return block{header: h, base: w.seg.base, off: off}, true, nil
			}
			if !errors.Is(err, errTorn) {
				return b, false, err
			}
		}
		if w.i == 0 {
			break
		}
		w.at(w.i-1, -1)
	}
	return b, false, nil
}

// load returns a block's events; errTorn if it does not check, or is gone.
func (w *walk) load(b block) ([]event, error) {
	seg := w.seg
	if seg == nil || seg.base != b.base {
		var err error
		seg, err = openSegment(w.dir, b.base, os.O_RDONLY)
		if errors.Is(err, os.ErrNotExist) {
			return nil, errTorn
		}
		if err != nil {
			return nil, err
		}
		defer seg.close()
	}
	return seg.events(b.off, b.header)
}

// giveUp moves from a block that does not check to the next segment.
func (w *walk) giveUp(b block) { w.at(slices.Index(w.bases, b.base)+1, 0) }

// seekEnd moves behind the newest block.
func (w *walk) seekEnd() { w.at(max(0, len(w.bases)-1), -1) }

// end returns the position behind the newest block or, if there is none, where
// the stream goes on; known is returned if it is not zero.
func (w *walk) end(known position) (position, error) {
	if known.seq > 0 || len(w.bases) == 0 {
		return known, nil
	}
	w.seekEnd()
	b, ok, err := w.prev()
	if !ok {
		last := w.bases[len(w.bases)-1]
		return position{seq: last, base: last}, err
	}
	return position{b.end(), b.base, b.off + b.size()}, nil
}

// position is an event in a stream. Where it is to be found is a hint, which
// saves the search as long as the segment is there.
type position struct {
	seq  uint64
	base uint64
	off  int64 // of the event's block, or of the end of the last block before it
}

// seek moves to the block with the event at p or, where that is gone, to the
// oldest block after it.
func (w *walk) seek(p position) error {
	over := func(h header) bool { return h.end() <= p.seq }
	if i, ok := slices.BinarySearch(w.bases, p.base); ok && p.off >= 0 {
		w.at(i, p.off)
		there, err := w.open()
		if err != nil {
			return err
		}
		if there {
			h, err := w.seg.at(p.off)
			if err == nil && h.seq <= p.seq {
				return w.skip(over)
			}
			if _, h, err := w.seg.before(p.off); err == nil && h.end() <= p.seq {
				return w.skip(over)
			}
		}
	}
	i := sort.Search(len(w.bases), func(i int) bool { return w.bases[i] > p.seq })
	w.at(max(0, i-1), 0)
	return w.skip(over)
}

// nearEnd is how many blocks seekTime goes back from a stream's end before it
// searches: who polls asks for what is there.
const nearEnd = 8

// seekTime moves to the first block that has an event at or after ms.
func (w *walk) seekTime(ms int64) error {
	if ms <= 0 {
		w.at(0, 0)
		return nil
	}
	w.seekEnd()
	for range nearEnd {
		b, ok, err := w.prev()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if b.last < ms {
			w.at(slices.Index(w.bases, b.base), b.off+b.size())
			return nil
		}
	}
	var failure error
	// The first segment that begins at ms or later; the one before it may reach there.
	i := sort.Search(len(w.bases), func(i int) bool {
		for ; i < len(w.bases); i++ { // one without a block says nothing: ask the next
			w.at(i, 0)
			there, err := w.open()
			if err != nil {
				failure = err
			}
			if !there {
				continue
			}
			if h, err := w.seg.at(0); err == nil {
				return h.first >= ms
			}
		}
		return true
	})
	if failure != nil {
		return failure
	}
	w.at(max(0, i-1), 0)
	return w.skip(func(h header) bool { return h.last < ms })
}

// skip moves on over the blocks for which over holds.
func (w *walk) skip(over func(header) bool) error {
	for {
		b, ok, err := w.next()
		if err != nil || !ok {
			return err
		}
		if !over(b.header) {
			w.at(slices.Index(w.bases, b.base), b.off)
			return nil
		}
	}
}
