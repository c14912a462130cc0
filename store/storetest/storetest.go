// Package storetest is the contract of remora.Store and remora.SessionStore as
// two test suites.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// Run checks that the stores that open returns keep the contract. Each call of
// open returns a new, empty one and arranges for its end with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) remora.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, remora.Store)
	}{
		{"a job comes back as it was stored", jobRoundTrip},
		{"a job's name is taken once", jobNameTaken},
		{"jobs are found by name, in the order asked for", jobsByName},
		{"an update of a job is stored, or nothing of it", jobUpdate},
		{"a deleted job takes its tags along and leaves its runs", jobDelete},
		{"tags belong to an ARN", tagsRoundTrip},
		{"jobs are listed by tags", jobsByTags},

		{"a run comes back as it was stored", runRoundTrip},
		{"a run is admitted by what is open", runAdmission},
		{"a run changes its state along RunState.CanBecome", runStates},
		{"a change of a run is stored, or nothing of it", runChange},
		{"a run and its successor are stored together", runSuccessor},
		{"the oldest waiting run is promoted", runPromotion},
		{"the runs that have not ended are listed, oldest first", runsOpen},

		{"a listing comes in pages", pages},
		{"a page of large entries ends early", largePages},
		{"a cursor belongs to its listing", cursors},
		{"a listing holds while entries come and go", movingPages},

		{"one of many runs at once is admitted", admitOne},
		{"a promotion takes a run once", promoteOnce},
		{"no change is lost", noLostChange},
		{"a call whose context has ended changes nothing", endedContext},
		{"a function that panics changes nothing", panicking},

		{"random calls do what the model does", random},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// ctx is the context of calls that do not test contexts.
var ctx = context.Background()

// start is a time with a zone and nanoseconds, which must survive.
var start = time.Date(2026, 11, 23, 9, 30, 1, 123456789, time.FixedZone("", 3600))

func arnOf(name string) string { return "arn:aws:glue:eu-central-1:000000000000:job/" + name }

func newJob(name string) remora.Job {
	return remora.Job{
		Name: name,
		Command: remora.Command{Name: "glueray", Runtime: "Ray2.60", PythonVersion: "3.9",
			ScriptLocation: "s3://scripts/" + name + ".py"},
		DefaultArguments:        map[string]string{"--pip-install": "a==1,b<2", "--a \"b\"": "<&>\u2028 \\ é 🐟"},
		NonOverridableArguments: map[string]string{"--x": ""},
		WorkerType:              "Z.2X", NumberOfWorkers: 5, MaxRetries: 2,
		MaxConcurrentRuns: 3, Queuing: true, GlueVersion: "4.0",
		CreatedOn: start, LastModifiedOn: start.Add(time.Nanosecond),
		Document: json.RawMessage("{ \"Name\":\t\"<&>\", \"Big\": 12345678901234567890.0 }"),
	}
}

func newRun(job string) remora.Run {
	return remora.Run{
		ID: remora.NewRunID(), JobName: job, Attempt: 1, PreviousRunID: "jr_before", State: remora.Starting,
		Arguments: map[string]string{"--k": "v", "--empty": "", "--odd": "<'\";-- é 🐟"},
		Plan: remora.RunPlan{
			Command:   remora.Command{Name: "glueray", Runtime: "Ray2.60", PythonVersion: "3.9", ScriptLocation: "s3://b/k"},
			Arguments: map[string]string{"--k": "v", "--d": "1"}, WorkerType: "Z.2X", NumberOfWorkers: 5, DPUPerWorker: 2,
			MaxRetries: 1, GlueVersion: "4.0", Timeout: 8 * time.Hour},
		StartedOn: start, LastModifiedOn: start.Add(time.Second), CompletedOn: start.Add(time.Minute),
		ExecutionTime: 59*time.Second + 1, DPUSeconds: 600.1, ErrorMessage: "line 1\nline 2",
		Outcome: &remora.Outcome{State: remora.Failed, ErrorMessage: "m", ExecutionTime: time.Second},
		Handle:  json.RawMessage("{ \"v\": 1 }"), Document: json.RawMessage("[ ]"),
	}
}

func admitted(int, int) (remora.RunState, error) { return remora.Starting, nil }

func admitAs(s remora.RunState) func(int, int) (remora.RunState, error) {
	return func(int, int) (remora.RunState, error) { return s, nil }
}

// addJob and addRun store what a test takes for granted.
func addJob(t *testing.T, s remora.Store, name string, tags map[string]string) {
	t.Helper()
	if err := s.CreateJob(ctx, newJob(name), arnOf(name), tags); err != nil {
		t.Fatalf("create job %s: %v", name, err)
	}
}

func addRun(t *testing.T, s remora.Store, job string, state remora.RunState) remora.Run {
	t.Helper()
	r, err := s.CreateRun(ctx, newRun(job), admitAs(state))
	if err != nil {
		t.Fatalf("create a run of %s: %v", job, err)
	}
	return r
}

func wantKind(t *testing.T, err error, kind remora.Kind) {
	t.Helper()
	var e *remora.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("error is %v (%T), want a remora.Error: %v", err, err, kind)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// same compares what stores keep, and slices of it; times by the instant.
func same(t *testing.T, got, want any) {
	t.Helper()
	if g, w := describe(got), describe(want); g != w {
		t.Fatalf("got\n\t%s\nwant\n\t%s", g, w)
	}
}

// describe writes v so that equal values, and they only, give equal texts.
func describe(v any) string {
	switch v := v.(type) {
	case remora.Job:
		v.CreatedOn, v.LastModifiedOn = v.CreatedOn.UTC(), v.LastModifiedOn.UTC()
		document := v.Document
		v.Document = nil
		return fmt.Sprintf("%s %q", asJSON(v), document)
	case remora.Run:
		v.StartedOn, v.LastModifiedOn, v.CompletedOn = v.StartedOn.UTC(), v.LastModifiedOn.UTC(), v.CompletedOn.UTC()
		handle, document := v.Handle, v.Document
		v.Handle, v.Document = nil, nil
		return fmt.Sprintf("%s %q %q", asJSON(v), handle, document)
	case remora.Session:
		v.CreatedOn, v.CompletedOn = v.CreatedOn.UTC(), v.CompletedOn.UTC()
		handle, document := v.Handle, v.Document
		v.Handle, v.Document = nil, nil
		return fmt.Sprintf("%s %q %q", asJSON(v), handle, document)
	case remora.Statement:
		v.StartedOn, v.CompletedOn = v.StartedOn.UTC(), v.CompletedOn.UTC()
		return string(asJSON(v))
	}
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
		text := fmt.Sprintf("%d:", list.Len())
		for i := range list.Len() {
			text += "\n\t" + describe(list.Index(i).Interface())
		}
		return text
	}
	return fmt.Sprintf("%#v", v)
}

func asJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("storetest: describe a %T: %v", v, err))
	}
	return text
}

// zeros names the fields of a struct that are not set, those within included:
// a field that the domain gains must be in the samples above.
func zeros(v reflect.Value, name string) (found []string) {
	switch {
	case v.IsZero():
		return []string{name}
	case v.Kind() == reflect.Pointer:
		return zeros(v.Elem(), name)
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			found = append(found, zeros(v.Field(i), name+"."+v.Type().Field(i).Name)...)
		}
	}
	return found
}
