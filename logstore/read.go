package logstore

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"

	"github.com/remora-project/remora"
)

// defaultLimit is how many events an answer has at most where no limit is given.
const defaultLimit = 10_000

// eventOverhead is what CloudWatch counts for an event beside its message.
const eventOverhead = 26

// reading is one Read on its way.
type reading struct {
	walk   *walk
	window window
	limit  int
	room   int // bytes
	found  []found
}

// found is an event and where it is.
type found struct {
	event
	at, after position
}

// Read implements remora.Logs.
func (s *Store) Read(_ context.Context, q remora.ReadQuery) (remora.LogPage, error) {
	const op = "Read"
	subject := q.Group + ":" + q.Stream
	direction, from := "b", position{seq: math.MaxUint64, off: -1}
	if q.FromHead {
		direction, from = "f", position{off: -1}
	}
	if q.Token != "" {
		var err error
		if direction, from, err = parseToken(op, q.Token); err != nil {
			return remora.LogPage{}, err
		}
	}
	g, err := s.group(op, q.Group)
	if err != nil {
		return remora.LogPage{}, err
	}
	w, err := s.walk(op, q.Group, q.Stream)
	if err != nil {
		return remora.LogPage{}, err
	}
	defer w.close()

	r := &reading{walk: w, window: newWindow(q.From, q.To, s.cutoff(g)), limit: q.Limit, room: s.opts.PageBytes}
	if r.limit <= 0 {
		r.limit = defaultLimit
	}
	var edge position // where the page is, if it has no events
	if direction == "f" {
		edge, err = r.forward(from)
	} else {
		edge, err = r.backward(from)
	}
	if err != nil {
		return remora.LogPage{}, failed(op, subject, err)
	}
	return page(q, r.found, edge), nil
}

func page(q remora.ReadQuery, events []found, edge position) remora.LogPage {
	if len(events) == 0 {
		// Events that were passed over because of the window are behind the token.
		p := remora.LogPage{Forward: edge.token("f"), Backward: edge.token("b")}
		switch _, at, _ := parseToken("", q.Token); {
		case q.Token == "":
		case q.Token[0] == 'b':
			p.Backward = q.Token
		case at.seq == edge.seq:
			p.Forward = q.Token
		}
		return p
	}
	p := remora.LogPage{
		Events:   make([]remora.LogEvent, len(events)),
		Forward:  events[len(events)-1].after.token("f"),
		Backward: events[0].at.token("b"),
	}
	key := streamKey(q.Group, q.Stream)
	for i, e := range events {
		p.Events[i] = logEvent(q.Stream, key, e.event)
	}
	return p
}

// walk begins a walk over a stream.
func (s *Store) walk(op, group, stream string) (*walk, error) {
	if err := checkName(op, "log stream", stream); err != nil {
		return nil, err
	}
	w, err := newWalk(s.streamPath(group, stream))
	if errors.Is(err, os.ErrNotExist) {
		return nil, noStream(op, group, stream)
	}
	return w, failed(op, group+":"+stream, err)
}

// take adds an event; false if the page has no room for it.
func (r *reading) take(b block, e event) bool {
	if len(r.found) == r.limit {
		return false
	}
	if size := len(e.message) + eventOverhead; len(r.found) > 0 && size > r.room {
		return false
	} else {
		r.room -= size
	}
	at := position{e.seq, b.base, b.off}
	after := position{e.seq + 1, b.base, b.off}
	if after.seq == b.end() {
		after.off += b.size()
	}
	r.found = append(r.found, found{e, at, after})
	return true
}

// forward collects events at and after p. edge is where it stopped.
func (r *reading) forward(p position) (edge position, err error) {
	w := r.walk
	if err := r.start(p); err != nil {
		return edge, err
	}
	for {
		b, ok, err := w.next()
		if err != nil {
			return edge, err
		}
		if !ok {
			return w.end(edge)
		}
		events, err := w.load(b)
		if errors.Is(err, errTorn) {
			w.giveUp(b)
			continue
		}
		if err != nil {
			return edge, err
		}
		for _, e := range events {
			edge = position{e.seq, b.base, b.off}
			if e.ms >= r.window.to {
				return edge, nil
			}
			if e.seq >= p.seq && e.ms >= r.window.from && !r.take(b, e) {
				return edge, nil
			}
		}
		edge = position{b.end(), b.base, b.off + b.size()}
	}
}

// start moves to the first block that has events both at or after p and in the
// window.
func (r *reading) start(p position) error {
	w := r.walk
	if p.seq == 0 {
		return w.seekTime(r.window.from)
	}
	if err := w.seek(p); err != nil {
		return err
	}
	b, ok, err := w.next()
	switch {
	case err != nil || !ok:
		return err
	case b.last < r.window.from:
		return w.seekTime(r.window.from)
	}
	w.at(slices.Index(w.bases, b.base), b.off)
	return nil
}

// backward collects events before p. edge is behind the newest of them or,
// where there is none, where that would be.
func (r *reading) backward(p position) (edge position, err error) {
	w := r.walk
	defer func() { slices.Reverse(r.found) }()
	b, ok, err := r.newest(p)
	if err != nil {
		return edge, err
	}
	if !ok {
		return w.end(edge)
	}
	edge = position{b.end(), b.base, b.off + b.size()}
	for ; ok; b, ok, err = w.prev() {
		if b.last < r.window.from {
			break
		}
		events, err := w.load(b)
		if errors.Is(err, errTorn) {
			continue
		}
		if err != nil {
			return edge, err
		}
		for _, e := range slices.Backward(events) {
			switch {
			case e.seq >= p.seq || e.ms >= r.window.to:
				edge = position{e.seq, b.base, b.off}
			case e.ms < r.window.from || !r.take(b, e):
				return edge, nil
			}
		}
	}
	return edge, err
}

// newest returns the block that has the newest event before p and the window's
// end, and moves to its beginning.
func (r *reading) newest(p position) (b block, ok bool, err error) {
	w := r.walk
	if p.seq < math.MaxUint64 {
		if err := w.seek(p); err != nil {
			return b, false, err
		}
		if b, ok, err = w.next(); err != nil { // it may have events before p, too
			return b, false, err
		}
		if b, ok, err = w.prev(); err != nil || !ok || b.first < r.window.to {
			return b, ok, err
		}
	}
	if r.window.to == math.MaxInt64 {
		w.seekEnd()
		return w.prev()
	}
	if err := w.seekTime(r.window.to); err != nil {
		return b, false, err
	}
	if _, _, err = w.next(); err != nil {
		return b, false, err
	}
	return w.prev()
}
