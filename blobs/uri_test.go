package blobs_test

import (
	"strings"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/blobs"
)

func TestParse(t *testing.T) {
	for uri, want := range map[string][2]string{
		"s3://bucket/key":                {"bucket", "key"},
		"s3a://my.bucket-1/a/b c?d#e%20": {"my.bucket-1", "a/b c?d#e%20"},
		"s3://bucket//key":               {"bucket", "/key"},
	} {
		bucket, key, err := blobs.Parse(uri)
		if err != nil || bucket != want[0] || key != want[1] {
			t.Errorf("%s: %q, %q, %v", uri, bucket, key, err)
		}
	}
	for uri, part := range map[string]string{
		"": "not an S3 address", "job.py": "not an S3 address", "S3://bucket/key": "not an S3 address",
		"s3n://bucket/key": "not an S3 address", "https://bucket/key": "not an S3 address", "s3:/bucket/key": "not an S3 address",
		"s3://": "no bucket", "s3:///key": "no bucket", "s3://bucket": "no object", "s3://bucket/": "no object",
		"s3://bucket/dir/": "folder", "s3://b/key": "name of a bucket", "s3://Bucket/key": "name of a bucket",
		"s3://user@host:80/key": "name of a bucket", "s3://-bucket/key": "name of a bucket",
		"s3://bucket/\xff": "UTF-8", "s3://bucket/a\x00b": "UTF-8", "s3://bucket/" + strings.Repeat("x", 1025): "1025 bytes",
	} {
		_, _, err := blobs.Parse(uri)
		wantError(t, err, remora.Invalid, part)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"s3://bucket/key", "s3a://bucket/a/b", "s3://bucket/", "s3://", "x", "s3://a.b/\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		bucket, key, err := blobs.Parse(uri)
		if err != nil {
			if bucket != "" || key != "" || remora.KindOf(err) != remora.Invalid {
				t.Fatalf("%q, %q, %v", bucket, key, err)
			}
			return
		}
		if got := "s3://" + bucket + "/" + key; got != strings.Replace(uri, "s3a://", "s3://", 1) {
			t.Fatalf("%q became %q", uri, got)
		}
		if again, k, err := blobs.Parse("s3://" + bucket + "/" + key); err != nil || again != bucket || k != key {
			t.Fatalf("%q: %q, %q, %v", uri, again, k, err)
		}
	})
}
