package logstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestBlockRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		n := 1 + r.IntN(20)
		ms, texts := make([]int64, n), make([]string, n)
		now := r.Int64N(1 << 50)
		for i := range ms {
			now += r.Int64N(1 << r.IntN(40))
			ms[i] = now
			b := make([]byte, r.IntN(300))
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			texts[i] = string(b)
		}
		base, off := r.Uint64N(1<<60), r.Int64N(1<<30)
		b := appendBlock(nil, base, off, base+7, 12345, ms, texts)
		h, err := parseHeader(b, base, off)
		if err != nil || h.size() != int64(len(b)) || h.count != uint32(n) || h.last != now {
			t.Fatal(h, err)
		}
		events, err := decodePayload(h, b[headerBytes:len(b)-trailerBytes])
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events {
			if e.ms != ms[i] || string(e.message) != texts[i] || e.seq != base+7+uint64(i) || e.ingest != 12345 {
				t.Fatalf("event %d came back as %+v", i, e)
			}
		}
		if _, err := parseHeader(b, base, off+1); !errors.Is(err, errTorn) {
			t.Fatal("a block passes for one at another place")
		}
		i := r.IntN(len(b) - trailerBytes)
		b[i] ^= 1 << r.IntN(8)
		h, err = parseHeader(b, base, off)
		if err == nil {
			_, err = decodePayload(h, b[headerBytes:len(b)-trailerBytes])
		}
		if !errors.Is(err, errTorn) {
			t.Fatalf("a flipped bit in byte %d went unnoticed", i)
		}
	}
}

// FuzzSegment reads any bytes as a segment, forwards and backwards. Where there
// is nothing broken before the end, both see the same blocks. (In the middle it
// can be only if the disk lost something; then neither gets past it.)
func FuzzSegment(f *testing.F) {
	b := appendBlock(nil, 1, 0, 1, 2, []int64{5, 6}, []string{"a", "bb"})
	b = appendBlock(b, 1, int64(len(b)), 3, 2, []int64{7}, []string{""})
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add(append(slices.Clone(b), make([]byte, 100)...))
	f.Add(bytes.Repeat([]byte("RLB1"), 40))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(segmentPath(dir, 1), data, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := newWalk(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		var forward, backward []int64
		reach := int64(0)
		for {
			b, ok, err := w.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if _, err := w.load(b); errors.Is(err, errTorn) {
				break
			}
			forward, reach = append(forward, b.off), b.off+b.size()
		}
		seg, err := openSegment(dir, 1, os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		defer seg.close()
		end, _, h, err := seg.tail()
		if err != nil || end > int64(len(data)) || end < reach || end == reach && (h.count > 0) != (len(forward) > 0) {
			t.Fatal(end, h, err)
		}
		w.at(0, end)
		for {
			b, ok, err := w.prev()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			backward = append(backward, b.off)
		}
		slices.Reverse(backward)
		if end == reach && !slices.Equal(forward, backward) {
			t.Fatalf("blocks at %v forwards, at %v backwards", forward, backward)
		}
	})
}

// FuzzDecode decodes any bytes as a payload with a right checksum.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 3, 0}, uint32(2), int64(3))
	f.Fuzz(func(t *testing.T, payload []byte, count uint32, last int64) {
		h := header{payload: uint32(len(payload)), payloadCRC: crc(payload), count: count, last: last}
		events, err := decodePayload(h, payload)
		if err == nil && (len(events) != int(count) || events[len(events)-1].ms != last) {
			t.Fatalf("%d events up to %d, want %d up to %d", len(events), events[len(events)-1].ms, count, last)
		}
	})
}
