package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// errClosed is what a call finds after Close.
var errClosed = errors.New("the store is closed: Remora is shutting down")

// writer makes all changes, on one connection. What changes are asked for while
// a commit waits for the disk form one group: one SQLite transaction, and so
// one sync, with a savepoint for each so that one that fails takes back only
// its own work. A call returns when the commit of its group is on the disk; a
// group is never held open to wait for more.
//
// The transaction goes like a baton from the writer's goroutine to that of each
// caller in turn, so that callers' functions run, panic or exit where they
// belong.
type writer struct {
	conn    *sql.Conn
	faults  faults
	group   int // changes in a group, at most
	queue   chan *turn
	closing chan struct{}
	ended   chan struct{}

	prepared map[string]*sql.Stmt // belongs to whoever holds the baton
}

// maxGroup bounds how long the first of a group waits for the others' work.
const maxGroup = 64

// turn is a caller's place in the queue.
type turn struct {
	baton chan error // nil: the transaction is yours; else why it could not be begun
	back  chan error // nil: the transaction goes on; else why all of it is gone
	done  chan error // the outcome of the group's commit
}

func startWriter(db *sql.DB, f faults) (*writer, error) {
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, f.translate(err)
	}
	w := &writer{conn: conn, faults: f, group: maxGroup, prepared: make(map[string]*sql.Stmt),
		queue: make(chan *turn), closing: make(chan struct{}), ended: make(chan struct{})}
	go w.loop()
	return w, nil
}

// stop waits for the group under way. Call it once.
func (w *writer) stop() {
	close(w.closing)
	<-w.ended
	for _, s := range w.prepared {
		s.Close()
	}
	w.conn.Close()
}

// change runs do in a transaction and returns when that is durable, or with the
// error of do, or with that of the commit. If ctx ends before the change has
// its turn, nothing happens; afterwards the outcome is milliseconds away, and
// knowing it is worth more than leaving early.
func (w *writer) change(ctx context.Context, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return w.faults.translate(err)
	}
	t := &turn{baton: make(chan error), back: make(chan error), done: make(chan error, 1)}
	select {
	case w.queue <- t:
	case <-ctx.Done():
		return w.faults.translate(ctx.Err())
	case <-w.closing:
		return w.faults.translate(errClosed)
	}
	if err := <-t.baton; err != nil {
		return w.faults.translate(err)
	}
	failed := w.apply(t, do)
	// A refusal counts only once the state that it rests on is durable, too.
	if err := <-t.done; err != nil {
		return w.faults.translate(err)
	}
	return failed
}

// apply runs do within a savepoint and hands the baton back, whatever do does.
func (w *writer) apply(t *turn, do func(*tx) error) (err error) {
	x := &tx{w: w}
	kept := false
	defer func() {
		var gone error
		if !kept {
			gone = x.undo()
		}
		if gone != nil && err != nil {
			gone = err // the cause
		}
		t.back <- gone
	}()
	if err := x.exec("SAVEPOINT change"); err != nil {
		return err
	}
	if err := do(x); err != nil {
		return err
	}
	if err := x.exec("RELEASE change"); err != nil {
		return err
	}
	kept = true
	return nil
}

func (w *writer) loop() {
	defer close(w.ended)
	for {
		select {
		case t := <-w.queue:
			w.commit(t)
		case <-w.closing:
			return
		}
	}
}

// commit runs one transaction, for first and for whoever waits behind it.
func (w *writer) commit(first *turn) {
	x := &tx{w: w}
	if err := x.exec("BEGIN IMMEDIATE"); err != nil {
		first.baton <- err
		return
	}
	var members []*turn
	var err error
	for t := first; t != nil && err == nil; t = w.next(len(members), err) {
		members = append(members, t)
		t.baton <- nil
		err = <-t.back
	}
	if err == nil {
		err = x.exec("COMMIT")
	}
	if err != nil {
		x.exec("ROLLBACK") // fails if SQLite has done so by itself
	}
	for _, t := range members {
		t.done <- err
	}
}

// next returns who joins a group of n, if anyone is waiting.
func (w *writer) next(n int, err error) *turn {
	if n >= w.group || err != nil {
		return nil
	}
	select {
	case t := <-w.queue:
		return t
	default:
		return nil
	}
}

// tx is a change's view of the transaction. Its statements know no context:
// interrupting one would undo the whole group.
type tx struct{ w *writer }

func (x *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := x.w.prepared[query]; ok {
		return s, nil
	}
	s, err := x.w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		x.w.prepared[query] = s
	}
	return s, err
}

func (x *tx) exec(query string, args ...any) error {
	_, err := x.count(query, args...)
	return err
}

// count executes a statement and returns the number of rows that it changed.
func (x *tx) count(query string, args ...any) (int64, error) {
	s, err := x.stmt(query)
	if err != nil {
		return 0, x.w.faults.translate(err)
	}
	result, err := s.Exec(args...)
	if err != nil {
		return 0, x.w.faults.translate(err)
	}
	return result.RowsAffected()
}

// rows calls each for every row of the result.
func (x *tx) rows(each func(scanner) error, query string, args ...any) error {
	s, err := x.stmt(query)
	if err != nil {
		return x.w.faults.translate(err)
	}
	rows, err := s.Query(args...)
	if err != nil {
		return x.w.faults.translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return x.w.faults.translate(err)
		}
	}
	return x.w.faults.translate(rows.Err())
}

// first calls scan for the first row of the result, if there is one.
func (x *tx) first(scan func(scanner) error, query string, args ...any) (found bool, err error) {
	err = x.rows(func(row scanner) error {
		if found {
			return nil
		}
		found = true
		return scan(row)
	}, query, args...)
	return found, err
}

// undo takes back what was done since the savepoint. It fails where SQLite has
// undone the whole transaction by itself, as it does after a full disk: then
// there is no savepoint any more.
func (x *tx) undo() error {
	if err := x.exec("ROLLBACK TO change"); err != nil {
		return err
	}
	return x.exec("RELEASE change")
}
