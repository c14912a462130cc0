package main

import (
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

func (c superviseCmd) Run(s *scope) error {
	return supervise.Main(s.ctx, c.Dir, func(logs string) (supervise.Sink, error) {
		return server.OpenSink(logs, c.StreamLimit, c.TotalLimit)
	})
}
