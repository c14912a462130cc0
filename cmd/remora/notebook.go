package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/remora-project/remora/internal/notebook"
	"github.com/remora-project/remora/internal/server"
)

type notebookCmd struct {
	Dir     string   `type:"existingdir" default:"." help:"Folder with notebooks." placeholder:"DIR"`
	Browser bool     `default:"true" negatable:"" help:"Open a browser."`
	Check   bool     `help:"Run a few cells without a browser, say what works, and end."`
	Args    []string `arg:"" optional:"" passthrough:"" help:"A notebook to open, and more arguments of jupyter lab."`
}

// Run ends well on Ctrl-C, which is the way to end JupyterLab.
func (c notebookCmd) Run(s *scope) error {
	ctx, stop := signal.NotifyContext(s.ctx, syscall.SIGHUP)
	defer stop()
	o, err := c.options(s)
	if err != nil {
		return err
	}
	cache, err := s.runtimes()
	if err != nil {
		return err
	}
	if o.Environment, err = cache.Notebook(ctx, o.Say); err != nil {
		return err
	}
	if c.Check {
		return notebook.Check(ctx, o)
	}
	if err = notebook.Run(ctx, o); ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (c notebookCmd) options(s *scope) (o notebook.Options, err error) {
	self, err := os.Executable()
	if err != nil {
		return o, fmt.Errorf("find the remora program, to start a server with: %w", err)
	}
	data, err := s.dataDir()
	if err != nil {
		return o, err
	}
	if data, err = filepath.Abs(data); err != nil {
		return o, err
	}
	o = notebook.Options{
		Serve:       []string{self, "--data-dir", data},
		Running:     func() (server.Ready, bool) { return server.Running(data) },
		Credentials: s.credentials, Dir: c.Dir, Browser: c.Browser, Args: c.Args,
		Say: func(line string) { fmt.Fprintln(os.Stderr, "remora:", line) },
	}
	if cli.Config != "" {
		o.Serve = append(o.Serve, "--config", cli.Config)
	}
	o.Serve = append(o.Serve, "serve")
	if len(o.Args) > 0 && o.Args[0] == "--" {
		o.Args = o.Args[1:]
	}
	return o, nil
}
