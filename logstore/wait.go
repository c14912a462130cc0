package logstore

import (
	"context"
	"errors"
	"time"

	"github.com/remora-project/remora"
)

// waitPoll is how often Wait looks. A look is a handful of system calls; inotify
// would save them, but not work on every file system that a store may be on.
const waitPoll = 100 * time.Millisecond

// Wait returns when the stream has an event at or after a Forward token of Read,
// or with ctx's error. With an empty token it waits for the stream's first
// event, and for the stream itself if it is not there; with a token, a stream
// that has been deleted is NotFound.
func (s *Store) Wait(ctx context.Context, group, stream, token string) error {
	const op = "Wait"
	var p position
	if token != "" {
		var err error
		if _, p, err = parseToken(op, token); err != nil {
			return err
		}
	}
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	for {
		more, err := s.more(op, group, stream, p)
		if err != nil && (token != "" || remora.KindOf(err) != remora.NotFound) || more {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// more reports whether a stream has an event at or after p.
func (s *Store) more(op, group, stream string, p position) (bool, error) {
	if _, err := s.group(op, group); err != nil {
		return false, err
	}
	w, err := s.walk(op, group, stream)
	if err != nil {
		return false, err
	}
	defer w.close()
	if err := w.seek(p); err != nil {
		return false, failed(op, group+":"+stream, err)
	}
	b, ok, err := w.next()
	if err != nil || !ok {
		return false, failed(op, group+":"+stream, err)
	}
	_, err = w.load(b)
	if errors.Is(err, errTorn) {
		return false, nil
	}
	return err == nil, failed(op, group+":"+stream, err)
}
