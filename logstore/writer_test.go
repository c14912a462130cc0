package logstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

func TestLines(t *testing.T) {
	big := strings.Repeat("€", remora.MaxMessageBytes/3+10)
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"a\nb\r\n\nc", []string{"a", "b", "", "c"}},
		{"a\r\r\nb\n", []string{"a", "b"}},
		{"10%\r20%\r30%\ndone\n", []string{"30%", "done"}},
		{"\r 5%\r10%", []string{"10%"}},
		{"10%\r", []string{"10%"}},
		{"a\xffb\xc3\n", []string{"a\uFFFDb\uFFFD"}},
		{"\x00\x1b[31mred\n", []string{"\x00\x1b[31mred"}},
		{big + "\nx\n", []string{big[:remora.MaxMessageBytes/3*3], big[remora.MaxMessageBytes/3*3:], "x"}},
		{strings.Repeat("x", remora.MaxMessageBytes) + "\n", []string{strings.Repeat("x", remora.MaxMessageBytes)}},
	} {
		for _, step := range []int{1 << 20, 1, 2, 3, 7} {
			if step < 7 && len(c.in) > 1000 {
				continue
			}
			if got := cut(c.in, step, 0); !slices.Equal(got, c.want) {
				t.Errorf("%.40q in steps of %d gives %d lines: %.200q", c.in, step, len(got), got)
			}
		}
	}
	// A progress bar is seen to move, but not every time.
	if got := cut("0%\r1%\r2%\r3%\r4%\r5%\n", 3, 400*time.Millisecond); !slices.Equal(got, []string{"3%", "5%"}) {
		t.Errorf("a progress bar gives %q", got)
	}
}

// cut feeds text to lines in steps, each later than the one before by pace.
func cut(text string, step int, pace time.Duration) (out []string) {
	l := &lines{emit: func(s string, _ time.Time) { out = append(out, s) }}
	now := time.Unix(1, 0)
	for b := []byte(text); len(b) > 0; now = now.Add(pace) {
		n := min(step, len(b))
		l.write(b[:n], now)
		b = b[n:]
	}
	l.close(now)
	return out
}

// FuzzLines: however the bytes come, the lines are the same, valid and not too
// long.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\nc\rd\n\xff€"), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		want := cut(string(data), len(data)+1, 0)
		var got []string
		l := &lines{emit: func(s string, _ time.Time) { got = append(got, s) }}
		r := rand.New(rand.NewPCG(seed, 0))
		for rest := data; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			l.write(rest[:n], time.Unix(1, 0))
			rest = rest[n:]
		}
		l.close(time.Unix(1, 0))
		if !slices.Equal(got, want) {
			t.Fatalf("%q, at once %q", got, want)
		}
		for _, s := range got {
			if !utf8.ValidString(s) || len(s) > remora.MaxMessageBytes || strings.ContainsAny(s, "\n\r") {
				t.Fatalf("line %q", s)
			}
		}
	})
}

func TestWriterShowsPrompt(t *testing.T) {
	s := open(t, "", Options{})
	w := NewWriter(s, "g", "s", WriterOptions{Quiet: 20 * time.Millisecond, FlushEvery: time.Millisecond})
	fmt.Fprint(w, "first\nname? \xe2\x82") // an incomplete € at the end
	eventually(t, "the prompt is in the log", func() bool {
		streams, _, _ := s.Streams(t.Context(), remora.StreamQuery{Group: "g"})
		return len(streams) == 1 && len(all(t, s, "g", "s")) == 2
	})
	fmt.Fprint(w, "\xac ok\nlast")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := messages(all(t, s, "g", "s")); !slices.Equal(got, []string{"first", "name? ", "€ ok", "last"}) {
		t.Errorf("%q", got)
	}
	if err := w.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	_, err := w.Write([]byte("x"))
	wantKind(t, err, remora.WrongState)
}

func TestWriterStampsArrival(t *testing.T) {
	var mu sync.Mutex
	now := at(1000)
	s := open(t, "", Options{Clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	w := NewWriter(s, "g", "s", WriterOptions{FlushEvery: time.Hour})
	fmt.Fprintln(w, "early")
	mu.Lock()
	now = at(2000)
	mu.Unlock()
	fmt.Fprintln(w, "late")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := all(t, s, "g", "s")
	if len(got) != 2 || got[0].Timestamp != at(1000) || got[1].Timestamp != at(2000) {
		t.Errorf("%+v", got)
	}
}

// Test100MB prints as fast as it can; not a line may be missing.
func Test100MB(t *testing.T) {
	s := open(t, "", Options{})
	w := NewWriter(s, "g", "s", WriterOptions{Stall: time.Minute}) // however slow the machine is
	line := strings.Repeat("x", 391)
	const lines = 250_000
	start := time.Now()
	var b []byte
	for i := range lines {
		b = fmt.Appendf(b, "%08d%s\n", i, line)
		if len(b) > 8<<10 {
			w.Write(b)
			b = b[:0]
		}
	}
	w.Write(b)
	printed := time.Since(start)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("100 MB printed in %v, stored after %v", printed.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	n := 0
	q := remora.ReadQuery{Group: "g", Stream: "s", FromHead: true}
	for {
		p, err := s.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Events) == 0 {
			break
		}
		for _, e := range p.Events {
			if len(e.Message) != 399 || !strings.HasPrefix(e.Message, fmt.Sprintf("%08d", n)) {
				t.Fatalf("line %d is %q", n, e.Message)
			}
			n++
		}
		q.Token = p.Forward
	}
	if n != lines {
		t.Fatalf("%d lines are there", n)
	}
}
