package logstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"a", ".", "..", ".a.b", "/aws-glue/ray/jobs/script-log", "a:b*c", "ß/日本", "%41", "~", "A~b",
		strings.Repeat("x", 512), strings.Repeat("/", 512), strings.Repeat("日", 512), strings.Repeat("y", 200)} {
		file := encodeName(name)
		if len(file) > 255 || strings.ContainsAny(file, "/\x00") || file[0] == '.' {
			t.Errorf("%q becomes the file name %q", name, file)
		}
		if got, ok := decodeName(file); ok && got != name {
			t.Errorf("%q becomes %q and then %q", name, file, got)
		}
		s := open(t, "", Options{})
		put(t, s, name, name, remora.LogEvent{Message: "m"})
		groups, _, err := s.Groups(t.Context(), remora.GroupQuery{Page: remora.Page{Limit: 10}})
		if err != nil || len(groups) != 1 || groups[0].Name != name {
			t.Errorf("%q: %v, %v", name, groups, err)
		}
		streams, _, err := s.Streams(t.Context(), remora.StreamQuery{Group: name, Page: remora.Page{Limit: 10}})
		if err != nil || len(streams) != 1 || streams[0].Name != name || len(all(t, s, name, name)) != 1 {
			t.Errorf("%q: %v, %v", name, streams, err)
		}
	}
	s := open(t, "", Options{})
	for _, name := range []string{"", strings.Repeat("x", 513), "a\x00", "\xff"} {
		wantKind(t, s.CreateGroup(t.Context(), name), remora.Invalid)
		wantKind(t, s.Append(t.Context(), "g", name, []remora.LogEvent{{Message: "m"}}), remora.Invalid)
	}
}

func TestGroupsAndStreams(t *testing.T) {
	s, ctx := open(t, "", Options{}), t.Context()
	wantKind(t, s.CreateStream(ctx, "g", "s"), remora.NotFound)
	wantKind(t, s.DeleteGroup(ctx, "g"), remora.NotFound)
	wantKind(t, s.SetRetention(ctx, "g", 1), remora.NotFound)
	_, err := s.Read(ctx, remora.ReadQuery{Group: "g", Stream: "s"})
	wantKind(t, err, remora.NotFound)
	if err := s.CreateGroup(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.CreateGroup(ctx, "g"), remora.AlreadyExists)
	wantKind(t, s.DeleteStream(ctx, "g", "s"), remora.NotFound)
	if err := s.CreateStream(ctx, "g", "s"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.CreateStream(ctx, "g", "s"), remora.AlreadyExists)
	_, err = s.Read(ctx, remora.ReadQuery{Group: "g", Stream: "other"})
	wantKind(t, err, remora.NotFound)
	_, _, err = s.Filter(ctx, remora.FilterQuery{Group: "g", Streams: []string{"other"}})
	wantKind(t, err, remora.NotFound)
	p, err := s.Read(ctx, remora.ReadQuery{Group: "g", Stream: "s"})
	if err != nil || len(p.Events) > 0 || p.Forward == "" || p.Backward == "" {
		t.Fatalf("an empty stream reads %+v, %v", p, err)
	}
	put(t, s, "g", "s", remora.LogEvent{Timestamp: at(5), Message: "m"})
	if p, err = s.Read(ctx, remora.ReadQuery{Group: "g", Stream: "s", Token: p.Forward}); err != nil || len(p.Events) != 1 {
		t.Fatalf("the token of the empty stream leads to %+v, %v", p, err)
	}
	for _, token := range []string{"x", "f/1/2", "f/a/b/c", "g/1/2/3", "f/-1/0/0"} {
		_, err = s.Read(ctx, remora.ReadQuery{Group: "g", Stream: "s", Token: token})
		wantKind(t, err, remora.InvalidPageToken)
	}
	for _, cursor := range []remora.Cursor{"x", remora.Cursor(strings.Repeat("x", 56))} {
		_, _, err = s.Filter(ctx, remora.FilterQuery{Group: "g", Page: remora.Page{After: cursor}})
		wantKind(t, err, remora.InvalidPageToken)
		_, _, err = s.Streams(ctx, remora.StreamQuery{Group: "g", Page: remora.Page{After: cursor}})
		wantKind(t, err, remora.InvalidPageToken)
	}
}

