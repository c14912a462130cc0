package testenv

import (
	"bytes"
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Client is AWS's own clients for a server.
type Client struct {
	Glue *glue.Client
	S3   *s3.Client
	t    testing.TB
}

// NewClient returns clients that sign with the given key.
func NewClient(t testing.TB, endpoint, s3Endpoint, keyID, secret string) *Client {
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, "")}
	return &Client{t: t, Glue: glue.NewFromConfig(cfg), S3: s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle, o.BaseEndpoint = true, &s3Endpoint
	})}
}

// Job uploads a script and creates a job of one worker for it.
func (c *Client) Job(name, script string, arguments map[string]string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	bucket, key := "scripts", name+".py"
	c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}) // or it is there
	if _, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte(script))}); err != nil {
		c.t.Fatalf("upload the script: %v", err)
	}
	_, err := c.Glue.CreateJob(ctx, &glue.CreateJobInput{Name: &name, Role: aws.String("any"), GlueVersion: aws.String("4.0"),
		WorkerType: types.WorkerTypeZ2x, NumberOfWorkers: aws.Int32(1), DefaultArguments: arguments,
		Command: &types.JobCommand{Name: aws.String("glueray"), Runtime: aws.String("Ray2.60"), PythonVersion: aws.String("3.9"),
			ScriptLocation: aws.String("s3://" + bucket + "/" + key)}})
	if err != nil {
		c.t.Fatalf("create job %s: %v", name, err)
	}
}

// Start starts a run and returns its id.
func (c *Client) Start(job string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	out, err := c.Glue.StartJobRun(ctx, &glue.StartJobRunInput{JobName: &job})
	if err != nil {
		c.t.Fatalf("start a run of %s: %v", job, err)
	}
	return *out.JobRunId
}

// Run returns a run as it is.
func (c *Client) Run(job, id string) *types.JobRun {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	out, err := c.Glue.GetJobRun(ctx, &glue.GetJobRunInput{JobName: &job, RunId: &id})
	if err != nil {
		c.t.Fatalf("get run %s: %v", id, err)
	}
	return out.JobRun
}
