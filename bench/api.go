package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const job = "bench"

// sleeper is the script of the one run that keeps the job's place, so that all
// further runs are recorded and wait.
const sleeper = "import time\ntime.sleep(3600)\n"

// benchAPI puts a steady load on a server with many past runs. Latency counts
// from when a request was due, so that a stall shows in all that it holds up.
func benchAPI(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "remora-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ids, err := fill(ctx, filepath.Join(dir, "data"), *pastRuns)
	if err != nil {
		return err
	}
	srv, err := startServer(ctx, dir)
	if err != nil {
		return err
	}
	defer srv.stop()
	client := srv.glue()
	first, err := holdPlace(ctx, srv, client)
	if err != nil {
		return err
	}
	defer stopAll(client, first)

	calls := []struct {
		name  string
		share int // of 10
		call  func(context.Context) error
	}{
		{"GetJob", 4, func(ctx context.Context) error {
			_, err := client.GetJob(ctx, &glue.GetJobInput{JobName: aws.String(job)})
			return err
		}},
		{"GetJobRun", 4, func(ctx context.Context) error {
			_, err := client.GetJobRun(ctx, &glue.GetJobRunInput{JobName: aws.String(job), RunId: &ids[rand.IntN(len(ids))]})
			return err
		}},
		{"StartJobRun", 2, func(ctx context.Context) error {
			_, err := client.StartJobRun(ctx, &glue.StartJobRunInput{JobName: aws.String(job), Arguments: map[string]string{"--n": "1"}})
			return err
		}},
	}
	disk, loop, stopPeers := peers(ctx, dir)
	var mu sync.Mutex
	took := map[string]sample{}
	var failures []error
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range *rate * *seconds {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(*rate))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return ctx.Err()
		}
		n := rand.IntN(10)
		c := calls[0]
		for _, c = range calls {
			if n -= c.share; n < 0 {
				break
			}
		}
		wg.Go(func() {
			err := c.call(ctx)
			d := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			took[c.name] = append(took[c.name], d)
			if err != nil {
				failures = append(failures, fmt.Errorf("%s: %w", c.name, err))
			}
		})
	}
	wg.Wait()
	stopPeers()
	now, peak, err := srv.resident()
	if err != nil {
		return err
	}
	rows := [][]string{{"", "calls", "p50 ms", "p99 ms", "max ms", "goal p99"}}
	goals := map[string]string{"GetJob": "5", "GetJobRun": "5", "StartJobRun": "15"}
	for _, c := range calls {
		s := took[c.name]
		rows = append(rows, []string{c.name, strconv.Itoa(len(s)), ms(s.at(0.5)), ms(s.at(0.99)), ms(s.at(1)), goals[c.name]})
	}
	rows = append(rows,
		[]string{"peer: write and fsync of 4 KiB", strconv.Itoa(len(*disk)), ms(disk.at(0.5)), ms(disk.at(0.99)), ms(disk.at(1)), ""},
		[]string{"peer: HTTP over loopback, empty handler", strconv.Itoa(len(*loop)), ms(loop.at(0.5)), ms(loop.at(0.99)), ms(loop.at(1)), ""})
	table(fmt.Sprintf("API: %d requests a second for %d s, %d past runs, a cluster running beside; %d failed",
		*rate, *seconds, *pastRuns, len(failures)), rows...)
	fmt.Printf("\nserver resident: %.0f MiB, peak %.0f MiB (goal: below 150)\n", now, peak)
	if len(failures) > 0 {
		return fmt.Errorf("%d requests failed, the first: %w", len(failures), failures[0])
	}
	return nil
}

// holdPlace makes the job and starts the run that the others wait for.
func holdPlace(ctx context.Context, srv *server, client *glue.Client) (string, error) {
	objects := srv.s3()
	if _, err := objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bench")}); err != nil {
		return "", err
	}
	if _, err := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bench"), Key: aws.String("sleeper.py"),
		Body: strings.NewReader(sleeper)}); err != nil {
		return "", err
	}
	run, err := client.StartJobRun(ctx, &glue.StartJobRunInput{JobName: aws.String(job)})
	if err != nil {
		return "", err
	}
	for {
		out, err := client.GetJobRun(ctx, &glue.GetJobRunInput{JobName: aws.String(job), RunId: run.JobRunId})
		if err != nil {
			return "", err
		}
		switch out.JobRun.JobRunState {
		case types.JobRunStateRunning:
			return *run.JobRunId, nil
		case types.JobRunStateStarting:
			time.Sleep(50 * time.Millisecond)
		default:
			return "", fmt.Errorf("the run that holds the place is %s: %s", out.JobRun.JobRunState, aws.ToString(out.JobRun.ErrorMessage))
		}
	}
}

// stopAll deletes the job, so that nothing waiting is worth promoting for long,
// and stops the running one and then every waiting one.
func stopAll(client *glue.Client, running string) {
	ctx := context.Background()
	pages := glue.NewGetJobRunsPaginator(client, &glue.GetJobRunsInput{JobName: aws.String(job)})
	open := []string{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			break
		}
		waiting := 0
		for _, r := range page.JobRuns {
			if r.JobRunState == types.JobRunStateWaiting {
				open = append(open, *r.Id)
				waiting++
			}
		}
		if waiting == 0 {
			break // from here on there are past runs
		}
	}
	open = append(open, running) // last, so that no waiting run takes its place
	for len(open) > 0 {
		n := min(25, len(open))
		client.BatchStopJobRun(ctx, &glue.BatchStopJobRunInput{JobName: aws.String(job), JobRunIds: open[:n]})
		open = open[n:]
	}
	for {
		out, err := client.GetJobRun(ctx, &glue.GetJobRunInput{JobName: aws.String(job), RunId: &running})
		if err != nil || out.JobRun.CompletedOn != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// peers measures the disk and the network stack beside the load, ten times a
// second each.
func peers(ctx context.Context, dir string) (disk, loop *sample, stop func()) {
	disk, loop = &sample{}, &sample{}
	ctx, cancel := context.WithCancel(ctx)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	empty := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go empty.Serve(l)
	var wg sync.WaitGroup
	wg.Go(func() {
		f, err := os.Create(filepath.Join(dir, "peer"))
		if err != nil {
			fail(err)
		}
		defer f.Close()
		block := make([]byte, 4096)
		every(ctx, func() {
			start := time.Now()
			f.Write(block)
			f.Sync()
			*disk = append(*disk, time.Since(start))
		})
	})
	wg.Go(func() {
		c := httpClient()
		every(ctx, func() {
			start := time.Now()
			if resp, err := c.Post("http://"+l.Addr().String(), "text/plain", nil); err == nil {
				resp.Body.Close()
			}
			*loop = append(*loop, time.Since(start))
		})
	})
	return disk, loop, func() { cancel(); wg.Wait(); empty.Close() }
}

func every(ctx context.Context, f func()) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f()
		case <-ctx.Done():
			return
		}
	}
}
