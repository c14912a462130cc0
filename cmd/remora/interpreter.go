package main

import (
	"fmt"
	"os"

	"github.com/remora-project/remora/session"
)

// interpreterCmd is what a session's cluster runs as its driver; see package
// session.
type interpreterCmd struct {
	Argv []string `arg:"" passthrough:"" help:"The interpreter's command line."`
}

func (c interpreterCmd) Run(s *scope) error {
	argv := c.Argv
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	}
	socket := os.Getenv(session.Socket)
	if len(argv) == 0 || socket == "" {
		return usageError{fmt.Errorf("a session's cluster calls this, with a command line and %s", session.Socket)}
	}
	return session.Serve(s.ctx, session.Options{Argv: argv, Socket: socket})
}
