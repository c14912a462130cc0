package main

import (
	"context"

	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/provider/supervise"
)

// superviseCmd is what the server starts for each cluster; see package
// provider/supervise.
type superviseCmd struct {
	Dir         string `arg:"" type:"path" help:"The cluster's directory."`
	StreamLimit int64  `help:"Bytes that one log stream keeps."`
	TotalLimit  int64  `help:"Bytes that the log store keeps."`
}

// Run takes no part in Ctrl-C: the supervisor has its own way with signals.
func (c superviseCmd) Run() error {
	return supervise.Main(context.Background(), c.Dir, func(logs string) (supervise.Sink, error) {
		return server.OpenSink(logs, c.StreamLimit, c.TotalLimit)
	})
}
