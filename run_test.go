package remora

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"
)

var states = []RunState{Waiting, Starting, Running, Stopping, Stopped, Succeeded, Failed, TimedOut, Errored}

// There is no way back: from a state that a run can come to, it cannot come to
// the one that it was in.
func TestStatesOnlyGoForward(t *testing.T) {
	reach := map[RunState]map[RunState]bool{}
	var walk func(from, at RunState)
	walk = func(from, at RunState) {
		for _, next := range states {
			if at.CanBecome(next) && !reach[from][next] {
				reach[from][next] = true
				walk(from, next)
			}
		}
	}
	for _, s := range states {
		reach[s] = map[RunState]bool{}
		walk(s, s)
	}
	for _, a := range states {
		if a.Ended() != (len(reach[a]) == 0) {
			t.Errorf("%s: ended %v, but %d states follow", a, a.Ended(), len(reach[a]))
		}
		for _, b := range states {
			if reach[a][b] && reach[b][a] {
				t.Errorf("%s and %s follow each other", a, b)
			}
		}
	}
	for _, end := range []RunState{Stopped, Succeeded, Failed, TimedOut} {
		if !reach[Waiting][end] {
			t.Errorf("a waiting run cannot come to %s", end)
		}
	}
	// Who follows a run sees RUNNING before it succeeds, and STOPPING before it has stopped.
	for _, s := range states {
		if s.CanBecome(Succeeded) && s != Running || s.CanBecome(Stopped) && s != Stopping {
			t.Errorf("%s skips a state", s)
		}
	}
}

func TestBilledSeconds(t *testing.T) {
	for in, want := range map[time.Duration]float64{
		0: 0, -time.Second: 0, 1: 60, time.Minute: 60, time.Minute + 1: 61, 90*time.Second + 500*time.Millisecond: 91,
		8 * time.Hour: 28800,
	} {
		if got := BilledSeconds(in); got != want {
			t.Errorf("BilledSeconds(%s) = %v, want %v", in, got, want)
		}
	}
}

func TestRunIDs(t *testing.T) {
	shape := regexp.MustCompile(`^jr_[0-9a-f]{64}$`)
	id := NewRunID()
	if !shape.MatchString(id) || id == NewRunID() {
		t.Fatalf("run id %q", id)
	}
	if got := RetryID(id, 1); got != id+"_attempt_1" {
		t.Errorf("first retry %q", got)
	}
	if got := RetryID(RetryID(id, 1), 2); got != id+"_attempt_2" {
		t.Errorf("retry of a retry %q", got)
	}
}

func TestEffectiveArguments(t *testing.T) {
	j := Job{DefaultArguments: map[string]string{"--a": "default", "--b": "default", "--c": "default"},
		NonOverridableArguments: map[string]string{"--c": "fixed"}}
	got := j.EffectiveArguments(map[string]string{"--b": "run", "--c": "run", "--d": "run"})
	for k, want := range map[string]string{"--a": "default", "--b": "run", "--c": "fixed", "--d": "run"} {
		if got[k] != want {
			t.Errorf("%s = %q, want %q", k, got[k], want)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("disk full")
	err := fmt.Errorf("outer: %w", Unavailablef("store", "job/x", "write: %w", cause))
	if KindOf(err) != Unavailable || !errors.Is(err, cause) {
		t.Errorf("kind %v of %v", KindOf(err), err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Message() != "write: disk full" || e.Error() != "store job/x: write: disk full" {
		t.Errorf("message %q", e.Message())
	}
	if KindOf(cause) != Internal || KindOf(nil) != Internal {
		t.Error("an error without a kind is not Internal")
	}
	for k := Internal; k <= InvalidPageToken; k++ {
		if k.String() == "" || k.String()[0] == 'K' {
			t.Errorf("kind %d has no name", k)
		}
	}
}

// The user reads the message of the outermost Error, and never an operation or
// a subject.
func TestMessageOf(t *testing.T) {
	inner := NotFoundf("blobs: fetch", "s3://b/k", "%s does not exist", "s3://b/k")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{errors.New("disk full"), "disk full"},
		{inner, "s3://b/k does not exist"},
		{fmt.Errorf("outer: %w", inner), "s3://b/k does not exist"},
		{Invalidf("modules: prepare", "j", "--working-dir: %s", MessageOf(inner)), "--working-dir: s3://b/k does not exist"},
		{Unavailablef("control", "j", "fetch: %w", inner), "fetch: blobs: fetch s3://b/k: s3://b/k does not exist"},
		{errors.Join(errors.New("first"), inner), "s3://b/k does not exist"},
		{&Error{Kind: Unavailable, Op: "store"}, "unavailable"},
	} {
		if got := MessageOf(tc.err); got != tc.want {
			t.Errorf("MessageOf(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}
