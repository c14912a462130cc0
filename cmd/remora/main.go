// Command remora runs Ray scripts behind the AWS Glue API.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/remora-project/remora"
)

// Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is
// wrong, 130 interrupted.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

var cli struct {
	DataDir string `help:"Folder with jobs, runs, logs and objects (default: remora below $$XDG_DATA_HOME or ~/.local/share)." placeholder:"DIR" env:"REMORA_DATA_DIR"`
	Config  string `help:"Configuration file (default: remora/config.toml below $$XDG_CONFIG_HOME or ~/.config)." placeholder:"FILE" env:"REMORA_CONFIG"`

	Serve    serveCmd    `cmd:"" help:"Start the service: the API endpoint and the S3 store."`
	Run      runCmd      `cmd:"" help:"Run a script on this machine, without a server: cluster up, script, cluster down."`
	Status   statusCmd   `cmd:"" help:"Show what a running server is busy with, and what clusters that are kept ready cost."`
	Env      envCmd      `cmd:"" help:"Print the environment that points AWS clients at a running server, for eval."`
	Logs     logsCmd     `cmd:"" help:"Print the log of a job run or a session."`
	Keys     keysCmd     `cmd:"" help:"List, rotate and revoke access keys."`
	Runtime  runtimeCmd  `cmd:"" help:"List and build Python environments."`
	Notebook notebookCmd `cmd:"" help:"Open JupyterLab with a kernel that runs its cells on Ray."`
	Doctor   doctorCmd   `cmd:"" help:"Check what this machine needs to run jobs, and say what to do."`
	Version  versionCmd  `cmd:"" help:"Print the version."`

	Supervise   superviseCmd   `cmd:"" hidden:"" help:"Look after one cluster's processes; started by the server."`
	Interpreter interpreterCmd `cmd:"" hidden:"" help:"Keep a session's Python; started by its cluster."`
}

func main() {
	parser := kong.Must(&cli, kong.Name("remora"), kong.UsageOnError(),
		kong.Description("Remora runs unmodified Ray scripts for clients of the AWS Glue API, on your own machines."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Exit(func(code int) {
			if code != 0 {
				code = exitUsage
			}
			os.Exit(code)
		}))
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = command.Run(&scope{ctx: ctx, base: context.Background()})
	interrupted := ctx.Err() != nil
	stop()
	os.Exit(report(err, interrupted))
}

// report prints what went wrong and returns the exit code.
func report(err error, interrupted bool) int {
	if err == nil {
		return 0
	}
	if interrupted && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "remora:", message(err))
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// message leaves out what only the service's log needs.
func message(err error) string {
	var e *remora.Error
	if errors.As(err, &e) && e.Kind != remora.Internal {
		return e.Message()
	}
	return err.Error()
}

// usageError is a mistake in the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
