package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/remora-project/remora"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrations are this release's, in order.
var migrations = mustLoad(embedded)

// applicationID is set by the first migration.
const applicationID = 0x526D7261

// migration is one step of the schema: the file migrations/NNN.sql. Once
// released it never changes; a correction is a new one.
type migration struct {
	version int
	text    string
}

func (m migration) hash() string {
	sum := sha256.Sum256([]byte(m.text))
	return hex.EncodeToString(sum[:])
}

// mustLoad reads migrations/001.sql, 002.sql and so on, without a gap.
func mustLoad(files fs.FS) []migration {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		panic(fmt.Sprintf("sqlite: no migrations: %v", err))
	}
	var out []migration
	for i, name := range names { // sorted by name
		if want := fmt.Sprintf("%03d.sql", i+1); path.Base(name) != want {
			panic(fmt.Sprintf("sqlite: migration %s stands where %s belongs", name, want))
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(fmt.Sprintf("sqlite: read migration: %v", err))
		}
		out = append(out, migration{version: i + 1, text: string(text)})
	}
	return out
}

// migrate brings the database to the last of steps, each in a transaction of
// its own that also records it. It refuses a file that is not ours, that a
// newer release has migrated further, or whose schema came from other steps.
func migrate(ctx context.Context, conn *sql.Conn, f faults, steps []migration, now remora.Clock) error {
	for {
		done, err := step(ctx, conn, f, steps, now)
		if err != nil {
			return f.translate(err)
		}
		if done {
			return nil
		}
	}
}

// step applies the first step that is missing; done if none is. The check is
// made again under each step's lock, for another process may be migrating, too.
func step(ctx context.Context, conn *sql.Conn, f faults, steps []migration, now remora.Clock) (done bool, err error) {
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = conn.ExecContext(ctx, query, args...)
		}
	}
	exec("BEGIN IMMEDIATE")
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	applied, err := version(ctx, conn, f, steps)
	if err != nil {
		return false, err
	}
	if applied == len(steps) {
		exec("COMMIT")
		return true, err
	}
	next := steps[applied]
	exec(`CREATE TABLE IF NOT EXISTS migrations (
		version INTEGER PRIMARY KEY, hash TEXT NOT NULL, applied_on TEXT NOT NULL) STRICT`)
	exec(next.text)
	exec("INSERT INTO migrations (version, hash, applied_on) VALUES (?, ?, ?)",
		next.version, next.hash(), now().UTC().Format(time.RFC3339))
	exec("COMMIT")
	if err != nil {
		err = fmt.Errorf("apply migration %03d: %w", next.version, err)
	}
	return false, err
}

// version returns how many of steps the database has, after checking that they
// are the same ones.
func version(ctx context.Context, conn *sql.Conn, f faults, steps []migration) (int, error) {
	refuse := func(format string, args ...any) (int, error) {
		return 0, remora.Invalidf("open store", f.path, format, args...)
	}
	var id, objects int
	if err := conn.QueryRowContext(ctx,
		"SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id").
		Scan(&id, &objects); err != nil {
		return 0, err
	}
	if id == 0 && objects == 0 {
		return 0, nil // new
	}
	if id != applicationID {
		return refuse("%s is an SQLite database of another program (application id %#x): name another file", f.path, id)
	}
	rows, err := conn.QueryContext(ctx, "SELECT version, hash FROM migrations ORDER BY version")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var wrong error
	n, last := 0, 0
	for rows.Next() {
		var v int
		var hash string
		if err := rows.Scan(&v, &hash); err != nil {
			return 0, err
		}
		n, last = n+1, v
		if wrong == nil && v <= len(steps) && (v != n || hash != steps[v-1].hash()) {
			_, wrong = refuse("the schema of %s comes from another migration %03d than this release's: "+
				"it was made by an unreleased or altered build; open it with that one, or restore a backup", f.path, v)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if last > len(steps) {
		return refuse("%s was written by a newer release of Remora (its schema is %03d, this release knows %03d): "+
			"run that release or a later one, or restore a backup made before the upgrade", f.path, last, len(steps))
	}
	return n, wrong
}
