package s3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/s3"
)

func TestOpen(t *testing.T) {
	dir, k := t.TempDir(), newKeys()
	s := open(t, dir, k)
	if !strings.HasPrefix(s.Addr(), "127.0.0.1:") {
		t.Errorf("listens on %s", s.Addr())
	}
	fails := func(want remora.Kind, cfg s3.Config) {
		t.Helper()
		if s, err := s3.Open(t.Context(), cfg); remora.KindOf(err) != want || err == nil {
			if err == nil {
				s.Close(t.Context())
			}
			t.Errorf("got %v, want %v", err, want)
		}
	}
	fails(remora.WrongState, s3.Config{Dir: t.TempDir(), Keys: k})
	fails(remora.Invalid, s3.Config{Dir: dir})
	addr := s.Addr()
	shut(t, s)

	before, err := os.Getwd()
	must(t)(nil, err)
	other, kill := child(t, dir)
	fails(remora.Unavailable, s3.Config{Dir: dir, Keys: k})                        // held by the child
	fails(remora.Unavailable, s3.Config{Dir: t.TempDir(), Keys: k, Listen: other}) // its address too
	kill()
	unknown := t.TempDir()
	must(t)(nil, os.WriteFile(filepath.Join(unknown, "metadata"), []byte("elsewhere"), 0o600))
	fails(remora.Unavailable, s3.Config{Dir: unknown, Keys: k})
	if after, _ := os.Getwd(); after != before {
		t.Errorf("the working directory is %s, was %s", after, before)
	}

	// The directory and the address are free again.
	s, err = s3.Open(t.Context(), s3.Config{Dir: dir, Keys: k, Listen: addr})
	must(t)(nil, err)
	shut(t, s)
	must(t)(nil, s.Close(t.Context())) // again
	fds, err := os.ReadDir("/proc/self/fd")
	must(t)(nil, err)
	for _, fd := range fds {
		if target, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(target, dir) {
			t.Errorf("%s is still open", target)
		}
	}
}

// TestCloseCutsOff closes with a request under way that never ends.
func TestCloseCutsOff(t *testing.T) {
	dir := t.TempDir()
	s, err := s3.Open(t.Context(), s3.Config{Dir: dir, Keys: newKeys()})
	must(t)(nil, err)
	_, b := bucket(t, s)
	body, upload := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+s.Addr()+"/"+b+"/half", body)
	must(t)(nil, err)
	req.ContentLength = 1 << 30
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	must(t)(nil, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, req,
		"UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now()))
	failed := make(chan error, 1)
	go func() {
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode >= 300 {
				err = errors.New(res.Status)
			}
		}
		failed <- err
	}()
	// More than what sockets buffer: the server is in the middle of it.
	must(t)(upload.Write(make([]byte, 32<<20)))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close returned %v", err)
	}
	upload.Close()
	if err := <-failed; err == nil {
		t.Error("the upload was acknowledged")
	}
	noGoroutines(t)
	s, err = s3.Open(t.Context(), s3.Config{Dir: dir, Keys: newKeys()})
	must(t)(nil, err)
	if got := list(t, client(s, keyID, secret), b); len(got) != 0 {
		t.Errorf("objects: %v", got)
	}
	wantFiles(t, dir)
	shut(t, s)
}
