package sqlite

import (
	"context"
	"encoding/json"

	"github.com/remora-project/remora"
)

const jobColumns = "j.seq, j.name, j.fields, j.document"

func (s *Store) CreateJob(ctx context.Context, j remora.Job, arn string, tags map[string]string) error {
	fields, err := encodeJob(j)
	if err != nil {
		return err
	}
	return s.writer.change(ctx, func(x *tx) error {
		n, err := x.count(`INSERT INTO jobs (name, arn, fields, document) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			j.Name, arn, fields, raw(j.Document))
		if err != nil {
			return err
		}
		if n == 0 {
			return remora.Errorf(remora.AlreadyExists, "store: create job", j.Name, "there is a job %q already", j.Name)
		}
		return x.putTags(arn, tags)
	})
}

func (s *Store) Job(ctx context.Context, name string) (remora.Job, error) {
	jobs, err := s.Jobs(ctx, []string{name})
	if err != nil {
		return remora.Job{}, err
	}
	if len(jobs) == 0 {
		return remora.Job{}, noJob(name)
	}
	return jobs[0], nil
}

func (s *Store) Jobs(ctx context.Context, names []string) ([]remora.Job, error) {
	list, err := json.Marshal(names)
	if err != nil {
		return nil, remora.Internalf("store: get jobs", "", "encode the names: %w", err)
	}
	var jobs []remora.Job
	err = s.read.rows(ctx, func(row scanner) error {
		_, j, err := scanJob(row)
		jobs = append(jobs, j)
		return err
	}, `SELECT `+jobColumns+` FROM json_each(?) AS wanted CROSS JOIN jobs AS j ON j.name = wanted.value
		ORDER BY wanted.key`, string(list))
	return jobs, err
}

func (s *Store) ListJobs(ctx context.Context, tags map[string]string, p remora.Page) ([]remora.Job, remora.Cursor, error) {
	wanted, err := encodeWanted(tags)
	if err != nil {
		return nil, "", err
	}
	found, err := newPage[remora.Job](listing("jobs", wanted), p.Limit)
	if err != nil {
		return nil, "", err
	}
	after, err := parse(found.listing, p.After, 0)
	if err != nil {
		return nil, "", err
	}
	err = s.read.rows(ctx, found.each(scanJob), `SELECT `+jobColumns+` FROM jobs AS j WHERE j.seq > ? AND `+carriesWanted("j.arn")+`
		ORDER BY j.seq LIMIT ?`, after, wanted, found.limit+1)
	if err != nil {
		return nil, "", err
	}
	return found.items, found.next(), nil
}

func (s *Store) UpdateJob(ctx context.Context, name string, change func(*remora.Job) error) (remora.Job, error) {
	var j remora.Job
	err := s.writer.change(ctx, func(x *tx) error {
		var seq int64
		found, err := x.first(func(row scanner) (err error) {
			seq, j, err = scanJob(row)
			return err
		}, `SELECT `+jobColumns+` FROM jobs AS j WHERE j.name = ?`, name)
		if err != nil {
			return err
		}
		if !found {
			return noJob(name)
		}
		created := j.CreatedOn
		if err := change(&j); err != nil {
			return err
		}
		j.Name, j.CreatedOn, j.LastModifiedOn = name, created, asStored(j.LastModifiedOn)
		fields, err := encodeJob(j)
		if err != nil {
			return err
		}
		return x.exec(`UPDATE jobs SET fields = ?, document = ? WHERE seq = ?`, fields, raw(j.Document), seq)
	})
	if err != nil {
		return remora.Job{}, err
	}
	return j, nil
}

func (s *Store) DeleteJob(ctx context.Context, name, arn string) error {
	return s.writer.change(ctx, func(x *tx) error {
		// The tags of the ARN that the job was created with, too: it differs if the
		// region or account that Remora was started with has changed.
		err := x.exec(`DELETE FROM tags WHERE arn IN (?, (SELECT arn FROM jobs WHERE name = ?))`, arn, name)
		if err != nil {
			return err
		}
		n, err := x.count(`DELETE FROM jobs WHERE name = ?`, name)
		if err == nil && n == 0 {
			return noJob(name)
		}
		return err
	})
}

func noJob(name string) error {
	return remora.NotFoundf("store", name, "there is no job %q", name)
}
