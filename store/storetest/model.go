package storetest

import (
	"context"
	"maps"
	"slices"

	"github.com/remora-project/remora"
)

// model is the contract in its plainest form: a remora.Store in slices, for one
// goroutine. It neither looks at contexts nor copies what it hands out.
type model struct {
	jobs []modelJob    // in the order of creation
	runs []*remora.Run // in the order of creation
	tags map[string]map[string]string
}

type modelJob struct {
	remora.Job
	arn string
}

var _ remora.Store = (*model)(nil)

func fault(k remora.Kind) error { return remora.Errorf(k, "", "", "model") }

func (m *model) find(name string) int {
	return slices.IndexFunc(m.jobs, func(j modelJob) bool { return j.Name == name })
}

func (m *model) CreateJob(_ context.Context, j remora.Job, arn string, tags map[string]string) error {
	if m.find(j.Name) >= 0 {
		return fault(remora.AlreadyExists)
	}
	m.jobs = append(m.jobs, modelJob{j, arn})
	m.tags[arn] = maps.Clone(tags)
	return nil
}

func (m *model) Job(_ context.Context, name string) (remora.Job, error) {
	if i := m.find(name); i >= 0 {
		return m.jobs[i].Job, nil
	}
	return remora.Job{}, fault(remora.NotFound)
}

func (m *model) Jobs(_ context.Context, names []string) (out []remora.Job, _ error) {
	for _, name := range names {
		if i := m.find(name); i >= 0 {
			out = append(out, m.jobs[i].Job)
		}
	}
	return out, nil
}

// ListJobs and ListRuns give everything in one page.
func (m *model) ListJobs(_ context.Context, tags map[string]string, _ remora.Page) (
	out []remora.Job, _ remora.Cursor, _ error) {
	for _, j := range m.jobs {
		carries := true
		for k, v := range tags {
			got, ok := m.tags[j.arn][k]
			carries = carries && ok && got == v
		}
		if carries {
			out = append(out, j.Job)
		}
	}
	return out, "", nil
}

func (m *model) UpdateJob(_ context.Context, name string, change func(*remora.Job) error) (remora.Job, error) {
	i := m.find(name)
	if i < 0 {
		return remora.Job{}, fault(remora.NotFound)
	}
	j := m.jobs[i].Job
	if err := change(&j); err != nil {
		return remora.Job{}, err
	}
	j.Name, j.CreatedOn = name, m.jobs[i].CreatedOn
	m.jobs[i].Job = j
	return j, nil
}

func (m *model) DeleteJob(_ context.Context, name, arn string) error {
	i := m.find(name)
	if i < 0 {
		return fault(remora.NotFound)
	}
	m.jobs = slices.Delete(m.jobs, i, i+1)
	delete(m.tags, arn)
	return nil
}

func (m *model) open(job string) (active, waiting int) {
	for _, r := range m.runs {
		if r.JobName == job && r.State.Active() {
			active++
		}
		if r.JobName == job && r.State == remora.Waiting {
			waiting++
		}
	}
	return active, waiting
}

func (m *model) CreateRun(_ context.Context, r remora.Run,
	admit func(active, waiting int) (remora.RunState, error)) (remora.Run, error) {
	state, err := admit(m.open(r.JobName))
	if err != nil {
		return remora.Run{}, err
	}
	if m.run(r.ID) != nil {
		return remora.Run{}, fault(remora.AlreadyExists)
	}
	r.State = state
	m.runs = append(m.runs, &r)
	return r, nil
}

func (m *model) run(id string) *remora.Run {
	for _, r := range m.runs {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (m *model) Run(_ context.Context, job, id string) (remora.Run, error) {
	if r := m.run(id); r != nil && (job == "" || r.JobName == job) {
		return *r, nil
	}
	return remora.Run{}, fault(remora.NotFound)
}

func (m *model) ListRuns(_ context.Context, job string, _ remora.Page) (out []remora.Run, _ remora.Cursor, _ error) {
	for _, r := range slices.Backward(m.runs) {
		if r.JobName == job {
			out = append(out, *r)
		}
	}
	return out, "", nil
}

func (m *model) OpenRuns(context.Context) (out []remora.Run, _ error) {
	for _, r := range m.runs {
		if !r.State.Ended() {
			out = append(out, *r)
		}
	}
	return out, nil
}

func (m *model) ChangeRun(_ context.Context, id string, change func(*remora.Run) (*remora.Run, error)) (remora.Run, error) {
	old := m.run(id)
	if old == nil {
		return remora.Run{}, fault(remora.NotFound)
	}
	r := *old
	successor, err := change(&r)
	if err != nil {
		return remora.Run{}, err
	}
	if r.State != old.State && !old.State.CanBecome(r.State) {
		return remora.Run{}, fault(remora.WrongState)
	}
	if successor != nil {
		if m.run(successor.ID) != nil {
			return remora.Run{}, fault(remora.AlreadyExists)
		}
		m.runs = append(m.runs, successor)
	}
	r.ID, r.JobName, r.StartedOn, r.Arguments = old.ID, old.JobName, old.StartedOn, old.Arguments
	*old = r
	return r, nil
}

func (m *model) PromoteRun(_ context.Context, job string, limit int) (remora.Run, bool, error) {
	if active, _ := m.open(job); active >= limit {
		return remora.Run{}, false, nil
	}
	for _, r := range m.runs {
		if r.JobName == job && r.State == remora.Waiting {
			r.State = remora.Starting
			return *r, true, nil
		}
	}
	return remora.Run{}, false, nil
}

func (m *model) Tags(_ context.Context, arn string) (map[string]string, error) {
	out := make(map[string]string)
	maps.Copy(out, m.tags[arn])
	return out, nil
}

func (m *model) ChangeTags(_ context.Context, arn string, change func(map[string]string) error) error {
	tags := make(map[string]string)
	maps.Copy(tags, m.tags[arn])
	if err := change(tags); err != nil {
		return err
	}
	m.tags[arn] = tags
	return nil
}

func (m *model) Close() error { return nil }
