package sqlite

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/remora-project/remora"
)

const runColumns = "seq, id, job, state, fields, handle, document"

// openRuns is where runs that have not ended are looked for. Left to itself,
// SQLite would read all runs to have the open ones in order.
const openRuns = "runs INDEXED BY runs_open"

func (s *Store) CreateRun(ctx context.Context, r remora.Run,
	admit func(active, waiting int) (remora.RunState, error)) (remora.Run, error) {
	r = runAsStored(r)
	err := s.writer.change(ctx, func(x *tx) error {
		active, waiting, err := x.countOpen(r.JobName)
		if err != nil {
			return err
		}
		if r.State, err = admit(active, waiting); err != nil {
			return err
		}
		return x.insertRun(r)
	})
	if err != nil {
		return remora.Run{}, err
	}
	return r, nil
}

func (s *Store) Run(ctx context.Context, jobName, id string) (remora.Run, error) {
	var r remora.Run
	found := false
	err := s.read.rows(ctx, func(row scanner) (err error) {
		found = true
		_, r, err = scanRun(row)
		return err
	}, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id)
	if err != nil {
		return remora.Run{}, err
	}
	if !found || jobName != "" && jobName != r.JobName {
		return remora.Run{}, noRun(jobName, id)
	}
	return r, nil
}

func (s *Store) ListRuns(ctx context.Context, jobName string, p remora.Page) ([]remora.Run, remora.Cursor, error) {
	found, err := newPage[remora.Run](listing("runs", jobName), p.Limit)
	if err != nil {
		return nil, "", err
	}
	before, err := parse(found.listing, p.After, math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	err = s.read.rows(ctx, found.each(scanRun), `SELECT `+runColumns+` FROM runs WHERE job = ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
		jobName, before, found.limit+1)
	if err != nil {
		return nil, "", err
	}
	return found.items, found.next(), nil
}

func (s *Store) OpenRuns(ctx context.Context) ([]remora.Run, error) {
	var runs []remora.Run
	err := s.read.rows(ctx, func(row scanner) error {
		_, r, err := scanRun(row)
		runs = append(runs, r)
		return err
	}, `SELECT `+runColumns+` FROM `+openRuns+` WHERE open = 1 ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	return runs, nil
}

func (s *Store) ChangeRun(ctx context.Context, id string,
	change func(*remora.Run) (*remora.Run, error)) (remora.Run, error) {
	var r remora.Run
	err := s.writer.change(ctx, func(x *tx) error {
		var seq int64
		found, err := x.first(func(row scanner) (err error) {
			seq, r, err = scanRun(row)
			return err
		}, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if !found {
			return noRun("", id)
		}
		before, arguments := r, maps.Clone(r.Arguments)
		successor, err := change(&r)
		if err != nil {
			return err
		}
		r.ID, r.JobName, r.StartedOn, r.Arguments = before.ID, before.JobName, before.StartedOn, arguments
		r = runAsStored(r)
		if r.State != before.State && !before.State.CanBecome(r.State) {
			return remora.Errorf(remora.WrongState, "store: change run", id,
				"job run %s is %s and cannot become %s", id, before.State, r.State)
		}
		if err := x.updateRun(seq, r); err != nil {
			return err
		}
		if successor == nil {
			return nil
		}
		return x.insertRun(runAsStored(*successor))
	})
	if err != nil {
		return remora.Run{}, err
	}
	return r, nil
}

func (s *Store) PromoteRun(ctx context.Context, jobName string, limit int) (r remora.Run, ok bool, err error) {
	err = s.writer.change(ctx, func(x *tx) error {
		active, waiting, err := x.countOpen(jobName)
		if err != nil || active >= limit || waiting == 0 {
			return err
		}
		var seq int64
		ok, err = x.first(func(row scanner) (err error) {
			seq, r, err = scanRun(row)
			return err
		}, `SELECT `+runColumns+` FROM `+openRuns+` WHERE job = ? AND state = ? AND open = 1 ORDER BY seq LIMIT 1`,
			jobName, string(remora.Waiting))
		if err != nil || !ok {
			return err
		}
		r.State, r.LastModifiedOn = remora.Starting, asStored(s.now())
		return x.updateRun(seq, r)
	})
	if err != nil || !ok {
		return remora.Run{}, false, err
	}
	return r, true, nil
}

// countOpen counts a job's runs that have not ended.
func (x *tx) countOpen(job string) (active, waiting int, err error) {
	err = x.rows(func(row scanner) error {
		var state remora.RunState
		var n int
		if err := row.Scan(&state, &n); err != nil {
			return err
		}
		if state.Active() {
			active += n
		} else {
			waiting += n
		}
		return nil
	}, `SELECT state, count(*) FROM `+openRuns+` WHERE job = ? AND open = 1 GROUP BY state`, job)
	return active, waiting, err
}

func (x *tx) insertRun(r remora.Run) error {
	if !known(r.State, remora.Waiting, remora.Starting, remora.Running, remora.Stopping) {
		return remora.Internalf("store", r.ID, "job run %s cannot be stored in state %q: there is no such state", r.ID, r.State)
	}
	fields, err := encodeRun(r)
	if err != nil {
		return err
	}
	n, err := x.count(`INSERT INTO runs (id, job, state, open, fields, handle, document) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`,
		r.ID, r.JobName, string(r.State), !r.State.Ended(), fields, raw(r.Handle), raw(r.Document))
	if err == nil && n == 0 {
		return remora.Errorf(remora.AlreadyExists, "store: create run", r.ID, "there is a job run %s already", r.ID)
	}
	return err
}

func (x *tx) updateRun(seq int64, r remora.Run) error {
	fields, err := encodeRun(r)
	if err != nil {
		return err
	}
	return x.exec(`UPDATE runs SET state = ?, open = ?, fields = ?, handle = ?, document = ? WHERE seq = ?`,
		string(r.State), !r.State.Ended(), fields, raw(r.Handle), raw(r.Document), seq)
}

// known reports whether there is a state s, given all those that are not ends.
// What is stored in another one, the empty one above all, could never be ended.
func known[S interface {
	comparable
	CanBecome(S) bool
}](s S, open ...S) bool {
	return slices.ContainsFunc(open, func(o S) bool { return o == s || o.CanBecome(s) })
}

func noRun(job, id string) error {
	if job == "" {
		return remora.NotFoundf("store", id, "there is no job run %s", id)
	}
	return remora.NotFoundf("store", id, "job %q has no job run %s", job, id)
}