func TestListing(t *testing.T) {
	s, ctx := open(t, "", Options{}), t.Context()
	for i := range 7 {
		put(t, s, fmt.Sprintf("/a/%d", i), "s", remora.LogEvent{Message: "m"})
	}
	put(t, s, "/b", "early", remora.LogEvent{Timestamp: at(1), Message: "m"}, remora.LogEvent{Timestamp: at(9), Message: "m"})
	put(t, s, "/b", "late", remora.LogEvent{Timestamp: at(20), Message: "m"})
	put(t, s, "/b", "middle", remora.LogEvent{Timestamp: at(10), Message: "m"})
	if err := s.CreateStream(ctx, "/b", "empty"); err != nil {
		t.Fatal(err)
	}
	var names []string
	q := remora.GroupQuery{Prefix: "/a/", Page: remora.Page{Limit: 3}}
	for {
		groups, next, err := s.Groups(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			names = append(names, g.Name)
			if g.StoredBytes == 0 || g.CreatedOn.IsZero() {
				t.Errorf("%+v", g)
			}
		}
		if q.Page.After = next; next == "" {
			break
		}
	}
	if !slices.Equal(names, []string{"/a/0", "/a/1", "/a/2", "/a/3", "/a/4", "/a/5", "/a/6"}) {
		t.Errorf("groups %v", names)
	}
	if groups, _, _ := s.Groups(ctx, remora.GroupQuery{Contains: "5"}); len(groups) != 1 {
		t.Errorf("groups %v", groups)
	}
	for want, q := range map[string]remora.StreamQuery{
		"early empty late middle": {}, "middle late empty early": {Descending: true},
		"empty early middle late": {ByTime: true}, "late middle early empty": {ByTime: true, Descending: true},
		"early empty": {Prefix: "e"},
	} {
		q.Group, q.Page.Limit = "/b", 1
		var names []string
		for {
			streams, next, err := s.Streams(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range streams {
				names = append(names, d.Name)
				if d.Name == "early" && (d.FirstEvent != at(1) || d.LastEvent != at(9) || d.Ingested.IsZero() || d.Bytes == 0) {
					t.Errorf("%+v", d)
				}
				if d.Name == "empty" && (!d.FirstEvent.IsZero() || !d.LastEvent.IsZero()) {
					t.Errorf("%+v", d)
				}
			}
			if q.Page.After = next; next == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("streams %s, want %s", got, want)
		}
	}
}

func TestDeletedUnderWriters(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, Options{}), open(t, dir, Options{})
	put(t, a, "g", "s", remora.LogEvent{Message: "old"})
	p, err := a.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s", FromHead: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, drop := range []func() error{
		func() error { return b.DeleteStream(t.Context(), "g", "s") },
		func() error { return b.DeleteGroup(t.Context(), "g") },
	} {
		if err := drop(); err != nil {
			t.Fatal(err)
		}
		put(t, a, "g", "s", remora.LogEvent{Message: "new"})
		put(t, b, "g", "s", remora.LogEvent{Message: "newer"})
		got := all(t, b, "g", "s")
		if strings.Join(messages(got), " ") != "new newer" || got[0].ID == p.Events[0].ID {
			t.Fatalf("%d: after deletion: %+v", i, got)
		}
		next, err := a.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s", Token: p.Forward})
		if err != nil || len(next.Events) != 2 {
			t.Fatalf("a token of the deleted stream leads to %+v, %v", next, err)
		}
	}
	if left, _ := os.ReadDir(dir + "/tmp"); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

func TestTimestamps(t *testing.T) {
	now := at(1_000_000)
	dir := t.TempDir()
	clock := func() time.Time { return now }
	a, b := open(t, dir, Options{Clock: clock}), open(t, dir, Options{Clock: clock})
	put(t, a, "g", "s", remora.LogEvent{Message: "0"})
	now = now.Add(-time.Hour) // the clock goes back
	put(t, b, "g", "s", remora.LogEvent{Message: "1"}, remora.LogEvent{Timestamp: at(2_000_000), Message: "2"},
		remora.LogEvent{Timestamp: at(-5), Message: "3"})
	b.Close()
	put(t, a, "g", "s", remora.LogEvent{Timestamp: at(7), Message: "4"})
	want := []int64{1_000_000, 1_000_000, 2_000_000, 2_000_000, 2_000_000}
	for i, e := range all(t, a, "g", "s") {
		if e.Timestamp != at(want[i]) || e.Message != fmt.Sprint(i) {
			t.Errorf("event %q at %v, want %v", e.Message, e.Timestamp, at(want[i]))
		}
	}
	long := strings.Repeat("€", remora.MaxMessageBytes)
	put(t, a, "g", "long", remora.LogEvent{Message: long}, remora.LogEvent{Message: "a\xffb"})
	got := all(t, a, "g", "long")
	if n := len(got[0].Message); n > remora.MaxMessageBytes || n < remora.MaxMessageBytes-3 || got[1].Message != "a\uFFFDb" {
		t.Errorf("a message of %d bytes was cut to %d; %q", len(long), n, got[1].Message)
	}
	small := open(t, "", Options{StreamBytes: 1 << 20})
	wantKind(t, small.Append(t.Context(), "g", "s", make([]remora.LogEvent, 40_000)), remora.Invalid)
}

func TestWait(t *testing.T) {
	s := open(t, "", Options{})
	wait := func(token string) chan error {
		done := make(chan error, 1)
		go func() { done <- s.Wait(t.Context(), "g", "s", token) }()
		return done
	}
	done := wait("")
	put(t, s, "g", "s", remora.LogEvent{Message: "m"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p, err := s.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s"})
	if err != nil {
		t.Fatal(err)
	}
	done = wait(p.Forward)
	put(t, s, "g", "s", remora.LogEvent{Message: "m"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, _ = s.Read(t.Context(), remora.ReadQuery{Group: "g", Stream: "s"})
	if err := s.Wait(ctx, "g", "s", p.Forward); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := s.DeleteStream(t.Context(), "g", "s"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Wait(t.Context(), "g", "s", p.Forward), remora.NotFound)
}
