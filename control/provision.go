package control

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/modules"
)

// maxScript bounds a job's script; Glue's own limit is not published.
const maxScript = 16 << 20

// maxName is the longest file name that Linux's file systems take.
const maxName = 255

// provision gets ready whatever the run needs, and starts its cluster. The
// run's log says what each second went into.
func (d *drive) provision(ctx context.Context) (remora.Cluster, error) {
	p := d.run.Plan
	start := time.Now()
	if err := d.fetchScript(ctx, p.Command.ScriptLocation); err != nil {
		return nil, err
	}
	script := time.Since(start)
	tell := func(format string, args ...any) { d.tell(ctx, format, args...) }
	c, took, err := d.cfg.provision(ctx, need{
		id: d.run.ID, runtime: p.Command.Runtime, arguments: p.Arguments, workerType: p.WorkerType, workers: p.NumberOfWorkers,
		stream: d.run.ID, stageDir: d.stageDir(), record: d.record, tell: tell,
	})
	if err != nil {
		return nil, err
	}
	total := time.Since(d.born)
	tell("cluster ready %s after the run was accepted: script %s, environment %s, cluster %s, control plane %s",
		seconds(total), seconds(script), seconds(took.environment), seconds(took.cluster), seconds(total-script-took.environment-took.cluster))
	return c, nil
}

func seconds(t time.Duration) string { return fmt.Sprintf("%.3f s", t.Seconds()) }

// fetchScript copies the script into the run's work directory.
func (d *drive) fetchScript(ctx context.Context, uri string) error {
	const op = "control: fetch script"
	if err := os.MkdirAll(d.workDir(), 0o700); err != nil {
		return remora.Unavailablef(op, uri, "create the run's work directory: %w", err)
	}
	f, err := os.OpenFile(d.scriptPath(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return remora.Unavailablef(op, uri, "store the job's script: %w", err)
	}
	err = d.cfg.Blobs.Fetch(ctx, uri, f, maxScript)
	if err2 := f.Close(); err == nil && err2 != nil {
		err = remora.Unavailablef(op, uri, "store it: %w", err2)
	}
	if err != nil {
		return remora.Errorf(remora.KindOf(err), op, uri, "fetch the job's script: %s", remora.MessageOf(err))
	}
	return nil
}

func (d *drive) workDir() string { return filepath.Join(d.cfg.WorkDir, d.run.ID) }

// stageDir holds what the job brings along. Its name keeps it from being
// imported: the folder that it is in is the first on the script's path.
func (d *drive) stageDir() string { return filepath.Join(d.workDir(), ".modules") }

// scriptPath keeps the script's own name, which tracebacks show, if it can. A
// script ray.py would be what it imports itself.
func (d *drive) scriptPath() string {
	name := path.Base(d.run.Plan.Command.ScriptLocation)
	if ext := path.Ext(name); len(ext) < 2 || ext == name || len(name) > maxName || name == "ray.py" {
		name = "script.py"
	}
	return filepath.Join(d.workDir(), name)
}

// driver is the run's script as a process: the arguments become its environment.
func (d *drive) driver() (remora.Driver, error) {
	env, err := modules.Load(d.stageDir())
	if err != nil {
		return remora.Driver{}, err
	}
	return remora.Driver{
		ID:   driverID,
		Argv: []string{env.Runtime.Python, d.scriptPath()},
		Dir:  env.WorkingDir,
		Env:  parameters(d.run.Plan.Arguments).env,
	}, nil
}

// tell writes a line of Remora's own into the run's log.
func (d *drive) tell(ctx context.Context, format string, args ...any) {
	d.cfg.tell(ctx, d.run.ID, fmt.Sprintf(format, args...))
}
