package control_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
)

// packed makes a zip of names and contents in turn.
func packed(t *testing.T, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for f := range slices.Chunk(files, 2) {
		w, err := z.Create(f[0])
		if err == nil {
			_, err = io.WriteString(w, f[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// pyNote is note in Python.
const pyNote = "import os\nopen(os.environ['out'] + '/' + os.environ['REMORA_CLUSTER'], 'a').write('ran\\n')\n"

// usesModules is a script that fails if anything is missing of what the job has
// by bringing.
const usesModules = pyNote + `
import sys
import own, one, util, two, three
assert open("data.txt").read() == "data", os.getcwd()
assert (own.x, one.x, util.x, two.x, three.x) == ("own", "one", "util", "two", "three")
home = os.path.dirname(__file__) + "/.modules/"
brought = [p for p in sys.path[1:] if p.startswith(home)]
assert os.getcwd() == brought[0], (os.getcwd(), brought)
found = [[f for f in os.listdir(p) if f != "__pycache__"] for p in brought[1:]]
assert found == [["one"], ["util.py"], ["two"], ["three"]], found
after = sys.path[sys.path.index(brought[-1]) + 1:]
assert after[:2] == ["/overlay/a==1", "/overlay/w-1-py3-none-any.whl"], after
assert os.environ["working-dir"] == "s3://b/app.zip" and os.environ["pip-install"] == "a==1"
print("all there")
`

// bringing has a job bring something along by each of the arguments.
func (b *bed) bringing(j *remora.Job) {
	j.Command.Runtime = "python"
	j.DefaultArguments = map[string]string{"--out": b.out(""), "--working-dir": "s3://b/app.zip", "--s3-py-modules": "s3://b/one.zip",
		"--extra-py-files": "s3://b/util.py,s3://b/two.zip", "--pip-install": "a==1",
		"--additional-python-modules": "s3://b/three.zip,s3://b/w-1-py3-none-any.whl"}
	for uri, body := range map[string][]byte{
		"s3://b/app.zip":              packed(b.t, "app/data.txt", "data", "app/own.py", "x = 'own'"),
		"s3://b/one.zip":              packed(b.t, "one/__init__.py", "x = 'one'"),
		"s3://b/two.zip":              packed(b.t, "two/__init__.py", "x = 'two'"),
		"s3://b/three.zip":            packed(b.t, "three/__init__.py", "x = 'three'"),
		"s3://b/util.py":              []byte("x = 'util'"),
		"s3://b/w-1-py3-none-any.whl": []byte("a wheel"),
	} {
		b.blobs[uri] = body
	}
}

func TestModules(t *testing.T) {
	b := newBed(t)
	b.job("j", usesModules, b.bringing)
	r := b.want(b.plane().start("j").ID, remora.Succeeded)
	log := strings.Join(b.log(r.ID), "\n")
	for _, want := range []string{"all there", "remora: getting packages a==1, s3://b/three.zip, s3://b/w-1-py3-none-any.whl; modules s3://b/one.zip; " +
		"files s3://b/util.py, s3://b/two.zip; working directory s3://b/app.zip"} {
		if !strings.Contains(log, want) {
			t.Errorf("the run's log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "warning") {
		t.Errorf("there is a warning in the run's log:\n%s", log)
	}
}

// What is ready is on disk: once there is a cluster, the control plane that
// takes over needs neither S3 nor the index for its script.
func TestModulesAfterKill(t *testing.T) {
	for _, moment := range []string{"after " + clusterStarted, "before " + runningStored, "after " + runningStored, "before " + driverStarted,
		"after " + driverStarted} {
		t.Run(moment, func(t *testing.T) {
			b := newBed(t)
			b.job("j", usesModules, b.bringing)
			id := b.killedAt(moment, "j")
			clear(b.blobs)
			p := b.newPlane(func(c *control.Config) { c.Runtimes = noRuntimes{} })
			if err := p.runs.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.want(id, remora.Succeeded)
			if n := b.executions(id); n != 1 {
				t.Errorf("the script was executed %d times", n)
			}
		})
	}
}

// Without a cluster everything is got ready once more.
func TestModulesAfterKillBeforeTheCluster(t *testing.T) {
	for _, moment := range []string{"after " + scriptFetched, "before " + clusterStarted, "before " + handleRecorded, "after " + handleRecorded} {
		t.Run(moment, func(t *testing.T) {
			b := newBed(t)
			b.job("j", usesModules, b.bringing)
			id := b.killedAt(moment, "j")
			b.blobs["s3://b/one.zip"] = packed(t, "one/__init__.py", "x = 'one'", "one/new.py", "")
			b.plane()
			b.want(id, remora.Succeeded)
			if n := b.executions(id); n != 1 {
				t.Errorf("the script was executed %d times", n)
			}
		})
	}
	b := newBed(t)
	b.job("j", usesModules, b.bringing)
	id := b.killedAt("before "+clusterStarted, "j")
	p := b.newPlane(func(c *control.Config) { c.Runtimes = noRuntimes{} })
	if err := p.runs.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(id, remora.Failed, "the environment is gone")
}

// A run whose environment is lost while nobody looks fails, and takes its
// cluster along.
func TestModulesAreGone(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(stage string) error
		says string
	}{
		"removed": {os.RemoveAll, "the job's environment is not there"},
		"torn":    {func(stage string) error { return os.Truncate(filepath.Join(stage, "ready.json"), 10) }, "read the job's environment"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.job("j", usesModules, b.bringing)
			id := b.killedAt("after "+clusterStarted, "j")
			if err := c.harm(filepath.Join(b.dir, "work", id, ".modules")); err != nil {
				t.Fatal(err)
			}
			b.plane()
			b.want(id, remora.Failed, c.says)
			if n := b.executions(id); n != 0 {
				t.Errorf("the script was executed %d times", n)
			}
		})
	}
}

// A run whose modules cannot be had fails in the words of who found out. There
// is never a cluster for it, and nothing of it is left.
func TestModulesCannotBeHad(t *testing.T) {
	for _, c := range []struct {
		name, argument, value string
		runtimes              remora.Runtimes
		message               []string
	}{
		{"no object", "--s3-py-modules", "s3://b/one.zip,s3://b/none.zip", nil, []string{"--s3-py-modules s3://b/none.zip: there is no object s3://b/none.zip"}},
		{"no file", "--extra-py-files", "s3://b/none.py", nil, []string{"--extra-py-files s3://b/none.py: there is no object"}},
		{"no wheel", "--pip-install", "s3://b/none.whl", nil, []string{"--pip-install s3://b/none.whl: there is no object"}},
		{"no working directory", "--working-dir", "s3://b/none.zip", nil, []string{"--working-dir s3://b/none.zip: there is no object"}},
		{"hostile", "--s3-py-modules", "s3://b/evil.zip", nil, []string{"--s3-py-modules s3://b/evil.zip: ", `entry "pkg/../../evil" leads out of the archive`}},
		{"no zip", "--working-dir", "s3://b/text.zip", nil, []string{"--working-dir s3://b/text.zip: ", "it is damaged or no zip"}},
		{"twice", "--s3-py-modules", "s3://b/one.zip,s3://c/one.zip", nil, []string{`a module "one" comes from s3://b/one.zip as well`}},
		{"packages", "--pip-install", "nosuch", noRuntimes{}, []string{"the environment is gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.job("j", note, func(j *remora.Job) { j.DefaultArguments = with(j.DefaultArguments, c.argument, c.value) })
			b.blobs["s3://b/one.zip"] = packed(t, "one/__init__.py", "")
			b.blobs["s3://c/one.zip"] = b.blobs["s3://b/one.zip"]
			b.blobs["s3://b/evil.zip"] = packed(t, "pkg/a.py", "", "pkg/../../evil", "evil")
			b.blobs["s3://b/text.zip"] = []byte("text")
			p := b.newPlane(func(cfg *control.Config) {
				if c.runtimes != nil {
					cfg.Runtimes = c.runtimes
				}
			})
			r := b.want(p.start("j").ID, remora.Failed, c.message...)
			if got := b.watch.states(t, r.ID); got != "STARTING FAILED" {
				t.Errorf("the run was %s", got)
			}
			if b.executions(r.ID) != 0 || r.DPUSeconds != 0 || r.ExecutionTime != 0 {
				t.Errorf("the run was executed or billed: %+v", r)
			}
			if log := strings.Join(b.log(r.ID), "\n"); !strings.Contains(log, "remora: the script was not started: ") || !strings.Contains(log, c.message[0]) ||
				strings.Contains(log, "starting a Ray cluster") {
				t.Errorf("the run's log:\n%s", log)
			}
		})
	}
}

// What no run could have is refused before there is a run.
func TestModulesThatMakeNoSense(t *testing.T) {
	b := newBed(t)
	b.job("j", note)
	p := b.plane()
	for argument, value := range map[string]string{"--pip-install": "/etc/a.whl", "--additional-python-modules": "a @ file:///etc/a.whl",
		"--s3-py-modules": "one.zip", "--extra-py-files": "s3://b/one.egg", "--working-dir": "/srv"} {
		r, err := p.accept(control.StartRequest{JobName: "j", Arguments: map[string]string{argument: value}})
		if remora.KindOf(err) != remora.Invalid || !strings.Contains(remora.MessageOf(err), argument+` has "`+value+`": `) {
			t.Errorf("%s %s: run %s, %v", argument, value, r.ID, err)
		}
	}
	if !b.idle() {
		t.Error("a run that was refused is there")
	}
}

// slowBlobs do not answer for what a job brings along.
type slowBlobs struct {
	blobs
	asked chan struct{}
}

func (s slowBlobs) Fetch(ctx context.Context, uri string, w io.Writer, limit int64) error {
	if strings.HasPrefix(uri, "s3://scripts/") {
		return s.blobs.Fetch(ctx, uri, w, limit)
	}
	close(s.asked)
	<-ctx.Done()
	return remora.Unavailablef("test", uri, "given up: %w", ctx.Err())
}

func TestStopWhileModulesAreFetched(t *testing.T) {
	b := newBed(t)
	b.job("j", usesModules, b.bringing)
	asked := make(chan struct{})
	p := b.newPlane(func(c *control.Config) { c.Blobs = slowBlobs{b.blobs, asked} })
	r := p.start("j")
	b.eventually(func() bool { return isClosed(asked) }, "the working directory is not fetched")
	p.stop(r)
	r = b.want(r.ID, remora.Stopped)
	if got := b.watch.states(t, r.ID); got != "STARTING STOPPING STOPPED" || b.executions(r.ID) != 0 {
		t.Errorf("the run was %s", got)
	}
}
