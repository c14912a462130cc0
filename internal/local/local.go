// Package local runs a script on a Ray cluster of this machine that lives as
// long as the script does, without a server.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/scratch"
	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/provider/ray"
	"github.com/remora-project/remora/provider/supervise"
	"github.com/remora-project/remora/runtimes"
)

// Options say what to run.
type Options struct {
	Program  string // path of remora, by which the cluster starts its supervisor
	Config   config.Config
	Runtime  string
	Packages []string // pip's requirements, to go over the runtime
	Script   string
	Args     []string
	Env      map[string]string // over the caller's environment
	Say      func(line string) // gets what takes long before the script starts
	// Signals delivers SIGINT, SIGTERM and SIGHUP from the first moment on.
	Signals <-chan os.Signal
}

// Run runs the script to its end and returns its exit status, or 128 and the
// signal that ended it, or that came before it was started. The script has the
// caller's terminal, environment and working directory. When Run returns,
// nothing of the cluster is left.
func Run(ctx context.Context, o Options) (status int, err error) {
	dir, err := folder()
	if err != nil {
		return 0, err
	}
	defer dir.Remove()

	starting, cancel := untilSignal(ctx, o.Signals)
	cluster, argv, env, err := o.start(starting, dir)
	cancel()
	if cluster != nil {
		defer func() {
			// Signals that come now change nothing: it takes a second.
			if err2 := cluster.Stop(context.WithoutCancel(ctx)); err2 != nil {
				err = errors.Join(err, fmt.Errorf("take the cluster down: %w", err2))
			}
		}()
	}
	if by := (interruption{}); errors.As(context.Cause(starting), &by) {
		return by.status(), nil
	}
	if err != nil {
		return 0, err
	}
	return drive(argv, env, time.Duration(o.Config.Runs.Grace), o.Signals)
}

// folder is for what the run's cluster writes and nobody reads once it is over.
// Its lock says that the run goes on, to the cluster's supervisor too, which
// holds it when the run was killed until the cluster is gone. It is the user's
// own: the folder of environments may be shared.
func folder() (*scratch.Folder, error) {
	defaults, err := config.Default()
	if err != nil {
		return nil, err
	}
	base := filepath.Join(filepath.Dir(defaults.Runtime.CacheDir), "local")
	err = os.MkdirAll(base, 0o700)
	if err == nil {
		var f *scratch.Folder
		if f, err = scratch.Make(base, "run-"); err == nil {
			return f, nil
		}
	}
	return nil, remora.Unavailablef("local: run", base, "make a folder for the run: %w; set XDG_CACHE_HOME to a folder of your own", err)
}

// start gets a cluster up, and returns the script's command line and environment.
func (o Options) start(ctx context.Context, dir *scratch.Folder) (_ localCluster, argv, environ []string, err error) {
	cache, err := runtimes.Open(o.Config.Runtime.CacheDir, runtimes.Options{Python: o.Config.Runtime.Python})
	if err != nil {
		return nil, nil, nil, err
	}
	rt, err := cache.Overlay(ctx, o.Runtime, o.Packages, o.Say)
	if err != nil {
		return nil, nil, nil, err
	}
	if path := os.Getenv("PYTHONPATH"); path != "" {
		rt.Path = append(filepath.SplitList(path), rt.Path...)
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("find the working directory: %w", err)
	}
	runDir, err := supervise.RunDir(dir.Path)
	if err != nil {
		return nil, nil, nil, err
	}
	provider := ray.New(ray.Config{
		Supervisor: server.SupervisorCommand(o.Program, o.Config.Logs), RunDir: runDir, LogStore: filepath.Join(dir.Path, "logs"),
		Overlay: server.OverlayCommand(o.Program, o.Config.Runtime),
	})
	c, err := provider.Start(ctx, remora.ClusterSpec{
		ID: remora.NewClusterID("local"), Runtime: rt, Head: server.HostSizing(nil).Single(), Env: o.environment(), Dir: cwd,
		Logs:   remora.LogTarget{Prefix: "/local", Stream: "run"},
		Record: func(context.Context, remora.Handle) error { return nil }, // it ends with its owner
		Owner:  dir.Lock(),
	})
	if err != nil {
		return nil, nil, nil, err
	}
	cluster := c.(localCluster)
	env, err := cluster.DriverEnv(ctx)
	if err != nil {
		return cluster, nil, nil, err
	}
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	return cluster, append([]string{rt.Python, o.Script}, o.Args...), environ, nil
}

// localCluster is what a cluster of provider/ray is besides.
type localCluster interface {
	remora.Cluster
	DriverEnv(context.Context) (map[string]string, error)
}
