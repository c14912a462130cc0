// Package sqlite keeps jobs, runs, sessions and tags in one SQLite file.
//
// All changes go through one connection, see writer; reads have connections of
// their own and, in WAL mode, neither wait for a writer nor hold one up.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"github.com/remora-project/remora"
)

// Options of a store; the zero value is a good one.
type Options struct {
	Now remora.Clock // time.Now if nil
}

// Store is a remora.Store and a remora.SessionStore on a SQLite file.
//
// The functions that callers pass in (admit, change) run inside the write
// transaction, on the caller's own goroutine. While one runs, no other change
// is made: it must be quick and must not call the store.
type Store struct {
	path   string
	now    remora.Clock
	writer *writer
	read   *reader
	close  func() error
}

var (
	_ remora.Store        = (*Store)(nil)
	_ remora.SessionStore = (*Store)(nil)
)

// readers is how many reads run at the same time. A page of a listing takes
// well under a millisecond, so more would only hold more page caches.
const readers = 4

// Open opens the store in the file at path, which is created if it is not
// there, and brings its schema up to date. The folder must exist. The file and
// those that SQLite puts next to it (-wal, -shm) are readable by their owner
// only: runs carry arguments and arguments carry secrets.
//
// A file that is damaged where every start looks (header, length, schema) is
// refused. The whole of it is deliberately not checked: that reads every page,
// and makes a start of a millisecond take hundreds of times as long with
// 100,000 runs (BenchmarkOpen), more from a cold disk. After a crash there is
// nothing to find, for the WAL is made for crashes. Damage elsewhere is
// reported by the call that meets it.
func Open(path string, opts Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, remora.Unavailablef("open store", path, "find the folder of %s: %w", path, err)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := create(path); err != nil {
		return nil, err
	}
	s := &Store{path: path, now: opts.Now}
	f := faults{path: path}

	// synchronous=FULL syncs the WAL at each commit. NORMAL, which most programs
	// on WAL use, does so at checkpoints only: a power cut then takes back changes
	// that calls had reported as done.
	changes, err := sql.Open("sqlite", dsn(path, "synchronous(full)",
		"wal_autocheckpoint(1000)", "journal_size_limit(16777216)", "cache_size(-8192)"))
	if err != nil {
		return nil, f.translate(err)
	}
	changes.SetMaxOpenConns(1)
	if err := prepareFile(context.Background(), changes, f, opts.Now); err != nil {
		changes.Close()
		return nil, err
	}
	if s.writer, err = startWriter(changes, f); err != nil {
		changes.Close()
		return nil, err
	}
	reads, err := sql.Open("sqlite", dsn(path, "cache_size(-2048)", "query_only(1)"))
	if err != nil {
		s.writer.stop()
		changes.Close()
		return nil, f.translate(err)
	}
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)
	s.read = &reader{db: reads, faults: f, closing: s.writer.closing}

	// The writer closes last: the last connection to close moves the WAL into the
	// database, which query_only forbids the readers.
	s.close = sync.OnceValue(func() error {
		s.writer.stop()
		return f.translate(errors.Join(reads.Close(), changes.Close()))
	})
	return s, nil
}

// Close waits for the changes under way and closes the file. Calls made later
// fail. Idempotent.
func (s *Store) Close() error { return s.close() }

// lockTimeout is how long another process may keep the file locked.
const lockTimeout = 5 * time.Second

// dsn names the file and what each connection to it sets. There is no mmap: it
// counts against the resident memory, and a disk error becomes a signal that
// ends the process where otherwise a call fails.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_dqs": {"0"}}
	busy := fmt.Sprintf("busy_timeout(%d)", lockTimeout.Milliseconds())
	for _, p := range append(pragmas, busy, "foreign_keys(1)", "mmap_size(0)", "temp_store(memory)") {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

// create makes an empty file, unless there is one. SQLite would do it with the
// rights that the umask leaves.
func create(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return remora.Unavailablef("open store", path, "create the database: %w", err)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return remora.Invalidf("open store", path, "%s is not a file", path)
	}
	return nil
}

// prepareFile makes the file ready for use, once it is known to be ours:
// nothing is done to another program's.
func prepareFile(ctx context.Context, db *sql.DB, f faults, now remora.Clock) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return f.translate(err)
	}
	defer conn.Close()
	if _, err := version(ctx, conn, f, migrations); err != nil {
		return f.translate(err)
	}
	if err := private(f.path); err != nil {
		return err
	}
	mode, err := toWAL(ctx, conn)
	if err != nil {
		return f.translate(err)
	}
	if mode != "wal" {
		return remora.Unavailablef("open store", f.path, "%s is on a file system without the shared memory "+
			"that SQLite's WAL needs (journal mode %q): put it on a local disk", f.path, mode)
	}
	return migrate(ctx, conn, f, migrations, now)
}

// toWAL switches the database to WAL and returns the journal mode that it has
// then. Where two processes open a new file at the same moment it asks for a
// lock while it holds one, and there SQLite fails at once instead of waiting.
func toWAL(ctx context.Context, conn *sql.Conn) (mode string, err error) {
	for end := time.Now().Add(lockTimeout); ; {
		err = conn.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(&mode)
		if !locked(err) || time.Now().After(end) {
			return mode, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// private takes group's and others' rights to the files. SQLite gives -wal and
// -shm the mode of the database when it makes them.
func private(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err == nil {
			err = os.Chmod(name, 0o600)
		}
		if err != nil {
			return remora.Unavailablef("open store", path, "make the database private: %w", err)
		}
	}
	return nil
}

// reader runs queries outside a transaction: each is one statement, which sees
// one state of the database.
type reader struct {
	db       *sql.DB
	faults   faults
	closing  <-chan struct{}
	prepared sync.Map // query text -> *sql.Stmt
}

// stmt returns the query prepared, once per connection, by database/sql.
func (r *reader) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := r.prepared.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, ok := r.prepared.LoadOrStore(query, s); ok {
		s.Close()
		return first.(*sql.Stmt), nil
	}
	return s, nil
}

// errEnough is what a function returns that needs no more rows.
var errEnough = errors.New("enough rows")

// rows calls each for every row of the result, or until it says errEnough.
func (r *reader) rows(ctx context.Context, each func(scanner) error, query string, args ...any) error {
	err := ctx.Err()
	if err == nil {
		err = r.query(ctx, each, query, args...)
	}
	select {
	case <-r.closing:
		if err != nil {
			err = errClosed
		}
	default:
	}
	return r.faults.translate(err)
}

func (r *reader) query(ctx context.Context, each func(scanner) error, query string, args ...any) error {
	s, err := r.stmt(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err == errEnough {
			return nil
		} else if err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanner is a row of a result.
type scanner interface{ Scan(dest ...any) error }
