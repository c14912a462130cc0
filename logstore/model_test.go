package logstore

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// model is what a store should answer, computed from everything that was put in.
type model map[string][]remora.LogEvent

func (m model) put(stream string, events []remora.LogEvent) {
	for _, e := range events {
		have := m[stream]
		if n := len(have); n > 0 && e.Timestamp.Before(have[n-1].Timestamp) {
			e.Timestamp = have[n-1].Timestamp
		}
		e.Stream = stream
		m[stream] = append(have, e)
	}
}

func inWindow(e remora.LogEvent, from, to time.Time) bool {
	return (from.IsZero() || !e.Timestamp.Before(from)) && (to.IsZero() || e.Timestamp.Before(to))
}

// filled returns a store of small segments and the model of the same events.
// Timestamps jump about, also back, and many are equal.
func filled(t *testing.T, r *rand.Rand) (*Store, model) {
	t.Helper()
	s, m := open(t, "", Options{SegmentBytes: int64(200 + r.IntN(4000)), PageBytes: 300 + r.IntN(5000), ScanBytes: 2000}), model{}
	ms := int64(1_700_000_000_000)
	for range 30 + r.IntN(200) {
		stream := fmt.Sprintf("stream/%d", r.IntN(5))
		events := make([]remora.LogEvent, 1+r.IntN(8))
		for i := range events {
			ms += int64(r.IntN(12)) - 3
			events[i] = remora.LogEvent{Timestamp: at(ms), Message: fmt.Sprintf("%d %s", ms, strings.Repeat("x", r.IntN(60)))}
		}
		put(t, s, "g", stream, events...)
		m.put(stream, events)
	}
	return s, m
}

// span is a random window, often open.
func span(r *rand.Rand) (from, to time.Time) {
	if r.IntN(3) > 0 {
		from = at(1_700_000_000_000 + int64(r.IntN(3000)) - 100).Add(time.Duration(r.IntN(2)) * time.Microsecond)
	}
	if r.IntN(3) > 0 {
		to = at(1_700_000_000_000 + int64(r.IntN(4000)) - 100).Add(time.Duration(r.IntN(2)) * time.Microsecond)
	}
	return from, to
}

func same(a, b []remora.LogEvent) bool {
	return slices.EqualFunc(a, b, func(a, b remora.LogEvent) bool {
		return a.Message == b.Message && a.Timestamp.Equal(b.Timestamp) && a.Stream == b.Stream
	})
}

func TestReadAgainstModel(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, m := filled(t, r)
		for stream, events := range m {
			for range 12 {
				q := remora.ReadQuery{Group: "g", Stream: stream, Limit: 1 + r.IntN(40), FromHead: r.IntN(2) == 0}
				q.From, q.To = span(r)
				var want []remora.LogEvent
				for _, e := range events {
					if inWindow(e, q.From, q.To) {
						want = append(want, e)
					}
				}
				got, steps := readAll(t, s, q)
				if !same(got, want) {
					t.Fatalf("seed %d, %+v: %d events in %d pages, want %d\n%v\n%v", seed, q, len(got), steps, len(want),
						messages(got), messages(want))
				}
				// And all the way back again, from the end.
				if q.FromHead && len(want) > 0 {
					back := q
					back.FromHead = false
					if got, _ := readAll(t, s, back); !same(got, want) {
						t.Fatalf("seed %d: backwards %v, want %v", seed, messages(got), messages(want))
					}
				}
			}
		}
	}
}

// readAll pages forward from the head, or backward from the end.
func readAll(t *testing.T, s *Store, q remora.ReadQuery) (out []remora.LogEvent, pages int) {
	t.Helper()
	for {
		p, err := s.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		if len(p.Events) > q.Limit {
			t.Fatalf("%d events in a page of %d", len(p.Events), q.Limit)
		}
		token := p.Forward
		if !q.FromHead {
			token = p.Backward
		}
		if len(p.Events) == 0 && (token == q.Token || pages > 1 || q.Token == "") {
			return out, pages
		}
		if q.FromHead {
			out = append(out, p.Events...)
			// The page before this one ends where it begins.
			back := q
			back.Token = p.Backward
			if prev, err := s.Read(t.Context(), back); err != nil || len(prev.Events) > 0 && prev.Events[len(prev.Events)-1].ID >= p.Events[0].ID {
				t.Fatalf("the page before %s: %v, %v", p.Events[0].ID, prev, err)
			}
		} else {
			out = append(slices.Clone(p.Events), out...)
		}
		q.Token = token
	}
}

func TestFilterAgainstModel(t *testing.T) {
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, m := filled(t, r)
		for range 12 {
			q := remora.FilterQuery{Group: "g", Page: remora.Page{Limit: 1 + r.IntN(50)}}
			q.From, q.To = span(r)
			streams := []string{}
			for stream := range m {
				streams = append(streams, stream)
			}
			slices.Sort(streams)
			switch r.IntN(3) {
			case 0:
				q.Streams = streams[:1+r.IntN(len(streams))]
				streams = q.Streams
			case 1:
				q.StreamPrefix = "stream/3"
				streams = slices.DeleteFunc(streams, func(n string) bool { return !strings.HasPrefix(n, q.StreamPrefix) })
			}
			if r.IntN(2) == 0 {
				q.Match = func(m string) bool { return strings.Contains(m, "7") }
			}
			var want []remora.LogEvent
			for _, stream := range streams {
				for _, e := range m[stream] {
					if inWindow(e, q.From, q.To) && (q.Match == nil || q.Match(e.Message)) {
						want = append(want, e)
					}
				}
			}
			slices.SortStableFunc(want, func(a, b remora.LogEvent) int {
				return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(streamKey("g", a.Stream), streamKey("g", b.Stream)))
			})
			var got []remora.LogEvent
			for pages := 0; ; pages++ {
				events, next, err := s.Filter(t.Context(), q)
				if err != nil || len(events) > q.Page.Limit || pages > 100_000 {
					t.Fatal(err, len(events), pages)
				}
				got = append(got, events...)
				if next == "" {
					break
				}
				q.Page.After = next
			}
			if !same(got, want) {
				t.Fatalf("seed %d, %+v: %d events, want %d\n%v\n%v", seed, q, len(got), len(want), messages(got), messages(want))
			}
			for i := 1; i < len(got); i++ {
				if got[i-1].ID >= got[i].ID {
					t.Fatalf("ids %s and %s are not in order", got[i-1].ID, got[i].ID)
				}
			}
		}
	}
}
