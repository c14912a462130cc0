package logstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/remora-project/remora"
)

// names returns the names of the groups or streams in a directory, sorted; file
// is that of their records.
func (s *Store) names(dir, file string) ([]string, error) {
	d, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name, ok := decodeName(e)
		if !ok {
			r, err := readRecord(filepath.Join(dir, e, file))
			if errors.Is(err, os.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, err
			}
			name = r.Name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Groups implements remora.Logs. StoredBytes may be a few seconds old in a store
// that has many streams.
func (s *Store) Groups(_ context.Context, q remora.GroupQuery) ([]remora.LogGroup, remora.Cursor, error) {
	names, err := s.names(filepath.Join(s.dir, "groups"), "group.json")
	if err != nil {
		return nil, "", failed("Groups", s.dir, err)
	}
	var out []remora.LogGroup
	for _, name := range names {
		if !strings.HasPrefix(name, q.Prefix) || !strings.Contains(name, q.Contains) || name <= string(q.Page.After) {
			continue
		}
		if len(out) == limitOf(q.Page) {
			return out, remora.Cursor(out[len(out)-1].Name), nil
		}
		g, err := s.group("Groups", name)
		if remora.KindOf(err) == remora.NotFound && err != nil {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		bytes, err := s.sizes.of(s.groupPath(name))
		if err != nil {
			return nil, "", failed("Groups", name, err)
		}
		out = append(out, remora.LogGroup{Name: name, CreatedOn: g.CreatedOn, RetentionDays: g.RetentionDays, StoredBytes: bytes})
	}
	return out, "", nil
}

// Streams implements remora.Logs.
func (s *Store) Streams(_ context.Context, q remora.StreamQuery) ([]remora.LogStream, remora.Cursor, error) {
	const op = "Streams"
	if _, err := s.group(op, q.Group); err != nil {
		return nil, "", err
	}
	names, err := s.streamNames(op, q.Group, q.Prefix)
	if err != nil {
		return nil, "", err
	}
	// In the order asked for, a stream's rank is its time, if that counts, and its name.
	type ranked struct {
		ms   int64
		name string
	}
	order := func(a, b ranked) int {
		c := cmp.Or(cmp.Compare(a.ms, b.ms), strings.Compare(a.name, b.name))
		if q.Descending {
			return -c
		}
		return c
	}
	rank := make([]ranked, len(names))
	for i, name := range names {
		rank[i].name = name
		if q.ByTime {
			rank[i].ms = lastEvent(s.streamPath(q.Group, name)).last
		}
	}
	slices.SortFunc(rank, order)
	var after ranked
	if q.Page.After != "" {
		ms, name, ok := strings.Cut(string(q.Page.After), " ")
		var err error
		if after.ms, err = strconv.ParseInt(ms, 10, 64); err != nil || !ok {
			return nil, "", remora.Errorf(remora.InvalidPageToken, op, string(q.Page.After),
				"The specified nextToken is invalid: %q was not handed out by this store.", string(q.Page.After))
		}
		after.name = name
	}
	var out []remora.LogStream
	var last ranked
	for _, r := range rank {
		if q.Page.After != "" && order(r, after) <= 0 {
			continue
		}
		if len(out) == limitOf(q.Page) {
			return out, remora.Cursor(fmt.Sprintf("%d %s", last.ms, last.name)), nil
		}
		d, err := s.describe(q.Group, r.name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", failed(op, q.Group+":"+r.name, err)
		}
		out, last = append(out, d), r
	}
	return out, "", nil
}

// describe reads what Streams says of one stream.
func (s *Store) describe(group, name string) (remora.LogStream, error) {
	dir := s.streamPath(group, name)
	r, err := readRecord(filepath.Join(dir, "stream.json"))
	if err != nil {
		return remora.LogStream{}, err
	}
	w, err := newWalk(dir)
	if err != nil {
		return remora.LogStream{}, err
	}
	defer w.close()
	d := remora.LogStream{Name: name, CreatedOn: r.CreatedOn}
	for _, base := range w.bases {
		if fi, err := os.Stat(segmentPath(dir, base)); err == nil {
			d.Bytes += fi.Size()
		}
	}
	b, ok, err := w.next()
	if err != nil || !ok {
		return d, err
	}
	d.FirstEvent = time.UnixMilli(b.first).UTC()
	if h := lastEvent(dir); h.count > 0 {
		d.LastEvent, d.Ingested = time.UnixMilli(h.last).UTC(), time.UnixMilli(h.ingested).UTC()
	}
	return d, nil
}

// lastEvent returns the header of a stream's last block; the zero one if there
// is none, or the stream is gone.
func lastEvent(dir string) header {
	w, err := newWalk(dir)
	if err != nil {
		return header{}
	}
	defer w.close()
	w.seekEnd()
	b, _, _ := w.prev()
	return b.header
}

func limitOf(p remora.Page) int {
	if p.Limit <= 0 {
		return 50
	}
	return p.Limit
}

// sizeCache remembers how big groups are, each for twenty times as long as it
// took to find out: however many streams there are and however often one asks,
// it costs no more than a twentieth of one processor.
type sizeCache struct {
	mu    sync.Mutex
	known map[string]knownSize
}

type knownSize struct {
	bytes int64
	until time.Time
}

// cheap is how long a look may take without being remembered.
const cheap = 20 * time.Millisecond

func (c *sizeCache) of(dir string) (int64, error) {
	c.mu.Lock()
	k, ok := c.known[dir]
	c.mu.Unlock()
	start := time.Now()
	if ok && start.Before(k.until) {
		return k.bytes, nil
	}
	var bytes int64
	err := filepath.WalkDir(filepath.Join(dir, "streams"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".seg") {
			if fi, err := d.Info(); err == nil {
				bytes += fi.Size()
			}
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if took := time.Since(start); took > cheap && err == nil {
		c.mu.Lock()
		if c.known == nil {
			c.known = map[string]knownSize{}
		}
		c.known[dir] = knownSize{bytes, time.Now().Add(20 * took)}
		c.mu.Unlock()
	}
	return bytes, err
}

// forget makes the next look a fresh one: what was dropped is not to be seen.
func (c *sizeCache) forget() {
	c.mu.Lock()
	c.known = nil
	c.mu.Unlock()
}
