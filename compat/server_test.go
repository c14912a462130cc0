// Package compat holds the tests with real clients: those in Python, which
// compat/run starts, against the program with real Ray; and here the AWS SDK for
// Go against the service in this process, with clusters that are not Ray's.
package compat

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	remoraconfig "github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/keyring"
	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/provider/fake"
)

// within bounds whatever a test waits for, on a busy machine too.
const within = 60 * time.Second

// bed is a machine with a service on it, and with the environment that
// `remora env` prints.
type bed struct {
	*testing.T
	dir     string
	host    *fake.Host
	server  *server.Server
	glue    *glue.Client
	timeout time.Duration // of runs
}

func newBed(t *testing.T, change ...func(*bed)) *bed {
	t.Helper()
	b := &bed{T: t, dir: t.TempDir(), timeout: time.Hour}
	for _, f := range change {
		f(b)
	}
	sink, err := server.OpenSink(filepath.Join(b.dir, "data", "logs"), 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	b.host = fake.NewHost(filepath.Join(b.dir, "clusters"), sink)
	t.Cleanup(func() {
		b.close()
		if err := sink.Close(); err != nil {
			t.Errorf("close the clusters' log: %v", err)
		}
		if ids := b.host.Clusters(); len(ids) > 0 {
			t.Errorf("clusters %q are left", ids)
		}
	})
	b.open()
	return b
}

// open starts a server on the data, the first one or a further one.
func (b *bed) open() {
	b.Helper()
	cfg, err := remoraconfig.Default()
	if err != nil {
		b.Fatal(err)
	}
	cfg.Runs.Timeout, cfg.Runs.Grace = remoraconfig.Duration(b.timeout), remoraconfig.Duration(time.Minute)
	data := filepath.Join(b.dir, "data")
	b.server, err = server.Open(b.Context(), server.Options{DataDir: data, Config: cfg, Listen: "127.0.0.1:0",
		S3Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now, Provider: fake.New(b.host)})
	if err != nil {
		b.Fatalf("start the service: %v", err)
	}
	ring, err := keyring.Open(server.KeysPath(data))
	if err != nil {
		b.Fatal(err)
	}
	key := ring.Current()
	secret, _ := ring.Secret(key.ID)
	ready := b.server.Ready()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": ready.Endpoint, "AWS_ENDPOINT_URL_S3": ready.S3Endpoint, "AWS_REGION": ready.Region,
		"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		b.Setenv(name, value)
	}
	b.glue = glue.NewFromConfig(b.config())
}

func (b *bed) close() {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := b.server.Close(ctx); err != nil {
		b.Errorf("stop the service: %v", err)
	}
}

// config is what the SDK makes of the environment, and nothing else.
func (b *bed) config(options ...func(*config.LoadOptions) error) aws.Config {
	b.Helper()
	cfg, err := config.LoadDefaultConfig(b.Context(), options...)
	if err != nil {
		b.Fatal(err)
	}
	return cfg
}

// upload makes a script of which the text is given, and returns its address.
func (b *bed) upload(text string) string {
	b.Helper()
	client := s3.NewFromConfig(b.config())
	if _, err := client.CreateBucket(b.Context(), &s3.CreateBucketInput{Bucket: aws.String("scripts")}); err != nil {
		b.Fatal(err)
	}
	_, err := client.PutObject(b.Context(), &s3.PutObjectInput{Bucket: aws.String("scripts"), Key: aws.String("script.py"),
		Body: strings.NewReader(text)})
	if err != nil {
		b.Fatal(err)
	}
	return "s3://scripts/script.py"
}

// definition is the least that a Ray job needs. Runs of one whose script is not
// there fail at once.
func definition(name, script string) *glue.CreateJobInput {
	return &glue.CreateJobInput{Name: &name, Role: aws.String("any"), WorkerType: types.WorkerTypeZ2x, NumberOfWorkers: aws.Int32(1),
		Command: &types.JobCommand{Name: aws.String("glueray"), Runtime: aws.String("Ray2.60"), ScriptLocation: &script}}
}

const noScript = "s3://no-such-bucket/script.py"

func (b *bed) create(in *glue.CreateJobInput) {
	b.Helper()
	if _, err := b.glue.CreateJob(b.Context(), in); err != nil {
		b.Fatalf("create job %s: %v", *in.Name, err)
	}
}

func (b *bed) start(job string, change ...func(*glue.StartJobRunInput)) string {
	b.Helper()
	in := &glue.StartJobRunInput{JobName: &job}
	for _, f := range change {
		f(in)
	}
	out, err := b.glue.StartJobRun(b.Context(), in)
	if err != nil {
		b.Fatalf("start a run of %s: %v", job, err)
	}
	return *out.JobRunId
}

func (b *bed) run(job, id string) types.JobRun {
	b.Helper()
	out, err := b.glue.GetJobRun(b.Context(), &glue.GetJobRunInput{JobName: &job, RunId: &id})
	if err != nil {
		b.Fatalf("get run %s of %s: %v", id, job, err)
	}
	return *out.JobRun
}

// await returns a run once it is in one of the states.
func (b *bed) await(job, id string, states ...types.JobRunState) types.JobRun {
	b.Helper()
	deadline := time.Now().Add(within)
	for {
		r := b.run(job, id)
		if slices.Contains(states, r.JobRunState) {
			return r
		}
		if time.Now().After(deadline) {
			b.Fatalf("within %s run %s of %s did not become %v: it is %s (%s)", within, id, job, states, r.JobRunState,
				aws.ToString(r.ErrorMessage))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (b *bed) stop(job string, ids ...string) {
	b.Helper()
	out, err := b.glue.BatchStopJobRun(b.Context(), &glue.BatchStopJobRunInput{JobName: &job, JobRunIds: ids})
	if err != nil || len(out.Errors) > 0 {
		b.Fatalf("stop runs of %s: %v, %v", job, err, out)
	}
}

// waitsForGate is a script that ends when the file that its argument names is
// there.
const waitsForGate = `
import os, time
print("waits", flush=True)
while not os.path.exists(os.environ["gate"]):
    time.sleep(0.02)
print("goes on", flush=True)
`

func (b *bed) gate(name string) string { return filepath.Join(b.dir, name) }

func (b *bed) openGate(name string) {
	b.Helper()
	if err := os.WriteFile(b.gate(name), nil, 0o600); err != nil {
		b.Fatal(fmt.Errorf("open gate %s: %w", name, err))
	}
}

func (b *bed) withGate(name string) func(*glue.StartJobRunInput) {
	return func(in *glue.StartJobRunInput) { in.Arguments = map[string]string{"--gate": b.gate(name)} }
}
