package server_test

import (
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/keyring"
	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/internal/testenv"
	"github.com/remora-project/remora/provider/fake"
)

// The endpoints of [aws] are where a script's boto3 goes, and no other service
// goes elsewhere for them.
func TestServicesElsewhere(t *testing.T) {
	dir := t.TempDir()
	sink, err := server.OpenSink(filepath.Join(dir, "logs"), 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	o := options(t, dir)
	o.Config.AWS = map[string]config.Service{
		"dynamodb":       {Endpoint: "http://127.0.0.1:1"},
		"secretsmanager": {Endpoint: "http://127.0.0.1:2"},
		"redshift-data":  {Endpoint: "http://127.0.0.1:3"},
	}
	o.Provider = fake.New(fake.NewHost(filepath.Join(t.TempDir(), "clusters"), sink))
	s := open(t, o)
	ring, err := keyring.Open(server.KeysPath(dir))
	if err != nil {
		t.Fatal(err)
	}
	key := ring.Current()
	secret, _ := ring.Secret(key.ID)
	c := testenv.NewClient(t, s.Ready().Endpoint, s.Ready().S3Endpoint, key.ID, secret)
	c.Job("j", `
import boto3
own = boto3.client("glue").meta.endpoint_url
where = {n: boto3.client(n).meta.endpoint_url for n in ("dynamodb", "secretsmanager", "redshift-data", "redshift", "sts", "logs", "s3")}
assert where == {"dynamodb": "http://127.0.0.1:1", "secretsmanager": "http://127.0.0.1:2", "redshift-data": "http://127.0.0.1:3",
                 "redshift": own, "sts": own, "logs": own, "s3": "`+s.Ready().S3Endpoint+`"}, where
assert own == "`+s.Ready().Endpoint+`", own
`, nil)
	id := c.Start("j")
	var run *types.JobRun
	eventually(t, func() bool { run = c.Run("j", id); return run.CompletedOn != nil }, func() string { return "the run has not ended" })
	if run.JobRunState != types.JobRunStateSucceeded {
		t.Errorf("the run is %s: %s", run.JobRunState, aws.ToString(run.ErrorMessage))
	}
}
