package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/remora-project/remora/internal/server"
)

type serveCmd struct {
	Listen    string `help:"Address of the API endpoint: Glue, CloudWatch Logs, STS (default 127.0.0.1:4747; port 0 takes a free one)." placeholder:"HOST:PORT"`
	S3Listen  string `name:"s3-listen" help:"Address of the S3 endpoint (default 127.0.0.1:4748; port 0 takes a free one)." placeholder:"HOST:PORT"`
	ReadyFile string `help:"Write addresses and process id to this file, as JSON, once the service is ready." type:"path" placeholder:"FILE"`
}

// shutdownTime bounds how long open requests may hold up the end.
const shutdownTime = 10 * time.Second

func (c serveCmd) Run(s *scope) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	dir, err := s.dataDir()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the remora program, to start clusters with: %w", err)
	}
	srv, err := server.Open(s.ctx, server.Options{DataDir: dir, Config: cfg, Listen: c.Listen, S3Listen: c.S3Listen,
		Program: self, Log: s.logger(), Now: time.Now})
	if err != nil {
		return err
	}
	ready := srv.Ready()
	if c.ReadyFile != "" {
		if err := server.WriteReady(c.ReadyFile, ready); err != nil {
			return errors.Join(err, srv.Close(context.Background()))
		}
		defer os.Remove(c.ReadyFile)
	}
	fmt.Printf("remora: ready: API %s, S3 %s, data in %s (process %d)\n", ready.Endpoint, ready.S3Endpoint, dir, ready.PID)
	var failure error
	select {
	case <-s.ctx.Done():
	case failure = <-srv.Err():
	}
	open := srv.Open()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err = srv.Close(ctx)
	if open > 0 {
		fmt.Printf("remora: stopped; open runs and sessions (%d) go on without the server, and the next one takes them over\n", open)
	}
	return errors.Join(failure, err)
}
