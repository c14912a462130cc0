package logstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func batch(n int) []remora.LogEvent {
	events := make([]remora.LogEvent, n)
	for i := range events {
		events[i] = remora.LogEvent{Timestamp: time.Now(), Message: strings.Repeat("x", 100)}
	}
	return events
}

// BenchmarkAppend stores batches of lines; the figure is per line.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, events := open(b, "", Options{}), batch(n)
			b.SetBytes(100)
			for i := 0; i < b.N; i += n {
				put(b, s, "g", "s", events...)
			}
		})
	}
}

// BenchmarkWriter is what a producer pays for a line of 100 bytes.
func BenchmarkWriter(b *testing.B) {
	w := NewWriter(open(b, "", Options{}), "g", "s", WriterOptions{Stall: time.Minute})
	line := []byte(strings.Repeat("x", 100) + "\n")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		w.Write(line)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRead measures looks into a stream of 100 MB.
func BenchmarkRead(b *testing.B) {
	s := open(b, "", Options{})
	start := time.Now().Add(-time.Hour)
	for i := range 1000 {
		events := batch(1000)
		for j := range events {
			events[j].Timestamp = start.Add(time.Duration(i*1000+j) * time.Millisecond)
		}
		put(b, s, "g", "s", events...)
	}
	end, err := s.Read(b.Context(), remora.ReadQuery{Group: "g", Stream: "s", Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	middle := start.Add(500 * time.Second)
	for name, q := range map[string]remora.ReadQuery{
		"page-of-10000": {FromHead: true}, "newest-50": {Limit: 50}, "middle-by-time-50": {From: middle, FromHead: true, Limit: 50},
		"poll-at-end": {Token: end.Forward},
	} {
		b.Run(name, func(b *testing.B) {
			q.Group, q.Stream = "g", "s"
			for b.Loop() {
				if _, err := s.Read(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("filter-50", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.Filter(b.Context(), remora.FilterQuery{Group: "g", From: middle, Page: remora.Page{Limit: 50}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkFilterManyStreams asks a group of 2,000 streams for what is new.
func BenchmarkFilterManyStreams(b *testing.B) {
	s := open(b, "", Options{})
	for i := range 2000 {
		put(b, s, "g", fmt.Sprintf("stream-%d", i), batch(10)...)
	}
	from := time.Now().Add(time.Second)
	for b.Loop() {
		if _, _, err := s.Filter(b.Context(), remora.FilterQuery{Group: "g", From: from, Page: remora.Page{Limit: 50}}); err != nil {
			b.Fatal(err)
		}
	}
}
