package logstore

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/remora-project/remora"
)

// maxOpenReads is up to how many streams Filter keeps its files open; beyond,
// each is opened again for each of its blocks.
const maxOpenReads = 128

// source is one stream of a merge. Until its block is loaded, place is that of
// the block's first event: a stream whose time has not come costs a header.
type source struct {
	stream string
	place  place
	walk   *walk
	block  block
	events []event // not yet merged
}

// merge is a heap of sources; the least event is on top.
type merge struct {
	sources []*source
	after   place // events up to and including this one are done
	begun   bool  // after is set
	window  window
	loaded  int64 // bytes of blocks
}

func (m *merge) Len() int           { return len(m.sources) }
func (m *merge) Less(i, j int) bool { return m.sources[i].place.less(m.sources[j].place) }
func (m *merge) Swap(i, j int)      { m.sources[i], m.sources[j] = m.sources[j], m.sources[i] }
func (m *merge) Push(x any)         { m.sources = append(m.sources, x.(*source)) }
func (m *merge) Pop() any {
	last := m.sources[len(m.sources)-1]
	m.sources = m.sources[:len(m.sources)-1]
	return last
}

// Filter implements remora.Logs. Events of one millisecond come in an order of
// their streams that is fixed, but not that of the names. A stream that is named
// in the query and is not there is NotFound.
func (s *Store) Filter(ctx context.Context, q remora.FilterQuery) ([]remora.LogEvent, remora.Cursor, error) {
	const op = "Filter"
	g, err := s.group(op, q.Group)
	if err != nil {
		return nil, "", err
	}
	m := &merge{window: newWindow(q.From, q.To, s.cutoff(g))}
	if q.Page.After != "" {
		if m.after, err = parseCursor(op, q.Page.After); err != nil {
			return nil, "", err
		}
		m.begun = true
	}
	names := slices.Compact(slices.Sorted(slices.Values(q.Streams)))
	if len(names) == 0 {
		if names, err = s.streamNames(op, q.Group, q.StreamPrefix); err != nil {
			return nil, "", err
		}
	}
	defer m.close()
	for _, name := range names {
		if err := s.addSource(m, op, q, name); err != nil {
			return nil, "", err
		}
	}
	heap.Init(m)
	return s.merged(ctx, m, q)
}

// addSource moves a stream to its first event that is not done and adds it to
// the merge, if it has one.
func (s *Store) addSource(m *merge, op string, q remora.FilterQuery, name string) error {
	w, err := s.walk(op, q.Group, name)
	if err != nil {
		if remora.KindOf(err) == remora.NotFound && len(q.Streams) == 0 {
			return nil // deleted since the names were read
		}
		return err
	}
	src := &source{stream: name, walk: w, place: place{key: streamKey(q.Group, name)}}
	from := m.window.from
	if m.begun {
		from = max(from, m.after.ms)
	}
	switch {
	case m.begun && src.place.key == m.after.key && m.after.ms >= m.window.from:
		err = w.seek(position{seq: m.after.seq + 1, off: -1})
	case m.begun && src.place.key < m.after.key && m.after.ms >= m.window.from:
		err = w.seekTime(m.after.ms + 1)
	default:
		err = w.seekTime(from)
	}
	if err == nil {
		err = m.step(src)
	}
	if err != nil {
		w.close()
		return failed(op, q.Group+":"+name, err)
	}
	return nil
}

// step brings a source's next block into the merge, or closes the source at the
// end of its stream or of the window.
func (m *merge) step(src *source) error {
	b, ok, err := src.walk.next()
	if err != nil {
		return err
	}
	if !ok || b.first >= m.window.to {
		src.walk.close()
		return nil
	}
	src.block, src.place.ms, src.place.seq = b, b.first, b.seq
	m.Push(src)
	if len(m.sources) > maxOpenReads {
		src.walk.close()
	}
	return nil
}

// merged takes events off the heap until a bound is reached.
func (s *Store) merged(ctx context.Context, m *merge, q remora.FilterQuery) ([]remora.LogEvent, remora.Cursor, error) {
	limit := q.Page.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	var found []remora.LogEvent
	room, moved := s.opts.PageBytes, false
	for m.Len() > 0 {
		src := m.sources[0]
		if src.events == nil {
			if m.loaded > s.opts.ScanBytes && moved {
				return found, m.after.cursor(), nil
			}
			if err := ctx.Err(); err != nil {
				return nil, "", failed("Filter", q.Group, err)
			}
			if err := m.load(src); err != nil {
				return nil, "", failed("Filter", q.Group+":"+src.stream, err)
			}
			continue
		}
		e := src.events[0]
		if e.ms >= m.window.to {
			heap.Pop(m).(*source).walk.close()
			continue
		}
		if !m.begun || m.after.less(src.place) {
			if e.ms >= m.window.from && (q.Match == nil || q.Match(string(e.message))) {
				size := len(e.message) + eventOverhead
				if len(found) == limit || len(found) > 0 && size > room {
					return found, m.after.cursor(), nil
				}
				room -= size
				found = append(found, logEvent(src.stream, src.place.key, e))
			}
			m.after, m.begun, moved = src.place, true, true
		}
		if err := m.advance(src); err != nil {
			return nil, "", failed("Filter", q.Group+":"+src.stream, err)
		}
	}
	return found, "", nil
}

// load reads the block of the source on top.
func (m *merge) load(src *source) error {
	events, err := src.walk.load(src.block)
	if errors.Is(err, errTorn) {
		src.walk.giveUp(src.block)
		return m.nextBlock(src)
	}
	if err != nil {
		return err
	}
	m.loaded += src.block.size()
	src.events = events
	return nil
}

// advance moves the source on top to its next event.
func (m *merge) advance(src *source) error {
	src.events = src.events[1:]
	if len(src.events) == 0 {
		return m.nextBlock(src)
	}
	src.place.ms, src.place.seq = src.events[0].ms, src.events[0].seq
	heap.Fix(m, 0)
	return nil
}

// nextBlock takes the source off the top and adds it again with its next block.
func (m *merge) nextBlock(src *source) error {
	heap.Pop(m)
	src.events = nil
	n := m.Len()
	if err := m.step(src); err != nil {
		src.walk.close()
		return err
	}
	if m.Len() > n {
		heap.Fix(m, n)
	}
	return nil
}

func (m *merge) close() {
	for _, src := range m.sources {
		src.walk.close()
	}
}

// streamNames lists a group's streams that begin with prefix, by name.
func (s *Store) streamNames(op, group, prefix string) ([]string, error) {
	names, err := s.names(s.groupPath(group)+"/streams", "stream.json")
	if err != nil {
		return nil, failed(op, group, err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix) }), nil
}
