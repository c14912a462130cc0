package control

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/remora-project/remora"
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

	rt, err := d.cfg.Runtimes.Ensure(ctx, p.Command.Runtime, func(line string) { d.tell(ctx, "%s", line) })
	if err != nil {
		return nil, err
	}
	environment := time.Since(start) - script

	params := parameters(p.Arguments)
	for _, w := range params.warnings {
		d.tell(ctx, "warning: %s", w)
	}
	head, worker, note := d.cfg.Sizing.Nodes(p.WorkerType, p.NumberOfWorkers, params.storeHead, params.storeWorker)
	if note != "" {
		d.tell(ctx, "%s", note)
	}
	spec := remora.ClusterSpec{
		ID: d.run.ID, Runtime: rt, Head: head, Worker: worker, Workers: p.NumberOfWorkers, Env: d.cfg.Env(),
		Logs:   remora.LogTarget{Prefix: d.cfg.LogPrefix, Stream: d.run.ID},
		Record: d.record,
	}
	d.tell(ctx, "starting a Ray cluster: %s, a head and %d workers of %s", rt.Name, p.NumberOfWorkers, p.WorkerType)
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
	body, err := d.cfg.Blobs.Read(ctx, uri, maxScript)
	if err != nil {
		return remora.Errorf(remora.KindOf(err), "control: fetch script", uri, "fetch the job's script: %s", message(err))
	}
	if err := os.MkdirAll(d.workDir(), 0o700); err != nil {
		return remora.Unavailablef("control: fetch script", uri, "create the run's work directory: %w", err)
	}
	if err := os.WriteFile(d.scriptPath(), body, 0o600); err != nil {
		return remora.Unavailablef("control: fetch script", uri, "store the job's script: %w", err)
	}
	return nil
}

func (d *drive) workDir() string { return filepath.Join(d.cfg.WorkDir, d.run.ID) }

// scriptPath keeps the script's own name, which tracebacks show.
func (d *drive) scriptPath() string {
	name := path.Base(d.run.Plan.Command.ScriptLocation)
	if ext := path.Ext(name); len(ext) < 2 || ext == name || len(name) > maxName {
		name = "script.py"
	}
	return filepath.Join(d.workDir(), name)
}

// driver is the run's script as a process: the arguments become its environment.
func (d *drive) driver(ctx context.Context) (remora.Driver, error) {
	rt, err := d.cfg.Runtimes.Ensure(ctx, d.run.Plan.Command.Runtime, func(line string) { d.tell(ctx, "%s", line) })
	if err != nil {
		return remora.Driver{}, err
	}
	return remora.Driver{
		ID:   driverID,
		Argv: []string{rt.Python, d.scriptPath()},
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
