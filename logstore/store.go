// Package logstore keeps log events in groups and streams on a directory that
// several processes read and write at the same time.
//
//	DIR/groups/GROUP/group.json                    when it was made, its retention
//	DIR/groups/GROUP/streams/STREAM/stream.json    when it was made
//	DIR/groups/GROUP/streams/STREAM/SEQ.seg        segments, see block.go
//	DIR/tmp/                                       groups and streams being made or deleted
//
// The directory is the only truth: whatever a process remembers, it checks
// against the files before it acts on it. A writer holds an flock on the
// stream's directory; readers take no lock. Groups and streams appear and
// disappear by rename(2), whole.
//
// There is no fsync: what Append accepted is in the kernel and survives the
// death of any process, but not a power cut.
package logstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/remora-project/remora"
)

// Options bound a store. The zero value of each field is its default.
type Options struct {
	// StreamBytes is what one stream keeps at most: its oldest segments go when
	// it grows beyond. 256 MiB; at least 1 MiB.
	StreamBytes int64
	// TotalBytes is what Sweep leaves in the whole store at most. 8 GiB.
	TotalBytes int64
	// SegmentBytes is the size at which a stream starts a new file. 4 MiB, and
	// never more than a quarter of StreamBytes.
	SegmentBytes int64
	// PageBytes bounds the messages in one answer of Read and Filter, each
	// counted with 26 bytes on top as CloudWatch does. 1 MiB.
	PageBytes int
	// ScanBytes bounds what one Filter looks through before it returns what it
	// has, perhaps nothing, and a cursor. 32 MiB.
	ScanBytes int64
	// Clock is for tests.
	Clock remora.Clock
}

// Store implements remora.Logs. It may be used by any number of goroutines, and
// any number of Stores in any number of processes may be open on one directory.
//
// Beyond the contract of remora.Logs: answers are bounded by Options.PageBytes
// as well as by their limit, an event that is stamped with the zero time gets
// the time of its arrival, and bytes that are not UTF-8 become U+FFFD.
type Store struct {
	dir   string
	opts  Options
	sizes sizeCache

	mu      sync.Mutex
	streams map[string]*stream // by path; open handles of writers
}

var _ remora.Logs = (*Store)(nil)

// Open opens the store on a directory, which is made if it is not there.
func Open(dir string, opts Options) (*Store, error) {
	if opts.StreamBytes <= 0 {
		opts.StreamBytes = 256 << 20
	}
	opts.StreamBytes = max(opts.StreamBytes, 1<<20)
	if opts.TotalBytes <= 0 {
		opts.TotalBytes = 8 << 30
	}
	if opts.SegmentBytes <= 0 {
		opts.SegmentBytes = 4 << 20
	}
	opts.SegmentBytes = min(opts.SegmentBytes, opts.StreamBytes/4)
	if opts.PageBytes <= 0 {
		opts.PageBytes = 1 << 20
	}
	if opts.ScanBytes <= 0 {
		opts.ScanBytes = 32 << 20
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	s := &Store{dir: dir, opts: opts, streams: map[string]*stream{}}
	for _, d := range []string{"groups", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, failed("logstore: open", dir, err)
		}
	}
	return s, nil
}

// Close lets go of the files that are held open for writing. A Store that is
// used after it opens them again.
func (s *Store) Close() error {
	s.mu.Lock()
	open := s.streams
	s.streams = map[string]*stream{}
	s.mu.Unlock()
	for _, st := range open {
		st.busy <- struct{}{}
		st.close()
		<-st.busy
	}
	return nil
}

// record is group.json and stream.json.
type record struct {
	Name          string    `json:"name"`
	CreatedOn     time.Time `json:"createdOn"`
	RetentionDays int       `json:"retentionDays,omitempty"`
}

func (s *Store) groupPath(group string) string {
	return filepath.Join(s.dir, "groups", encodeName(group))
}

func (s *Store) streamPath(group, stream string) string {
	return filepath.Join(s.groupPath(group), "streams", encodeName(stream))
}

