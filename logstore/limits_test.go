package logstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// TestFileLimit runs into a limit of the kernel in the middle of a write.
func TestFileLimit(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, "file-limit", "DIR="+dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var accepted int
	var unavailable bool
	if _, err := fmt.Sscan(string(out), &accepted, &unavailable); err != nil || !unavailable || accepted == 0 {
		t.Fatalf("the child says %q", out)
	}
	s := open(t, dir, Options{})
	put(t, s, "g", "s", remora.LogEvent{Message: fmt.Sprintf("event %d", accepted)})
	for i, e := range all(t, s, "g", "s") {
		if want := fmt.Sprintf("event %d", i); e.Message != want {
			t.Fatalf("%q where %q should be", e.Message, want)
		}
		accepted--
	}
	if accepted != -1 {
		t.Fatalf("%d of the accepted events are missing", accepted+1)
	}
}

// tinyDisk mounts a file system of 256 KiB.
func tinyDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := tinyDisk(t)
	s := open(t, dir, Options{SegmentBytes: 64 << 10})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	add := func() error {
		err := s.Append(t.Context(), "g", "s", []remora.LogEvent{{Message: fmt.Sprintf("%d %s", accepted, strings.Repeat("x", 5000))}})
		if err == nil {
			accepted++
		}
		return err
	}
	var err error
	for err == nil {
		err = add()
	}
	wantKind(t, err, remora.Unavailable)
	if !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("the error does not say why: %v", err)
	}
	wantKind(t, s.CreateGroup(t.Context(), "other"), remora.Unavailable)
	if got := len(all(t, s, "g", "s")); got != accepted {
		t.Fatalf("%d events on the full disk, %d were accepted", got, accepted)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range all(t, s, "g", "s") {
		if !strings.HasPrefix(e.Message, fmt.Sprintf("%d ", i)) {
			t.Fatalf("event %.20q in place %d", e.Message, i)
		}
	}
	s.Close()
}

// TestWriterOnFullDisk: the producer goes on, and the log says what it lost.
func TestWriterOnFullDisk(t *testing.T) {
	dir := tinyDisk(t)
	s := open(t, dir, Options{SegmentBytes: 32 << 10})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 150<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	w := NewWriter(s, "g", "s", WriterOptions{BufferBytes: 20 << 10, FlushEvery: time.Millisecond, FlushBytes: 4 << 10,
		Stall: time.Minute})
	line := strings.Repeat("x", 990)
	const lines = 2000
	for i := range lines {
		if n, err := fmt.Fprintf(w, "%06d %s\n", i, line); err != nil || n != len(line)+8 {
			t.Fatal(n, err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the notice is in the log", func() bool {
		return strings.Contains(strings.Join(messages(all(t, s, "g", "s")), "\n"), "remora: ")
	})
	fmt.Fprintf(w, "%06d after\n", lines)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	kept, lost := 0, 0
	for _, m := range messages(all(t, s, "g", "s")) {
		if !strings.HasPrefix(m, "remora: ") {
			kept++
			continue
		}
		var n int
		if _, err := fmt.Sscanf(strings.ReplaceAll(m, ",", ""), "remora: %d lines lost: no space left on device", &n); err != nil {
			t.Errorf("notice %q: %v", m, err)
		}
		lost += n
	}
	if kept+lost != lines+1 || lost == 0 {
		t.Errorf("%d lines kept, %d lost, of %d", kept, lost, lines+1)
	}
	s.Close()
}

func TestStreamBound(t *testing.T) {
	o := Options{SegmentBytes: 64 << 10, StreamBytes: 1 << 20}
	s := open(t, "", o)
	var first remora.LogPage
	for i := range 3000 {
		put(t, s, "g", "s", remora.LogEvent{Timestamp: at(int64(i)), Message: fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000))})
		if i == 0 {
			first, _ = s.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s", FromHead: true})
		}
	}
	streams, _, err := s.Streams(t.Context(), remora.StreamQuery{Group: "g"})
	if err != nil || streams[0].Bytes > o.StreamBytes || streams[0].Bytes < o.StreamBytes*3/4 {
		t.Fatalf("%+v, %v", streams, err)
	}
	p, err := s.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s", Token: first.Forward})
	if err != nil || len(p.Events) == 0 || p.Events[0].Timestamp != streams[0].FirstEvent {
		t.Fatalf("reading on from a dropped event: %v", err)
	}
	if p, err = s.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s", Token: first.Backward}); err != nil || len(p.Events) > 0 {
		t.Fatalf("reading back from a dropped event: %d events, %v", len(p.Events), err)
	}
}

