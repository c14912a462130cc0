package blobs_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/s3"
	"github.com/remora-project/remora/blobs"
)

// key is the one access key of the endpoint; its secret may change.
type key struct{ secret atomic.Pointer[string] }

func newKey(secret string) *key {
	k := &key{}
	k.secret.Store(&secret)
	return k
}

func (k *key) Secret(id string) (string, bool) { return *k.secret.Load(), id == "AKIATEST" }

func (k *key) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: *k.secret.Load()}, nil
}

// endpoint starts the embedded S3 with an object in it.
func endpoint(t *testing.T, k *key) string {
	t.Helper()
	s, err := s3.Open(t.Context(), s3.Config{Dir: t.TempDir(), Keys: k})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	url := "http://" + s.Addr()
	c := awss3.New(awss3.Options{BaseEndpoint: &url, UsePathStyle: true, Region: "us-east-1", Credentials: k})
	if _, err := c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("scripts")}); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"dir/job.py": "print('hello')", "odd ä?&+%20.py": "odd", "empty": ""} {
		if _, err := c.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("scripts"), Key: &name,
			Body: bytes.NewReader([]byte(content))}); err != nil {
			t.Fatal(err)
		}
	}
	return url
}

func open(t *testing.T, cfg blobs.Config) *blobs.Store {
	t.Helper()
	s, err := blobs.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantError checks kind and text of a failure.
func wantError(t *testing.T, err error, kind remora.Kind, parts ...string) {
	t.Helper()
	var known *remora.Error
	if !errors.As(err, &known) || known.Kind != kind {
		t.Errorf("got %v (%v), want %v", err, remora.KindOf(err), kind)
		return
	}
	for _, part := range parts {
		if !strings.Contains(known.Message(), part) {
			t.Errorf("message %q does not have %q", known.Message(), part)
		}
	}
}

// read fetches an object into memory.
func read(ctx context.Context, s *blobs.Store, uri string, limit int64) ([]byte, error) {
	var b bytes.Buffer
	err := s.Fetch(ctx, uri, &b, limit)
	return b.Bytes(), err
}

// full is a writer on a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestFetch(t *testing.T) {
	k := newKey("secret")
	url := endpoint(t, k)
	s := open(t, blobs.Config{Endpoint: url, PathStyle: true, Credentials: k})
	ctx := t.Context()

	for uri, want := range map[string]string{
		"s3://scripts/dir/job.py": "print('hello')", "s3a://scripts/dir/job.py": "print('hello')",
		"s3://scripts/odd ä?&+%20.py": "odd", "s3://scripts/empty": "",
	} {
		if got, err := read(ctx, s, uri, 100); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
	if _, err := read(ctx, s, "s3://scripts/dir/job.py", 14); err != nil {
		t.Errorf("an object of exactly the limit: %v", err)
	}
	_, err := read(ctx, s, "s3://scripts/dir/job.py", 13)
	wantError(t, err, remora.Invalid, "too large", "14 bytes", "13")
	_, err = read(ctx, s, "s3://scripts/missing.py", 100)
	wantError(t, err, remora.NotFound, "s3://scripts/missing.py does not exist")
	_, err = read(ctx, s, "s3://scripts/dir", 100)
	wantError(t, err, remora.NotFound, "does not exist")
	_, err = read(ctx, s, "s3://nowhere/job.py", 100)
	wantError(t, err, remora.NotFound, "bucket nowhere does not exist")
	_, err = read(ctx, s, "/local/job.py", 100)
	wantError(t, err, remora.Invalid, "s3://bucket/key")

	wantError(t, s.Fetch(ctx, "s3://scripts/dir/job.py", full{}, 100), remora.Unavailable, "store s3://scripts/dir/job.py", "no space left")

	// A rotation takes effect at the next request, on both sides.
	rotated := "rotated"
	k.secret.Store(&rotated)
	if _, err := read(ctx, s, "s3://scripts/dir/job.py", 100); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	wrong := open(t, blobs.Config{Endpoint: url, PathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})
	_, err = read(ctx, wrong, "s3://scripts/dir/job.py", 100)
	wantError(t, err, remora.Unauthorized, url, "s3://scripts/dir/job.py", "SignatureDoesNotMatch")

	region := open(t, blobs.Config{Endpoint: url, PathStyle: true, Credentials: k, Region: "eu-west-1"})
	_, err = read(ctx, region, "s3://scripts/dir/job.py", 100)
	wantError(t, err, remora.Invalid, "another region", "eu-west-1")

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = read(cancelled, s, "s3://scripts/dir/job.py", 100)
	wantError(t, err, remora.Unavailable, "given up")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

func TestUnreachable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + ln.Addr().String()
	ln.Close()
	s := open(t, blobs.Config{Endpoint: url, PathStyle: true, Credentials: newKey("secret")})
	_, err = read(t.Context(), s, "s3://scripts/job.py", 100)
	wantError(t, err, remora.Unavailable, url, "connection refused")
}

// TestOtherEndpoints are answers that the embedded endpoint never gives.
func TestOtherEndpoints(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   remora.Kind
		parts  []string
	}{
		{"denied", 403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>", remora.Unauthorized, []string{"AccessDenied", "refuses"}},
		{"expired", 400, "<Error><Code>ExpiredToken</Code><Message>old</Message></Error>", remora.Unauthorized, []string{"ExpiredToken"}},
		{"moved", 301, "<Error><Code>PermanentRedirect</Code><Message>eu-west-1</Message></Error>", remora.Invalid, []string{"another region"}},
		{"proxy", 403, "go away", remora.Unauthorized, []string{"refuses"}},
		{"not S3", 404, "<html>no such page</html>", remora.NotFound, []string{"does not exist"}},
		{"archived", 403, "<Error><Code>InvalidObjectState</Code><Message>x</Message></Error>", remora.Invalid, []string{"archived"}},
		{"broken", 500, "<Error><Code>InternalError</Code><Message>x</Message></Error>", remora.Unavailable, []string{"InternalError"}},
		{"gateway", 502, "", remora.Unavailable, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				w.Write([]byte(c.body))
			}))
			defer srv.Close()
			s := open(t, blobs.Config{Endpoint: srv.URL, PathStyle: true, Credentials: newKey("secret")})
			_, err := read(t.Context(), s, "s3://scripts/job.py", 100)
			wantError(t, err, c.kind, c.parts...)
		})
	}
	t.Run("unknown length", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush() // chunked
			w.Write(bytes.Repeat([]byte("x"), 200))
		}))
		defer srv.Close()
		s := open(t, blobs.Config{Endpoint: srv.URL, PathStyle: true, Credentials: newKey("secret")})
		_, err := read(t.Context(), s, "s3://scripts/job.py", 199)
		wantError(t, err, remora.Invalid, "too large", "199")
		if got, err := read(t.Context(), s, "s3://scripts/job.py", 200); err != nil || len(got) != 200 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
		}))
		defer srv.Close()
		s := open(t, blobs.Config{Endpoint: srv.URL, PathStyle: true, Credentials: newKey("secret")})
		_, err := read(t.Context(), s, "s3://scripts/job.py", 200)
		wantError(t, err, remora.Unavailable, "unexpected EOF")
	})
}

func TestNew(t *testing.T) {
	for _, bad := range []string{"127.0.0.1:9000", "ftp://host", "http://", "http://bad host"} {
		_, err := blobs.New(t.Context(), blobs.Config{Endpoint: bad, Credentials: newKey("x")})
		wantError(t, err, remora.Invalid, bad)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	url := endpoint(t, newKey("secret"))
	s := open(t, blobs.Config{Endpoint: url, PathStyle: true}) // the SDK's own chain
	if got, err := read(t.Context(), s, "s3://scripts/dir/job.py", 100); err != nil || len(got) == 0 {
		t.Errorf("%q, %v", got, err)
	}
}
