package logstore

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

// TestKill kills a process that appends, over and over. What it had acknowledged
// must be there, in order, once; of the batch that it was at, all or nothing.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	acknowledged := make([]int, 12)
	for round := range acknowledged {
		cmd := child(t, "append", "DIR="+dir, fmt.Sprintf("WHO=%d", round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 20 + rand.IntN(500) {
			if !lines.Scan() {
				t.Fatal("the child ended by itself")
			}
		}
		cmd.Process.Kill()
		acknowledged[round], _ = strconv.Atoi(lines.Text())
		for lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acknowledged[round] = n
			}
		}
		cmd.Wait()
		if round%3 == 0 { // what a write that was cut short by the kill leaves
			tear(t, s.streamPath("g", "s"))
		}
	}
	put(t, s, "g", "s", remora.LogEvent{Message: fmt.Sprintf("%d 0", len(acknowledged))})
	round, n := 0, 0
	for _, e := range all(t, s, "g", "s") {
		who, number, _ := strings.Cut(e.Message, " ")
		if who != strconv.Itoa(round) {
			if n < acknowledged[round] {
				t.Fatalf("round %d: %d events, %d were acknowledged", round, n, acknowledged[round])
			}
			whole := 0
			for batch := 0; whole < n; batch++ {
				whole += 1 + batch%17
			}
			if whole != n {
				t.Fatalf("round %d ended with %d events, within a batch", round, n)
			}
			round, n = round+1, 0
		}
		if who != strconv.Itoa(round) || number != strconv.Itoa(n) {
			t.Fatalf("event %q where \"%d %d\" should be", e.Message, round, n)
		}
		n++
	}
	if round != len(acknowledged) {
		t.Fatalf("the log ends in round %d", round)
	}
}

// tear adds the first half of a block to a stream's newest segment.
func tear(t *testing.T, dir string) {
	t.Helper()
	bases, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	base := bases[len(bases)-1]
	f, err := os.OpenFile(segmentPath(dir, base), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	b := appendBlock(nil, base, end, base, 1, []int64{1, 2}, []string{"torn", strings.Repeat("torn", 20)})
	if _, err := f.Write(b[:len(b)/2]); err != nil {
		t.Fatal(err)
	}
}

// TestTornTail: readers stop before it, from wherever they come, and the next
// writer cuts it off.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	put(t, s, "g", "s", remora.LogEvent{Message: "one"}, remora.LogEvent{Message: "two"})
	p, err := s.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s", FromHead: true})
	if err != nil {
		t.Fatal(err)
	}
	tear(t, s.streamPath("g", "s"))
	for _, q := range []remora.ReadQuery{{FromHead: true}, {}} {
		q.Group, q.Stream = "g", "s"
		if got, err := s.Read(t.Context(), q); err != nil || len(got.Events) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	other := open(t, dir, Options{})
	put(t, other, "g", "s", remora.LogEvent{Message: "three"})
	put(t, s, "g", "s", remora.LogEvent{Message: "four"})
	got, err := s.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s", Token: p.Forward})
	if err != nil || strings.Join(messages(got.Events), " ") != "three four" {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestProcesses lets several processes and goroutines append to one stream.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{SegmentBytes: 16 << 10})
	const writers, batches = 4, 300
	failed := make(chan error, writers)
	for i := range writers {
		cmd := child(t, "append", "DIR="+dir, fmt.Sprintf("WHO=%d", i), fmt.Sprintf("LIMIT=%d", batches))
		go func() { failed <- cmd.Run() }()
	}
	for i := range batches {
		put(t, s, "g", "s", remora.LogEvent{Message: fmt.Sprintf("here %d", i)})
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	each := 0
	for batch := range batches {
		each += 1 + batch%17
	}
	next, last := map[string]int{}, ""
	for _, e := range all(t, s, "g", "s") {
		who, number, _ := strings.Cut(e.Message, " ")
		if number != strconv.Itoa(next[who]) || e.ID <= last {
			t.Fatalf("event %q with id %s after %s, where number %d should be", e.Message, e.ID, last, next[who])
		}
		next[who], last = next[who]+1, e.ID
	}
	for i := range writers {
		if next[strconv.Itoa(i)] != each {
			t.Fatalf("%v events, want %d of each process", next, each)
		}
	}
	if next["here"] != batches {
		t.Fatalf("%v events, want %d from here", next, batches)
	}
	if files, _ := filepath.Glob(filepath.Join(s.streamPath("g", "s"), "*.seg")); len(files) < 3 {
		t.Fatalf("%d segments: there was no rotation to test", len(files))
	}
}

// TestReadersDuringRotation follows a stream, and filters it, while segments are
// made and dropped.
func TestReadersDuringRotation(t *testing.T) {
	s := open(t, "", Options{SegmentBytes: 8 << 10, StreamBytes: 1 << 20})
	const events = 10_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; i < events; i += 50 {
			batch := make([]remora.LogEvent, 50)
			for j := range batch {
				batch[j].Message = fmt.Sprintf("%d %s", i+j, strings.Repeat("x", 100))
			}
			if err := s.Append(t.Context(), "g", "s", batch); err != nil {
				t.Error(err)
			}
		}
	}()
	follow := func(next func() []remora.LogEvent) (last, gaps int) {
		last = -1
		for last < events-1 && !t.Failed() {
			for _, e := range next() {
				n, _ := strconv.Atoi(strings.Fields(e.Message)[0])
				if n <= last {
					t.Errorf("event %d after %d", n, last)
				}
				if n > last+1 {
					gaps++
				}
				last = n
			}
		}
		return last, gaps
	}
	q := remora.ReadQuery{Group: "g", Stream: "s", FromHead: true, Limit: 700}
	_, gaps := follow(func() []remora.LogEvent {
		if err := s.Wait(t.Context(), "g", "s", q.Token); err != nil {
			t.Error(err)
		}
		p, err := s.Read(t.Context(), q)
		if err != nil {
			t.Error(err)
		}
		q.Token = p.Forward
		return p.Events
	})
	t.Logf("the follower was overtaken %d times", gaps)
	<-done
	got := all(t, s, "g", "s")
	if want := fmt.Sprintf("%d ", events-1); len(got) < 1000 || !strings.HasPrefix(got[len(got)-1].Message, want) {
		t.Fatalf("%d events are left", len(got))
	}
	f := remora.FilterQuery{Group: "g", Page: remora.Page{Limit: 700}}
	seen := 0
	for {
		found, next, err := s.Filter(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(found)
		if f.Page.After = next; next == "" {
			break
		}
	}
	if seen != len(got) {
		t.Fatalf("Filter found %d events, Read %d", seen, len(got))
	}
}
