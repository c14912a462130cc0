package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment takes no more blocks once it is sealed: its file is read-only. The
// mode is set before the next segment is made, so where there is a later
// segment, everything before it is complete.
const (
	openMode   = 0o600
	sealedMode = 0o400
)

func segmentPath(dir string, base uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d.seg", base))
}

// segments returns the names of a stream's segments, oldest first.
func segments(dir string) ([]uint64, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	bases := make([]uint64, 0, len(names))
	for _, n := range names {
		if digits, ok := strings.CutSuffix(n, ".seg"); ok {
			if base, err := strconv.ParseUint(digits, 10, 64); err == nil {
				bases = append(bases, base)
			}
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// segment is an open file of blocks.
type segment struct {
	f    *os.File
	base uint64
	size int64 // when it was opened, or refreshed

	window    []byte // of the file, at windowOff: headers of small blocks lie close together
	windowOff int64
}

const windowBytes = 16 << 10

func openSegment(dir string, base uint64, flag int) (*segment, error) {
	f, err := os.OpenFile(segmentPath(dir, base), flag, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &segment{f: f, base: base, size: fi.Size()}, nil
}

func (s *segment) close() { s.f.Close() }

// bytes returns n bytes at off, which are valid until the next call; n is at
// most windowBytes. Short at the end of the file.
func (s *segment) bytes(off int64, n int) ([]byte, error) {
	if i := off - s.windowOff; i >= 0 && i+int64(n) <= int64(len(s.window)) {
		return s.window[i : i+int64(n)], nil
	}
	if s.window == nil {
		s.window = make([]byte, 0, windowBytes)
	}
	s.window, s.windowOff = s.window[:min(windowBytes, max(0, s.size-off))], off
	k, err := s.f.ReadAt(s.window, off)
	s.window = s.window[:k]
	if err != nil && err != io.EOF {
		return nil, err
	}
	return s.window[:min(k, n)], nil
}

// at returns the header of the block at off; errTorn if there is no whole block.
func (s *segment) at(off int64) (header, error) {
	b, err := s.bytes(off, headerBytes)
	if err != nil {
		return header{}, err
	}
	h, err := parseHeader(b, s.base, off)
	if err == nil && off+h.size() > s.size {
		err = errTorn
	}
	return h, err
}

// before returns the block that ends at end, and where it begins.
func (s *segment) before(end int64) (int64, header, error) {
	if end < headerBytes+trailerBytes {
		return 0, header{}, errTorn
	}
	var b [trailerBytes]byte
	if _, err := s.f.ReadAt(b[:], end-trailerBytes); err != nil {
		return 0, header{}, errors.Join(errTorn, err)
	}
	off := end - int64(binary.LittleEndian.Uint32(b[:]))
	if off < 0 {
		return 0, header{}, errTorn
	}
	h, err := s.at(off)
	if err == nil && off+h.size() != end {
		err = errTorn
	}
	return off, h, err
}

// events reads and checks the block at off.
func (s *segment) events(off int64, h header) ([]event, error) {
	b := make([]byte, h.payload+trailerBytes)
	if _, err := s.f.ReadAt(b, off+headerBytes); err != nil {
		if err == io.EOF {
			err = errTorn
		}
		return nil, err
	}
	payload, trailer := b[:h.payload], b[h.payload:]
	if int64(binary.LittleEndian.Uint32(trailer)) != h.size() {
		return nil, errTorn
	}
	return decodePayload(h, payload)
}

// tail finds where the whole blocks end: at the file's end, unless its last
// write was torn. The last block's payload is checked. h is the last block's
// header, at is where that begins; h.count is 0 if there is no block.
func (s *segment) tail() (end, at int64, h header, err error) {
	if off, h, err := s.before(s.size); err == nil {
		if _, err := s.events(off, h); err == nil {
			return s.size, off, h, nil
		}
	}
	return s.scan(0, header{})
}

// scan goes over the blocks from off on and checks each. h and what is returned
// are as in tail; h is the header of the block before off.
func (s *segment) scan(off int64, before header) (end, at int64, h header, err error) {
	h = before
	for {
		next, err := s.at(off)
		if err == nil {
			_, err = s.events(off, next)
		}
		if errors.Is(err, errTorn) {
			return off, at, h, nil
		}
		if err != nil {
			return 0, 0, h, err
		}
		at, h = off, next
		off += next.size()
	}
}
