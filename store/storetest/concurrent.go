package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

const callers = 50

// atOnce calls f from many goroutines, all released at the same moment.
func atOnce(f func(i int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for i := range callers {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-gate
			f(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}

func admitOne(t *testing.T, s remora.Store) {
	full := remora.Errorf(remora.ConcurrentRuns, "", "", "full")
	for round := range 5 {
		job := fmt.Sprint("j", round)
		var stored atomic.Int32
		atOnce(func(int) {
			_, err := s.CreateRun(ctx, newRun(job), func(active, waiting int) (remora.RunState, error) {
				if active > 0 {
					return "", full
				}
				return remora.Starting, nil
			})
			if err == nil {
				stored.Add(1)
			} else if err != full {
				t.Errorf("a refused call got %v, want the error of admit", err)
			}
		})
		same(t, stored.Load(), int32(1))
		same(t, len(walkRuns(t, s, job, 10)), 1)
	}
}

func promoteOnce(t *testing.T, s remora.Store) {
	const limit, waiting = 7, 20
	for range waiting {
		addRun(t, s, "j", remora.Waiting)
	}
	var promoted sync.Map
	var n atomic.Int32
	atOnce(func(int) {
		r, ok, err := s.PromoteRun(ctx, "j", limit)
		if err != nil {
			t.Errorf("promote a run: %v", err)
		}
		if !ok {
			return
		}
		n.Add(1)
		if _, twice := promoted.LoadOrStore(r.ID, true); twice {
			t.Errorf("run %s was promoted twice", r.ID)
		}
	})
	same(t, n.Load(), int32(limit))
	for i, r := range walkRuns(t, s, "j", 100) { // newest first
		want := remora.Waiting
		if i >= waiting-limit {
			want = remora.Starting
		}
		same(t, r.State, want)
	}
}

// noLostChange reads, adds one and writes from many goroutines, reading all the
// while: a later read never sees less.
func noLostChange(t *testing.T, s remora.Store) {
	addJob(t, s, "j", nil)
	r := addRun(t, s, "j", remora.Running)
	before, err := s.Job(ctx, "j")
	noError(t, err)
	count := func(tags map[string]string) int { return len(tags["n"]) }
	atOnce(func(int) {
		changed, err := s.ChangeRun(ctx, r.ID, func(r *remora.Run) (*remora.Run, error) {
			r.ExecutionTime++
			return nil, nil
		})
		if err != nil {
			t.Errorf("change the run: %v", err)
		}
		if got, err := s.Run(ctx, "j", r.ID); err != nil || got.ExecutionTime < changed.ExecutionTime {
			t.Errorf("after a change to %d a read has %d, error %v", changed.ExecutionTime, got.ExecutionTime, err)
		}
		if _, err := s.UpdateJob(ctx, "j", func(j *remora.Job) error { j.MaxRetries++; return nil }); err != nil {
			t.Errorf("update the job: %v", err)
		}
		if err := s.ChangeTags(ctx, "a", func(tags map[string]string) error { tags["n"] += "."; return nil }); err != nil {
			t.Errorf("change the tags: %v", err)
		}
	})
	got, err := s.Run(ctx, "j", r.ID)
	noError(t, err)
	same(t, got.ExecutionTime, r.ExecutionTime+callers)
	job, err := s.Job(ctx, "j")
	noError(t, err)
	same(t, job.MaxRetries, before.MaxRetries+callers)
	tags, err := s.Tags(ctx, "a")
	noError(t, err)
	same(t, count(tags), callers)
}

// endedContext makes every call with contexts that have ended, and one whose
// context ends while it waits for another change.
func endedContext(t *testing.T, s remora.Store) {
	addJob(t, s, "j", nil)
	r := addRun(t, s, "j", remora.Waiting)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
	defer cancel()
	for want, ended := range map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: late} {
		for name, call := range everyCall(ended, s, "j", r.ID) {
			err := call()
			if !errors.Is(err, want) {
				t.Fatalf("%s: error is %v, want %v", name, err, want)
			}
			wantKind(t, err, remora.Unavailable)
		}
	}

	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	outcome := make(chan error)
	_, err := s.UpdateJob(ctx, "j", func(j *remora.Job) error {
		go func() {
			_, err := s.CreateRun(waiting, newRun("j"), admitted)
			outcome <- err
		}()
		cancel()
		select {
		case err := <-outcome:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want %v", err, context.Canceled)
			}
		case <-time.After(10 * time.Second):
			t.Error("a call did not notice within 10 s that its context ended while it waited for another change")
			go func() { <-outcome }()
		}
		return nil
	})
	noError(t, err)

	job, err := s.Job(ctx, "j")
	noError(t, err)
	same(t, job, newJob("j"))
	same(t, walkRuns(t, s, "j", 9), []remora.Run{r})
}

func everyCall(ctx context.Context, s remora.Store, job, run string) map[string]func() error {
	page := remora.Page{Limit: 1}
	return map[string]func() error{
		"CreateJob": func() error { return s.CreateJob(ctx, newJob("new"), "a", nil) },
		"Job":       func() error { _, err := s.Job(ctx, job); return err },
		"Jobs":      func() error { _, err := s.Jobs(ctx, []string{job}); return err },
		"ListJobs":  func() error { _, _, err := s.ListJobs(ctx, nil, page); return err },
		"UpdateJob": func() error { _, err := s.UpdateJob(ctx, job, func(*remora.Job) error { return nil }); return err },
		"DeleteJob": func() error { return s.DeleteJob(ctx, job, arnOf(job)) },
		"CreateRun": func() error { _, err := s.CreateRun(ctx, newRun(job), admitted); return err },
		"Run":       func() error { _, err := s.Run(ctx, job, run); return err },
		"ListRuns":  func() error { _, _, err := s.ListRuns(ctx, job, page); return err },
		"OpenRuns":  func() error { _, err := s.OpenRuns(ctx); return err },
		"ChangeRun": func() error {
			_, err := s.ChangeRun(ctx, run, func(*remora.Run) (*remora.Run, error) { return nil, nil })
			return err
		},
		"PromoteRun": func() error { _, _, err := s.PromoteRun(ctx, job, 1); return err },
		"Tags":       func() error { _, err := s.Tags(ctx, "a"); return err },
		"ChangeTags": func() error {
			return s.ChangeTags(ctx, "a", func(map[string]string) error { return nil })
		},
	}
}

// panicking lets a caller's function panic: the panic reaches the caller,
// nothing is stored, and the store goes on.
func panicking(t *testing.T, s remora.Store) {
	addJob(t, s, "j", nil)
	func() {
		defer func() {
			same(t, recover(), any("oh"))
		}()
		s.UpdateJob(ctx, "j", func(j *remora.Job) error {
			j.MaxRetries = 99
			panic("oh")
		})
		t.Error("the panic was swallowed")
	}()
	got, err := s.Job(ctx, "j")
	noError(t, err)
	same(t, got, newJob("j"))
	addRun(t, s, "j", remora.Starting)
}
