package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func jobRoundTrip(t *testing.T, s remora.Store) {
	bare := remora.Job{Name: "bare", MaxConcurrentRuns: 1}
	for _, want := range []remora.Job{newJob("plain"), newJob("a 'job' with \"quotes\" % é 🐟"), bare} {
		noError(t, s.CreateJob(ctx, want, arnOf(want.Name), nil))
		got, err := s.Job(ctx, want.Name)
		noError(t, err)
		same(t, got, want)
		clear(got.DefaultArguments) // in the caller's memory only
		again, err := s.Job(ctx, want.Name)
		noError(t, err)
		same(t, again, want)
	}
	_, err := s.Job(ctx, "PLAIN")
	wantKind(t, err, remora.NotFound)
}

func jobNameTaken(t *testing.T, s remora.Store) {
	addJob(t, s, "taken", map[string]string{"k": "first"})
	second := newJob("taken")
	second.MaxRetries = 9
	wantKind(t, s.CreateJob(ctx, second, arnOf("taken"), map[string]string{"k": "second"}), remora.AlreadyExists)
	got, err := s.Job(ctx, "taken")
	noError(t, err)
	same(t, got, newJob("taken"))
	tags, err := s.Tags(ctx, arnOf("taken"))
	noError(t, err)
	same(t, tags, map[string]string{"k": "first"})
}

func jobsByName(t *testing.T, s remora.Store) {
	for _, name := range []string{"a", "b", "c"} {
		addJob(t, s, name, nil)
	}
	got, err := s.Jobs(ctx, []string{"c", "missing", "a"})
	noError(t, err)
	same(t, got, []remora.Job{newJob("c"), newJob("a")})
	for _, names := range [][]string{nil, {}, {"missing"}} {
		got, err := s.Jobs(ctx, names)
		noError(t, err)
		same(t, len(got), 0)
	}
}

func jobUpdate(t *testing.T, s remora.Store) {
	addJob(t, s, "j", nil)
	change := func(j *remora.Job) error {
		*j = remora.Job{Name: "renamed", MaxConcurrentRuns: 7,
			CreatedOn: start.Add(time.Hour), LastModifiedOn: start.Add(2 * time.Hour)}
		return nil
	}
	want := remora.Job{Name: "j", MaxConcurrentRuns: 7, CreatedOn: start, LastModifiedOn: start.Add(2 * time.Hour)}
	got, err := s.UpdateJob(ctx, "j", change)
	noError(t, err)
	same(t, got, want)

	refusal := errors.New("refused")
	_, err = s.UpdateJob(ctx, "j", func(j *remora.Job) error {
		j.MaxRetries = 8
		return refusal
	})
	if err != refusal {
		t.Fatalf("error is %v, want that of the function", err)
	}
	got, err = s.Job(ctx, "j")
	noError(t, err)
	same(t, got, want)

	_, err = s.UpdateJob(ctx, "missing", func(*remora.Job) error {
		t.Error("the function was called for a job that is not there")
		return nil
	})
	wantKind(t, err, remora.NotFound)
	_, err = s.Job(ctx, "renamed")
	wantKind(t, err, remora.NotFound)
}

func jobDelete(t *testing.T, s remora.Store) {
	addJob(t, s, "j", map[string]string{"k": "v"})
	addJob(t, s, "other", map[string]string{"k": "v"})
	r := addRun(t, s, "j", remora.Running)
	noError(t, s.DeleteJob(ctx, "j", arnOf("j")))
	wantKind(t, s.DeleteJob(ctx, "j", arnOf("j")), remora.NotFound)
	_, err := s.Job(ctx, "j")
	wantKind(t, err, remora.NotFound)
	for name, n := range map[string]int{"j": 0, "other": 1} {
		tags, err := s.Tags(ctx, arnOf(name))
		noError(t, err)
		same(t, len(tags), n)
	}
	runs, _, err := s.ListRuns(ctx, "j", remora.Page{Limit: 10})
	noError(t, err)
	same(t, runs, []remora.Run{r})
	got, err := s.Run(ctx, "j", r.ID)
	noError(t, err)
	same(t, got, r)

	// A job of that name that is made anew is listed last and has none of the
	// old one's tags.
	addJob(t, s, "j", nil)
	jobs, _, err := s.ListJobs(ctx, nil, remora.Page{Limit: 10})
	noError(t, err)
	same(t, jobs, []remora.Job{newJob("other"), newJob("j")})
}

func tagsRoundTrip(t *testing.T, s remora.Store) {
	const arn = "arn:aws:glue:eu-central-1::session/é"
	got, err := s.Tags(ctx, arn)
	noError(t, err)
	same(t, got, map[string]string{})
	want := map[string]string{"k": "v", "empty": "", "é \"'%": "<&> 🐟"}
	noError(t, s.ChangeTags(ctx, arn, func(tags map[string]string) error {
		same(t, tags, map[string]string{})
		for k, v := range want {
			tags[k] = v
		}
		return nil
	}))
	got, err = s.Tags(ctx, arn)
	noError(t, err)
	same(t, got, want)

	refusal := errors.New("refused")
	err = s.ChangeTags(ctx, arn, func(tags map[string]string) error {
		clear(tags)
		return refusal
	})
	if err != refusal {
		t.Fatalf("error is %v, want that of the function", err)
	}
	noError(t, s.ChangeTags(ctx, arn, func(tags map[string]string) error {
		same(t, tags, want)
		delete(tags, "k")
		tags["empty"] = "no more"
		return nil
	}))
	delete(want, "k")
	want["empty"] = "no more"
	got, err = s.Tags(ctx, arn)
	noError(t, err)
	same(t, got, want)
}

func jobsByTags(t *testing.T, s remora.Store) {
	odd := `k "'\ é`
	addJob(t, s, "none", nil)
	addJob(t, s, "one", map[string]string{"a": "1", odd: `v "'\`})
	addJob(t, s, "both", map[string]string{"a": "1", "b": ""})
	addJob(t, s, "other", map[string]string{"a": "2", "b": "1"})
	for _, c := range []struct {
		tags map[string]string
		want []string
	}{
		{nil, []string{"none", "one", "both", "other"}},
		{map[string]string{}, []string{"none", "one", "both", "other"}},
		{map[string]string{"a": "1"}, []string{"one", "both"}},
		{map[string]string{"a": "1", "b": ""}, []string{"both"}},
		{map[string]string{odd: `v "'\`}, []string{"one"}},
		{map[string]string{"a": "1", "b": "1"}, nil},
		{map[string]string{"c": ""}, nil},
	} {
		var got []string
		for _, j := range walkJobs(t, s, c.tags, 1) {
			got = append(got, j.Name)
		}
		same(t, got, c.want)
	}
}

// walkJobs returns a whole listing in pages of n.
func walkJobs(t *testing.T, s remora.Store, tags map[string]string, n int) (all []remora.Job) {
	t.Helper()
	p := remora.Page{Limit: n}
	for {
		jobs, next, err := s.ListJobs(ctx, tags, p)
		noError(t, err)
		all = append(all, jobs...)
		if next == "" {
			return all
		}
		if len(jobs) == 0 || len(jobs) > n {
			t.Fatalf("a page of %d jobs that is not the last, limit %d", len(jobs), n)
		}
		p.After = next
	}
}
