package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/provider/fake"
)

func onRuntime(name string) func(*remora.Job) {
	return func(j *remora.Job) { j.Command.Runtime = name }
}

func TestRunSucceeds(t *testing.T) {
	b := newBed(t)
	b.job("j", note+"echo hello; echo $NAME $AWS_REGION $RUNTIME\n", func(j *remora.Job) {
		j.DefaultArguments = with(j.DefaultArguments, "--NAME", "default")
	})
	p := b.plane()
	run := p.request(control.StartRequest{JobName: "j", Arguments: map[string]string{"--NAME": "mine", "--class": "x"}})
	if run.State != remora.Starting || !run.CompletedOn.IsZero() {
		t.Errorf("the run is answered as %s, completed on %s", run.State, run.CompletedOn)
	}
	r := b.want(run.ID, remora.Succeeded)
	if got := b.watch.states(t, r.ID); got != "STARTING RUNNING SUCCEEDED" {
		t.Errorf("the run was %s", got)
	}
	if r.CompletedOn.Before(r.StartedOn) || r.Outcome != nil || b.executions(r.ID) != 1 {
		t.Errorf("run %+v, executed %d times", r, b.executions(r.ID))
	}
	log := strings.Join(b.log(r.ID), "\n")
	for _, want := range []string{"\nhello\nmine test sh", "remora: warning: parameter --class has no meaning for Ray jobs",
		"remora: starting a Ray cluster: sh, a head and 2 workers of Z.2X", "remora: cluster ready ", "remora: Z.2X is 8 vCPU and 64 GiB; this machine has 2 CPUs"} {
		if !strings.Contains(log, want) {
			t.Errorf("the run's log lacks %q:\n%s", want, log)
		}
	}
}

func TestRunFails(t *testing.T) {
	for _, c := range []struct {
		name, script string
		change       func(*remora.Job)
		message      []string
		began        bool // the script
	}{
		{"with a status", failSh, nil, []string{"The script exited with status 3."}, true},
		{"with a traceback", "def f():\n    raise ValueError('no luck')\nf()\n", onRuntime("python"),
			[]string{"The script exited with status 1.", "line 2, in f", "ValueError: no luck"}, true},
		{"with a syntax error", "def f(:\n", onRuntime("python"), []string{"status 1", "SyntaxError"}, true},
		{"by a signal", "kill -9 $$\n", nil, []string{"killed by signal 9 (SIGKILL)", "out of memory"}, true},
		{"since its interpreter is not there", "", onRuntime("absent"), []string{"could not be started", "/nonexistent/python"}, false},
		{"since there is no such runtime", "", onRuntime("other"), []string{"there is no runtime other"}, false},
		{"since its script is too large", strings.Repeat("#", 16<<20+1), nil, []string{"fetch the job's script", "16777217 bytes"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.job("j", c.script, func(j *remora.Job) {
				if c.change != nil {
					c.change(j)
				}
			})
			r := b.want(b.plane().start("j").ID, remora.Failed, c.message...)
			if began := r.ExecutionTime > 0; began != c.began || began != (r.DPUSeconds > 0) {
				t.Errorf("execution time %s, %v DPU-seconds", r.ExecutionTime, r.DPUSeconds)
			}
		})
	}
}

func TestScriptIsMissing(t *testing.T) {
	b := newBed(t)
	j := b.job("j", note)
	delete(b.blobs, j.Command.ScriptLocation)
	r := b.want(b.plane().start("j").ID, remora.Failed, "fetch the job's script", "there is no object s3://scripts/j.sh")
	if got := b.watch.states(t, r.ID); got != "STARTING FAILED" {
		t.Errorf("the run was %s", got)
	}
}

// The names of scripts come from S3 keys, which may be anything.
func TestScriptNames(t *testing.T) {
	b := newBed(t)
	p := b.plane()
	for _, key := range []string{"plain", "dir/..", "a/.hidden", "with space.py", "ends.", "x/" + strings.Repeat("é", 300) + ".py"} {
		b.job(key, note+"echo $0\n", func(j *remora.Job) { j.Command.ScriptLocation = "s3://b/" + key })
		b.want(p.start(key).ID, remora.Succeeded)
	}
}

func TestProvisioningFails(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	b.host.Inject(fake.Faults{Start: func(context.Context, int) error {
		return remora.Unavailablef("fake", "", "1 of 3 nodes were there: %w", errors.New("no memory"))
	}})
	r := b.want(b.plane().start("j").ID, remora.Failed, "1 of 3 nodes were there: no memory")
	if b.executions(r.ID) != 0 || r.DPUSeconds != 0 || r.ExecutionTime != 0 {
		t.Errorf("the run was executed or billed: %+v", r)
	}
}

func TestDriverCannotBeStarted(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	b.host.Inject(fake.Faults{Run: func(context.Context, remora.Driver) error {
		return remora.Unavailablef("fake", "", "the head is gone")
	}})
	b.want(b.plane().start("j").ID, remora.Failed, "the head is gone")
}

// The cluster dies while the control plane looks on.
func TestClusterIsLost(t *testing.T) {
	b := newBed(t)
	b.job("j", hold)
	r := b.plane().start("j")
	b.started(r.ID)
	if err := b.host.Lose(r.ID); err != nil {
		t.Fatal(err)
	}
	if r := b.want(r.ID, remora.Failed, "nobody saw how the driver ended"); r.ExecutionTime == 0 || r.DPUSeconds != 240 {
		t.Errorf("execution time %s, %v DPU-seconds; what was used is billed", r.ExecutionTime, r.DPUSeconds)
	}
}

func TestLongOutputFitsTheMessage(t *testing.T) {
	b := newBed(t)
	b.job("j", "i=0; while [ $i -lt 200 ]; do echo \"line $i of a long traceback, é\" >&2; i=$((i+1)); done; echo the end >&2; exit 1\n")
	r := b.want(b.plane().start("j").ID, remora.Failed, "The script exited with status 1.", "\nthe end")
	if len(r.ErrorMessage) > 4096 {
		t.Errorf("the message has %d bytes", len(r.ErrorMessage))
	}
}

func TestUnknownRequests(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	p := b.plane()
	for _, c := range []struct {
		q    control.StartRequest
		kind remora.Kind
	}{
		{control.StartRequest{JobName: "other"}, remora.NotFound},
		{control.StartRequest{JobName: "j", RetryOf: "jr_other"}, remora.NotFound},
		{control.StartRequest{JobName: "j", WorkerType: "G.1X"}, remora.Invalid},
		{control.StartRequest{JobName: "j", NumberOfWorkers: -1}, remora.Invalid},
		{control.StartRequest{JobName: "j", Arguments: map[string]string{"--object_store_memory_head": "101"}}, remora.Invalid},
	} {
		if r, err := p.accept(c.q); remora.KindOf(err) != c.kind || err == nil {
			t.Errorf("%+v: run %s, error %v; want one of kind %q", c.q, r.ID, err, c.kind)
		}
	}
	if err := p.runs.Stop(t.Context(), "j", "jr_other"); remora.KindOf(err) != remora.NotFound {
		t.Errorf("stop of an unknown run: %v", err)
	}
}
