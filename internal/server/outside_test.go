package server_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/keyring"
	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/internal/testenv"
	"github.com/remora-project/remora/provider/fake"
)

// With an outside S3 none is started; its keys are good for everything, for
// clients and in jobs.
func TestOutsideS3(t *testing.T) {
	outside := testenv.Serve(t, t.TempDir(), testenv.Environ(t)) // for its S3 store
	ring, err := keyring.Open(server.KeysPath(outside.Ready.DataDir))
	if err != nil {
		t.Fatal(err)
	}
	key := ring.Current()
	secret, _ := ring.Secret(key.ID)

	dir := t.TempDir()
	sink, err := server.OpenSink(filepath.Join(dir, "logs"), 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	o := options(t, dir)
	o.Config.S3 = config.S3{Endpoint: outside.Ready.S3Endpoint, AccessKeyID: key.ID, SecretAccessKey: secret}
	o.Provider = fake.New(fake.NewHost(filepath.Join(t.TempDir(), "clusters"), sink))
	s := open(t, o)
	if s.Ready().S3Endpoint != outside.Ready.S3Endpoint {
		t.Errorf("the S3 endpoint is %s, want %s", s.Ready().S3Endpoint, outside.Ready.S3Endpoint)
	}
	if _, err := os.Stat(filepath.Join(dir, "s3")); err == nil {
		t.Error("a store was started")
	}
	if err := jobs(t, own(t, s.Ready())); err != nil {
		t.Errorf("the server's own key: %v", err)
	}
	c := testenv.NewClient(t, s.Ready().Endpoint, s.Ready().S3Endpoint, key.ID, secret)
	c.Job("j", `
import os, boto3
boto3.client("s3").put_object(Bucket="scripts", Key="made", Body=os.environ["AWS_ACCESS_KEY_ID"].encode())
assert boto3.client("glue").get_job(JobName="j")["Job"]["Name"] == "j"
`, nil)
	id := c.Start("j")
	var run *types.JobRun
	eventually(t, func() bool { run = c.Run("j", id); return run.CompletedOn != nil }, func() string { return "the run has not ended" })
	if run.JobRunState != types.JobRunStateSucceeded {
		t.Errorf("the run is %s: %v", run.JobRunState, run.ErrorMessage)
	}
}
