package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
)

// cells are how many statements each session runs.
const cells = 20

// first is a job that prints a line at once.
const first = `import time
print("DONE", time.time(), flush=True)
`

// plainKernel is the peer: IPython's own kernel on this machine, without a
// cluster, a server or a signature.
const plainKernel = `import json, sys, time
from jupyter_client.manager import start_new_kernel
begin = time.perf_counter()
manager, client = start_new_kernel(kernel_name="python3")
ready, cells = time.perf_counter() - begin, []
for _ in range(int(sys.argv[1])):
    begin = time.perf_counter()
    client.execute_interactive("1+1", output_hook=lambda message: None)
    cells.append(time.perf_counter() - begin)
client.stop_channels()
manager.shutdown_kernel()
print(json.dumps({"ready": ready, "cells": cells}))
`

// benchSession measures a session and a job on a cluster that was kept ready.
func benchSession(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "remora-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "config.toml")
	warm := fmt.Sprintf("[[warm]]\nruntime = \"Ray2.60\"\nworkers = %d\n", workers)
	if err := os.WriteFile(config, []byte(warm), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("REMORA_CONFIG", config); err != nil {
		return err
	}
	defer os.Unsetenv("REMORA_CONFIG")
	srv, err := startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer srv.stop()
	if err := scriptJob(ctx, srv, first); err != nil {
		return err
	}
	notebook, err := exec.CommandContext(ctx, *remoraPath, "runtime", "build", "notebook").Output()
	if err != nil {
		return fmt.Errorf("build the peer's environment: %w", err)
	}
	var ready, line, statement, peerReady, peerCell sample
	for range *repeats {
		if err := awaitWarm(ctx, srv); err != nil {
			return err
		}
		if err := oneSession(ctx, srv, &ready, &statement); err != nil {
			return err
		}
		if err := awaitWarm(ctx, srv); err != nil {
			return err
		}
		took, _, err := viaService(ctx, srv)
		if err != nil {
			return err
		}
		line = append(line, took)
		if err := onePlainKernel(ctx, strings.TrimSpace(string(notebook)), &peerReady, &peerCell); err != nil {
			return err
		}
	}
	row := func(name string, s sample) []string { return []string{name, ms(s.at(0.5)), ms(s.at(0)), ms(s.at(1))} }
	table(fmt.Sprintf("Sessions on a cluster that was kept ready, a head and %d workers: milliseconds", workers),
		[]string{"", "median", "least", "most"},
		row("CreateSession to READY", ready),
		row("peer: start of an ipykernel, no cluster", peerReady),
		row("1+1, RunStatement to AVAILABLE", statement),
		row("peer: 1+1 in an ipykernel", peerCell),
		row("StartJobRun to the script's first line", line),
	)
	return nil
}

// awaitWarm returns when a cluster is ready.
func awaitWarm(ctx context.Context, srv *server) error {
	for deadline := time.Now().Add(2 * time.Minute); ; {
		out, err := exec.CommandContext(ctx, *remoraPath, "--data-dir", srv.dataDir(), "status").Output()
		if err == nil && strings.Contains(string(out), " 1 clusters ready") {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("no cluster was ready within two minutes: %s %w", out, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// oneSession is a session's life with its statements.
func oneSession(ctx context.Context, srv *server, ready, statement *sample) error {
	client, id := srv.glue(), aws.String(fmt.Sprint("bench-", time.Now().UnixNano()))
	begin := time.Now()
	if _, err := client.CreateSession(ctx, &glue.CreateSessionInput{Id: id, Role: aws.String("arn:aws:iam::000000000000:role/any"),
		Command: &types.SessionCommand{Name: aws.String("glueray"), PythonVersion: aws.String("3.9")}, GlueVersion: aws.String("4.0"),
		WorkerType: types.WorkerTypeZ2x, NumberOfWorkers: aws.Int32(workers), DefaultArguments: map[string]string{"--runtime": "Ray2.60"}}); err != nil {
		return err
	}
	for status := types.SessionStatusProvisioning; status != types.SessionStatusReady; {
		out, err := client.GetSession(ctx, &glue.GetSessionInput{Id: id})
		if err != nil {
			return err
		}
		if status = out.Session.Status; status != types.SessionStatusReady && status != types.SessionStatusProvisioning {
			return fmt.Errorf("the session is %s: %s", status, aws.ToString(out.Session.ErrorMessage))
		}
	}
	*ready = append(*ready, time.Since(begin))
	for range cells {
		begin := time.Now()
		run, err := client.RunStatement(ctx, &glue.RunStatementInput{SessionId: id, Code: aws.String("1+1")})
		if err != nil {
			return err
		}
		for state := types.StatementStateWaiting; state != types.StatementStateAvailable; {
			out, err := client.GetStatement(ctx, &glue.GetStatementInput{SessionId: id, Id: run.Id})
			if err != nil {
				return err
			}
			state = out.Statement.State
		}
		*statement = append(*statement, time.Since(begin))
	}
	_, err := client.StopSession(ctx, &glue.StopSessionInput{Id: id})
	return err
}

func onePlainKernel(ctx context.Context, python string, ready, cell *sample) error {
	out, err := exec.CommandContext(ctx, python, "-c", plainKernel, fmt.Sprint(cells)).Output()
	if err != nil {
		return fmt.Errorf("the peer: %w", err)
	}
	var got struct {
		Ready float64
		Cells []float64
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("read what the peer printed, %q: %w", out, err)
	}
	second := float64(time.Second)
	*ready = append(*ready, time.Duration(got.Ready*second))
	for _, c := range got.Cells {
		*cell = append(*cell, time.Duration(c*second))
	}
	return nil
}
