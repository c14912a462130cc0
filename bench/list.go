package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/remora-project/remora"
	"github.com/remora-project/remora/store/sqlite"
)

// fill writes a job and so many ended runs into the store of a data directory,
// as the server would have in their time; it returns some of the runs' ids.
func fill(ctx context.Context, dataDir string, runs int) ([]string, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, err
	}
	store, err := sqlite.Open(filepath.Join(dataDir, "remora.db"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	start := time.Now()
	document := []byte(`{"Name":"` + job + `","Role":"any","ExecutionProperty":{"MaxConcurrentRuns":1},` +
		`"Command":{"Name":"glueray","ScriptLocation":"s3://bench/sleeper.py","PythonVersion":"3.9","Runtime":"Ray2.60"},` +
		`"WorkerType":"Z.2X","NumberOfWorkers":1,"GlueVersion":"4.0","JobRunQueuingEnabled":true}`)
	command := remora.Command{Name: "glueray", Runtime: "Ray2.60", PythonVersion: "3.9", ScriptLocation: "s3://bench/sleeper.py"}
	err = store.CreateJob(ctx, remora.Job{Name: job, Command: command, WorkerType: "Z.2X", NumberOfWorkers: 1,
		MaxConcurrentRuns: 1, Queuing: true, GlueVersion: "4.0", CreatedOn: start, LastModifiedOn: start, Document: document},
		"arn:aws:glue:us-east-1:000000000000:job/"+job, nil)
	if err != nil {
		return nil, err
	}
	ids := make([]string, runs)
	work := make(chan int)
	errs := make(chan error, 64)
	for range cap(errs) { // side by side, for the sake of group commit
		go func() {
			for i := range work {
				if err := past(ctx, store, ids[i], command); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	fmt.Fprintf(os.Stderr, "filling the store with %d runs …\n", runs)
	for i := range ids {
		ids[i] = remora.NewRunID()
		select {
		case work <- i:
		case err := <-errs:
			return nil, err
		}
	}
	close(work)
	for range cap(errs) {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// past is one run that has ended.
func past(ctx context.Context, store *sqlite.Store, id string, c remora.Command) error {
	now := time.Now()
	plan := remora.RunPlan{Command: c, Arguments: map[string]string{"--input": "s3://bench/in", "--output": "s3://bench/out"},
		WorkerType: "Z.2X", NumberOfWorkers: 1, DPUPerWorker: 2, Timeout: 480 * time.Minute, GlueVersion: "4.0"}
	r := remora.Run{ID: id, JobName: job, Arguments: plan.Arguments, Plan: plan, StartedOn: now, LastModifiedOn: now,
		CompletedOn: now, ExecutionTime: time.Minute, DPUSeconds: 120, Document: []byte("{}")}
	_, err := store.CreateRun(ctx, r, func(int, int) (remora.RunState, error) { return remora.Starting, nil })
	if err != nil {
		return err
	}
	for _, state := range []remora.RunState{remora.Running, remora.Succeeded} {
		if _, err := store.ChangeRun(ctx, id, func(r *remora.Run) (*remora.Run, error) { r.State = state; return nil, nil }); err != nil {
			return err
		}
	}
	return nil
}

// benchList pages through all runs by the API and compares the cost of the
// first pages with that of the last.
func benchList(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "remora-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := fill(ctx, filepath.Join(dir, "data"), *pastRuns); err != nil {
		return err
	}
	srv, err := startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer srv.stop()
	client := srv.glue()
	var took sample
	seen := 0
	in := &glue.GetJobRunsInput{JobName: aws.String(job), MaxResults: aws.Int32(200)}
	for {
		start := time.Now()
		out, err := client.GetJobRuns(ctx, in)
		if err != nil {
			return err
		}
		took = append(took, time.Since(start))
		seen += len(out.JobRuns)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if seen != *pastRuns {
		return fmt.Errorf("paging saw %d of %d runs", seen, *pastRuns)
	}
	rows := [][]string{{"pages of 200 runs", "p50 ms", "p99 ms"}}
	tenth := len(took) / 10
	for i := range 10 {
		part := took[i*tenth : (i+1)*tenth]
		rows = append(rows, []string{strconv.Itoa(i*tenth+1) + " to " + strconv.Itoa((i+1)*tenth), ms(part.at(0.5)), ms(part.at(0.99))})
	}
	first, last := took[:tenth], took[9*tenth:]
	table(fmt.Sprintf("Listing: GetJobRuns over %d runs, %d pages", seen, len(took)), rows...)
	fmt.Printf("\nlast tenth to first tenth, p50: %.2f (1 is constant cost)\n", float64(last.at(0.5))/float64(first.at(0.5)))
	return nil
}
