package control

import (
	"context"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/modules"
)

// need is what a run or a session needs of a cluster.
type need struct {
	id         string // of the cluster
	runtime    string
	arguments  map[string]string // effective
	workerType string
	workers    int
	stream     string // of its logs
	stageDir   string // for what it brings along, see modules.Stage
	record     func(context.Context, remora.Handle) error
	tell       func(format string, args ...any) // a line in its log
}

// spent says where the time of a start went.
type spent struct{ environment, cluster time.Duration }

// provision gets the environment ready and starts the cluster.
func (cfg Config) provision(ctx context.Context, n need) (remora.Cluster, spent, error) {
	var took spent
	start := time.Now()
	params := parameters(n.arguments)
	for _, w := range params.warnings {
		n.tell("warning: %s", w)
	}
	wants, err := modules.FromArguments(n.arguments)
	if err != nil {
		return nil, took, err
	}
	stage := modules.Stage{Runtimes: cfg.Runtimes, Blobs: cfg.Blobs}
	env, err := stage.Prepare(ctx, n.runtime, wants, n.stageDir, func(line string) { n.tell("%s", line) })
	if err != nil {
		return nil, took, err
	}
	took.environment = time.Since(start)

	head, worker, note := cfg.Sizing.Nodes(n.workerType, n.workers, params.storeHead, params.storeWorker)
	if note != "" {
		n.tell("%s", note)
	}
	target := remora.LogTarget{Prefix: cfg.LogPrefix, Stream: n.stream}
	if c := cfg.Warm.claim(ctx, n, env, head, worker, target); c != nil {
		n.tell("on a cluster that was ready: %s, a head and %d workers of %s", env.Runtime.Name, n.workers, n.workerType)
		took.cluster = time.Since(start) - took.environment
		return c, took, nil
	}
	n.tell("starting a Ray cluster: %s, a head and %d workers of %s", env.Runtime.Name, n.workers, n.workerType)
	c, err := cfg.Provider.Start(ctx, remora.ClusterSpec{
		ID: n.id, Runtime: env.Runtime, Head: head, Worker: worker, Workers: n.workers, Env: cfg.Env(),
		Dir: env.WorkingDir, Logs: target, Record: n.record,
	})
	took.cluster = time.Since(start) - took.environment
	return c, took, err
}

// tell writes a line of Remora's own into the log of a run or a session.
func (cfg Config) tell(ctx context.Context, stream, line string) {
	e := remora.LogEvent{Timestamp: cfg.Now(), Message: "remora: " + line}
	group := cfg.LogPrefix + "/" + remora.ScriptLog
	if err := cfg.Logs.Append(ctx, group, stream, []remora.LogEvent{e}); err != nil && ctx.Err() == nil {
		cfg.Log.Warn("a log cannot be written", "stream", stream, "err", err, "line", line)
	}
}
