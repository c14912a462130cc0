package logstore

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"
)

// refresh brings a locked handle up to date with what other writers did, and
// cuts off what a killed one left half written.
func (st *stream) refresh(o Options) error {
	if st.seg != nil {
		fi, err := st.seg.f.Stat()
		if err != nil {
			return err
		}
		if fi.Mode().Perm() != sealedMode && fi.Sys().(*syscall.Stat_t).Nlink > 0 && fi.Size() >= st.end {
			st.seg.size, st.seg.window = fi.Size(), st.seg.window[:0]
			if fi.Size() == st.end {
				return nil
			}
			end, _, h, err := st.seg.scan(st.end, header{})
			if err != nil {
				return err
			}
			if h.count > 0 {
				st.next, st.last = h.end(), h.last
			}
			return st.cut(end)
		}
		st.release()
	}
	return st.load(o)
}

// load finds the newest segment and its end, and makes the first one.
func (st *stream) load(o Options) error {
	bases, err := segments(st.path)
	if err != nil {
		return gone(err)
	}
	if len(bases) == 0 {
		st.last = 0
		base, err := st.created()
		if err != nil {
			return err
		}
		return st.start(base)
	}
	if err := st.use(bases[len(bases)-1]); err != nil {
		return err
	}
	for i := len(bases) - 2; st.last == 0 && i >= 0; i-- { // the newest is still empty
		if h, err := lastBlock(st.path, bases[i]); err == nil {
			st.last = h.last
		}
	}
	fi, err := st.seg.f.Stat()
	if err == nil && fi.Mode().Perm() == sealedMode {
		return st.rotate(o, 0) // its writer died before it made the next one
	}
	return err
}

// use opens a segment for writing at its end.
func (st *stream) use(base uint64) error {
	seg, err := openSegment(st.path, base, os.O_RDWR)
	if errors.Is(err, os.ErrPermission) {
		seg, err = openSegment(st.path, base, os.O_RDONLY) // sealed
	}
	if err != nil {
		return gone(err)
	}
	end, _, h, err := seg.tail()
	if err != nil {
		seg.close()
		return err
	}
	st.seg, st.next, st.last = seg, base, 0
	if h.count > 0 {
		st.next, st.last = h.end(), h.last
	}
	return st.cut(end)
}

// start makes a new segment, which becomes the newest.
func (st *stream) start(base uint64) error {
	f, err := os.OpenFile(segmentPath(st.path, base), os.O_RDWR|os.O_CREATE, openMode)
	if err != nil {
		return gone(err)
	}
	st.release()
	st.seg, st.end, st.next = &segment{f: f, base: base}, 0, base
	return nil
}

// cut removes a torn tail.
func (st *stream) cut(end int64) error {
	st.end = end
	if st.seg.size == end {
		return nil
	}
	st.seg.size = end
	return st.seg.f.Truncate(end)
}

// append writes a batch to a locked, fresh handle. Whatever fails, the blocks
// that are there stay as they are.
func (st *stream) append(o Options, now int64, ms []int64, messages []string) error {
	for i, t := range ms {
		st.last = max(st.last, t)
		ms[i] = st.last
	}
	size := headerBytes + trailerBytes
	for _, m := range messages {
		size += len(m) + 2*binary.MaxVarintLen32
	}
	b := appendBlock(make([]byte, 0, size), st.seg.base, st.end, st.next, now, ms, messages)
	if st.end > 0 && st.end+int64(len(b)) > o.SegmentBytes {
		if err := st.rotate(o, int64(len(b))); err != nil {
			return err
		}
		b = appendBlock(b[:0], st.seg.base, st.end, st.next, now, ms, messages)
	}
	if _, err := st.seg.f.WriteAt(b, st.end); err != nil {
		// What got through is not a block. If it cannot be cut off now, the next
		// writer does it.
		return errors.Join(err, st.seg.f.Truncate(st.end))
	}
	st.end += int64(len(b))
	st.next += uint64(len(ms))
	return nil
}

// rotate seals the newest segment and makes the next one, after it has dropped
// the oldest ones that the stream has no room for beside a block of need bytes.
func (st *stream) rotate(o Options, need int64) error {
	if err := st.seg.f.Chmod(sealedMode); err != nil {
		return err
	}
	bases, err := segments(st.path)
	if err != nil {
		return gone(err)
	}
	sizes, total := make([]int64, len(bases)), max(need, o.SegmentBytes)
	for i, base := range bases {
		if fi, err := os.Stat(segmentPath(st.path, base)); err == nil {
			sizes[i] = fi.Size()
			total += sizes[i]
		}
	}
	for i := 0; i < len(bases) && total > o.StreamBytes; i++ {
		if err := os.Remove(segmentPath(st.path, bases[i])); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		total -= sizes[i]
	}
	return st.start(st.next)
}

// gone translates what a deleted directory looks like from within.
func gone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return errGone
	}
	return err
}

// lastBlock returns the header of a segment's last block; errTorn if it has none.
func lastBlock(dir string, base uint64) (header, error) {
	seg, err := openSegment(dir, base, os.O_RDONLY)
	if err != nil {
		return header{}, err
	}
	defer seg.close()
	_, _, h, err := seg.tail()
	if err == nil && h.count == 0 {
		err = errTorn
	}
	return h, err
}
