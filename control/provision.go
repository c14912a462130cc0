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
	params := parameters(p.Arguments)
	for _, w := range params.warnings {
		d.tell(ctx, "warning: %s", w)
	}
	wants, err := modules.FromArguments(p.Arguments)
	if err != nil {
		return nil, err
	}
	if err := d.fetchScript(ctx, p.Command.ScriptLocation); err != nil {
		return nil, err
	}
	script := time.Since(start)

	stage := modules.Stage{Runtimes: d.cfg.Runtimes, Blobs: d.cfg.Blobs}
	env, err := stage.Prepare(ctx, p.Command.Runtime, wants, d.stageDir(), func(line string) { d.tell(ctx, "%s", line) })
	if err != nil {
		return nil, err
	}
	environment := time.Since(start) - script

	head, worker, note := d.cfg.Sizing.Nodes(p.WorkerType, p.NumberOfWorkers, params.storeHead, params.storeWorker)
	if note != "" {
		d.tell(ctx, "%s", note)
	}
	spec := remora.ClusterSpec{
		ID: d.run.ID, Runtime: env.Runtime, Head: head, Worker: worker, Workers: p.NumberOfWorkers, Env: d.cfg.Env(),
		Dir:    env.WorkingDir,
		Logs:   remora.LogTarget{Prefix: d.cfg.LogPrefix, Stream: d.run.ID},
		Record: d.record,
	}
	d.tell(ctx, "starting a Ray cluster: %s, a head and %d workers of %s", env.Runtime.Name, p.NumberOfWorkers, p.WorkerType)
	c, err := d.cfg.Provider.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	total := time.Since(d.born)
	cluster := time.Since(start) - script - environment
	d.tell(ctx, "cluster ready %s after the run was accepted: script %s, environment %s, cluster %s, control plane %s",
		seconds(total), seconds(script), seconds(environment), seconds(cluster), seconds(total-script-environment-cluster))
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

// scriptPath keeps the script's own name, which tracebacks show.
func (d *drive) scriptPath() string {
	name := path.Base(d.run.Plan.Command.ScriptLocation)
	if ext := path.Ext(name); len(ext) < 2 || ext == name || len(name) > maxName {
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
	e := remora.LogEvent{Timestamp: d.cfg.Now(), Message: "remora: " + fmt.Sprintf(format, args...)}
	group := d.cfg.LogPrefix + "/" + remora.ScriptLog
	if err := d.cfg.Logs.Append(ctx, group, d.run.ID, []remora.LogEvent{e}); err != nil && ctx.Err() == nil {
		d.log.Warn("run's log cannot be written", "err", err, "line", e.Message)
	}
}
