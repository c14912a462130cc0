package logstore

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/remora-project/remora"
)

// Tokens of Read are "f" (on from the event, included) or "b" (back from it,
// excluded) and a position, cursors of Filter the last event that was looked
// at. Both have a constant size and mean events, not files: segments may be
// dropped meanwhile.

func (p position) token(direction string) string {
	return fmt.Sprintf("%s/%d/%d/%d", direction, p.seq, p.base, p.off)
}

func parseToken(op, token string) (direction string, p position, err error) {
	parts := strings.Split(token, "/")
	if len(parts) == 4 && (parts[0] == "f" || parts[0] == "b") {
		seq, err1 := strconv.ParseUint(parts[1], 10, 64)
		base, err2 := strconv.ParseUint(parts[2], 10, 64)
		off, err3 := strconv.ParseInt(parts[3], 10, 64)
		if err1 == nil && err2 == nil && err3 == nil {
			return parts[0], position{seq, base, off}, nil
		}
	}
	return "", p, remora.Errorf(remora.InvalidPageToken, op, token,
		"The specified nextToken is invalid: %q was not handed out by this store.", token)
}

// place is an event's rank in a group: Filter's order, and what its ids say.
type place struct {
	ms  int64
	key uint64 // streamKey
	seq uint64
}

func (p place) less(q place) bool {
	switch {
	case p.ms != q.ms:
		return p.ms < q.ms
	case p.key != q.key:
		return p.key < q.key
	default:
		return p.seq < q.seq
	}
}

// id is 56 digits, as many as CloudWatch's have; they sort like the events.
func (p place) id() string { return fmt.Sprintf("%016d%020d%020d", p.ms, p.key, p.seq) }

func (p place) cursor() remora.Cursor { return remora.Cursor(p.id()) }

func parseCursor(op string, c remora.Cursor) (p place, err error) {
	if len(c) == 56 {
		ms, err1 := strconv.ParseUint(string(c[:16]), 10, 63)
		key, err2 := strconv.ParseUint(string(c[16:36]), 10, 64)
		seq, err3 := strconv.ParseUint(string(c[36:]), 10, 64)
		if err1 == nil && err2 == nil && err3 == nil {
			return place{int64(ms), key, seq}, nil
		}
	}
	return p, remora.Errorf(remora.InvalidPageToken, op, string(c),
		"The specified nextToken is invalid: %q was not handed out by this store.", string(c))
}

// window is a span of time in ms, [from, to).
type window struct{ from, to int64 }

func newWindow(from, to time.Time, cutoff int64) window {
	w := window{from: max(0, cutoff), to: math.MaxInt64}
	if !from.IsZero() {
		w.from = max(w.from, ceilMilli(from))
	}
	if !to.IsZero() {
		w.to = ceilMilli(to)
	}
	return w
}

func (w window) has(ms int64) bool { return ms >= w.from && ms < w.to }

// ceilMilli is the first whole millisecond that is not before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return ms
}

func logEvent(stream string, key uint64, e event) remora.LogEvent {
	return remora.LogEvent{
		ID:        place{e.ms, key, e.seq}.id(),
		Stream:    stream,
		Timestamp: time.UnixMilli(e.ms).UTC(),
		Ingested:  time.UnixMilli(e.ingest).UTC(),
		Message:   string(e.message),
	}
}
