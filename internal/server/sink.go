package server

import (
	"errors"
	"io"
	"strconv"
	"sync"

	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/logstore"
	"github.com/remora-project/remora/provider/supervise"
)

// OpenSink opens a log store for the supervisor of a cluster, which writes to it
// from a process of its own.
func OpenSink(dir string, streamLimit, totalLimit int64) (supervise.Sink, error) {
	store, err := logstore.Open(dir, logstore.Options{StreamBytes: streamLimit, TotalBytes: totalLimit})
	if err != nil {
		return nil, err
	}
	return &sink{store: store}, nil
}

// SupervisorCommand is the command that supervises a cluster, without its last
// argument.
func SupervisorCommand(program string, l config.Logs) []string {
	return append([]string{program, "supervise"},
		"--stream-limit", strconv.FormatInt(int64(l.StreamLimit), 10),
		"--total-limit", strconv.FormatInt(int64(l.TotalLimit), 10))
}

// sink gives out the store's line writers and closes them with itself.
type sink struct {
	store   *logstore.Store
	mu      sync.Mutex
	writers []io.Closer
}

func (s *sink) Writer(group, stream string) io.WriteCloser {
	w := logstore.NewWriter(s.store, group, stream, logstore.WriterOptions{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers = append(s.writers, w)
	return w
}

func (s *sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, w := range s.writers {
		errs = append(errs, w.Close())
	}
	return errors.Join(append(errs, s.store.Close())...)
}