// CreateGroup implements remora.Logs.
func (s *Store) CreateGroup(_ context.Context, name string) error {
	if err := checkName("CreateGroup", "log group", name); err != nil {
		return err
	}
	made, err := s.place(s.groupPath(name), "group.json", record{Name: name, CreatedOn: s.now()}, "streams")
	if err == nil && !made {
		return remora.Errorf(remora.AlreadyExists, "CreateGroup", name, "The specified log group already exists")
	}
	return failed("CreateGroup", name, err)
}

// CreateStream implements remora.Logs.
func (s *Store) CreateStream(_ context.Context, group, stream string) error {
	if err := checkName("CreateStream", "log stream", stream); err != nil {
		return err
	}
	if _, err := s.group("CreateStream", group); err != nil {
		return err
	}
	made, err := s.place(s.streamPath(group, stream), "stream.json", record{Name: stream, CreatedOn: s.now()})
	switch {
	case errors.Is(err, os.ErrNotExist):
		return noGroup("CreateStream", group)
	case err == nil && !made:
		return remora.Errorf(remora.AlreadyExists, "CreateStream", stream, "The specified log stream already exists")
	}
	return failed("CreateStream", stream, err)
}

// place makes a directory with a record in it appear at path, whole; made is
// false if there was one already.
func (s *Store) place(path, file string, r record, subdirs ...string) (made bool, err error) {
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "new-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp) // nothing is left to remove if it was moved
	for _, d := range subdirs {
		if err := os.Mkdir(filepath.Join(tmp, d), 0o700); err != nil {
			return false, err
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(filepath.Join(tmp, file), b, 0o600); err != nil {
		return false, err
	}
	err = syscall.Rename(tmp, path)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// DeleteGroup implements remora.Logs.
func (s *Store) DeleteGroup(_ context.Context, name string) error {
	if _, err := s.group("DeleteGroup", name); err != nil {
		return err
	}
	err := s.discard(s.groupPath(name))
	s.sizes.forget()
	if errors.Is(err, os.ErrNotExist) {
		return noGroup("DeleteGroup", name)
	}
	return failed("DeleteGroup", name, err)
}

// DeleteStream implements remora.Logs.
func (s *Store) DeleteStream(_ context.Context, group, stream string) error {
	if _, err := s.group("DeleteStream", group); err != nil {
		return err
	}
	err := s.discard(s.streamPath(group, stream))
	if errors.Is(err, os.ErrNotExist) {
		return noStream("DeleteStream", group, stream)
	}
	return failed("DeleteStream", stream, err)
}

// discard takes a directory out of sight with one rename and then removes it. A
// writer that is in the middle of an Append finishes in the removed directory;
// the next one sees that it is gone and makes a new one.
func (s *Store) discard(path string) error {
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "old-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	return os.Rename(path, filepath.Join(tmp, "x"))
}

// SetRetention implements remora.Logs.
func (s *Store) SetRetention(_ context.Context, group string, days int) error {
	if days < 0 {
		return remora.Invalidf("SetRetention", group, "retention of %d days: give 0 (for ever) or more", days)
	}
	g, err := s.group("SetRetention", group)
	if err != nil {
		return err
	}
	g.RetentionDays = days
	b, err := json.Marshal(g)
	if err != nil {
		return failed("SetRetention", group, err)
	}
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "group-")
	if err != nil {
		return failed("SetRetention", group, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.groupPath(group), "group.json"))
	}
	if errors.Is(err, os.ErrNotExist) {
		return noGroup("SetRetention", group)
	}
	return failed("SetRetention", group, err)
}

// group reads a group's record.
func (s *Store) group(op, name string) (record, error) {
	if err := checkName(op, "log group", name); err != nil {
		return record{}, err
	}
	r, err := readRecord(filepath.Join(s.groupPath(name), "group.json"))
	if errors.Is(err, os.ErrNotExist) {
		return r, noGroup(op, name)
	}
	return r, failed(op, name, err)
}

// cutoff is the time before which the group's events have expired, in ms.
func (s *Store) cutoff(g record) int64 {
	if g.RetentionDays == 0 {
		return 0
	}
	return s.opts.Clock().AddDate(0, 0, -g.RetentionDays).UnixMilli()
}

func (s *Store) now() time.Time { return s.opts.Clock().UTC() }

func readRecord(path string) (r record, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", path, err)
	}
	return r, nil
}