func TestRetention(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	s := open(t, "", Options{Clock: clock, SegmentBytes: 2000})
	if err := s.CreateGroup(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetRetention(t.Context(), "g", 7); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.SetRetention(t.Context(), "g", -1), remora.Invalid)
	for day := range 10 {
		put(t, s, "g", "s", remora.LogEvent{Timestamp: now.AddDate(0, 0, day-9), Message: strings.Repeat("x", 900)})
	}
	put(t, s, "g", "old", remora.LogEvent{Timestamp: now.AddDate(0, 0, -8), Message: "expired"})
	check := func(want int) {
		t.Helper()
		found, _, err := s.Filter(t.Context(), remora.FilterQuery{Group: "g"})
		if got := len(all(t, s, "g", "s")); got != want || err != nil || len(found) != want {
			t.Fatalf("%d events read, %d found, want %d, %v", got, len(found), want, err)
		}
	}
	check(8)
	before, _, _ := s.Groups(t.Context(), remora.GroupQuery{})
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(8)
	after, _, _ := s.Groups(t.Context(), remora.GroupQuery{})
	if after[0].StoredBytes >= before[0].StoredBytes || after[0].RetentionDays != 7 {
		t.Errorf("Sweep made %+v of %+v", after, before)
	}
	now = now.AddDate(0, 0, 30)
	check(0)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, _, _ = s.Groups(t.Context(), remora.GroupQuery{}); after[0].StoredBytes != 0 {
		t.Errorf("everything has expired, and there is %+v", after)
	}
	put(t, s, "g", "s", remora.LogEvent{Message: "new"})
	check(1)
}

func TestTotalBound(t *testing.T) {
	now := time.Now()
	s := open(t, "", Options{SegmentBytes: 10_000, TotalBytes: 100_000, Clock: func() time.Time { return now }})
	for i := range 30 {
		for range 5 {
			put(t, s, "g", fmt.Sprintf("%02d", i), remora.LogEvent{Message: strings.Repeat("x", 3000)})
		}
	}
	old := time.Now().Add(-2 * leftover)
	if err := os.MkdirAll(filepath.Join(s.dir, "tmp/old-1/x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(s.dir, "tmp/old-1"), old, old); err != nil {
		t.Fatal(err)
	}
	// Newest segments that are in use stay.
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	groups, _, _ := s.Groups(t.Context(), remora.GroupQuery{})
	if groups[0].StoredBytes <= 100_000 {
		t.Fatalf("%d bytes are left", groups[0].StoredBytes)
	}
	now = now.Add(time.Hour)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if groups, _, _ = s.Groups(t.Context(), remora.GroupQuery{}); groups[0].StoredBytes > 100_000 || groups[0].StoredBytes < 80_000 {
		t.Fatalf("%d bytes are left", groups[0].StoredBytes)
	}
	if len(all(t, s, "g", "00")) > 0 || len(all(t, s, "g", "29")) == 0 {
		t.Error("it was not the oldest that went")
	}
	put(t, s, "g", "00", remora.LogEvent{Message: "again"})
	if got := all(t, s, "g", "00"); len(got) != 1 {
		t.Errorf("%v", messages(got))
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "tmp")); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}
