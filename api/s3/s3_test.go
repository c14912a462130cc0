package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/remora-project/remora/api/s3"
)

const (
	keyID  = "AKIAREMORATEST000001"
	secret = "the first secret"
)

// keys are access keys that a test may change.
type keys struct {
	mu      sync.Mutex
	secrets map[string]string
}

func newKeys() *keys { return &keys{secrets: map[string]string{keyID: secret}} }

func (k *keys) Secret(id string) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.secrets[id]
	return s, ok
}

func (k *keys) set(id, secret string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.secrets[id] = secret
}

func (k *keys) remove(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.secrets, id)
}

// open starts an endpoint on dir and stops it at the end of the test, when
// nothing of it may be left.
func open(t *testing.T, dir string, k s3.Keys) *s3.Server {
	t.Helper()
	s, err := s3.Open(t.Context(), s3.Config{Dir: dir, Keys: k})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t *testing.T, s *s3.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-s.Err(); err != nil {
		t.Errorf("the endpoint failed: %v", err)
	}
	noGoroutines(t)
}

// noGoroutines waits until nothing of the server runs any more. Not counted are
// what fasthttp keeps for the Date header, once per process, and the one that
// looks every ten seconds whether its workers are idle, or it has been stopped.
func noGoroutines(t *testing.T) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		left = left[:0]
		stacks := make([]byte, 4<<20)
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			server := strings.Contains(stack, "fasthttp") || strings.Contains(stack, "versitygw") || strings.Contains(stack, "api/s3.(")
			if server && !strings.Contains(stack, "updateServerDate") &&
				!strings.Contains(stack, "workerPool).Start") && !strings.Contains(stack, "s3_test.") {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
}

func client(s *s3.Server, id, secret string) *awss3.Client { return clientAt(s.Addr(), id, secret) }

func clientAt(addr, id, secret string) *awss3.Client {
	return awss3.New(awss3.Options{
		BaseEndpoint:     aws.String("http://" + addr),
		Region:           "us-east-1",
		UsePathStyle:     true,
		Credentials:      credentials.NewStaticCredentialsProvider(id, secret, ""),
		RetryMaxAttempts: 1,
		DisableLogOutputChecksumValidationSkipped: true,
	})
}

// bucket makes one and returns a client and its name.
func bucket(t *testing.T, s *s3.Server) (*awss3.Client, string) {
	t.Helper()
	c := client(s, keyID, secret)
	must(t)(c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("bucket")}))
	return c, "bucket"
}

// must fails the test on an error of the call whose results it is given.
func must(t *testing.T) func(any, error) {
	t.Helper()
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func put(ctx context.Context, c *awss3.Client, bucket, key string, data []byte) error {
	_, err := c.PutObject(ctx, &awss3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
	return err
}

func get(ctx context.Context, c *awss3.Client, bucket, key string) ([]byte, error) {
	out, err := c.GetObject(ctx, &awss3.GetObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

func list(t *testing.T, c *awss3.Client, bucket string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	for pages := awss3.NewListObjectsV2Paginator(c, &awss3.ListObjectsV2Input{Bucket: &bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			found[*o.Key] = *o.Size
		}
	}
	return found
}

// wantCode checks the error code of a refused request.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestObjects(t *testing.T) {
	for _, metadata := range []string{"xattr", "sidecar"} {
		t.Run(metadata, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "metadata"), []byte(metadata+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, newKeys())
			c, b := bucket(t, s)
			ctx, data := t.Context(), bytes.Repeat([]byte("remora "), 100_000)

			must(t)(c.PutObject(ctx, &awss3.PutObjectInput{Bucket: &b, Key: aws.String("in/ä b+c%20.txt"), Body: bytes.NewReader(data),
				ContentType: aws.String("text/x-test"), Metadata: map[string]string{"colour": "grey", "two-words": "a b"}}))
			must(t)(c.CopyObject(ctx, &awss3.CopyObjectInput{Bucket: &b, Key: aws.String("copy"),
				CopySource: aws.String(b + "/in/%C3%A4%20b%2Bc%2520.txt")}))
			must(t)(nil, put(ctx, c, b, "empty", nil))

			// All of it is there again after a restart.
			shut(t, s)
			s = open(t, dir, newKeys())
			c = client(s, keyID, secret)
			for _, key := range []string{"in/ä b+c%20.txt", "copy"} {
				if got, err := get(ctx, c, b, key); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes, %v", key, len(got), err)
				}
				head, err := c.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &b, Key: &key})
				must(t)(nil, err)
				if *head.ContentType != "text/x-test" || !maps.Equal(head.Metadata, map[string]string{"colour": "grey", "two-words": "a b"}) {
					t.Errorf("%s: %s, %v", key, *head.ContentType, head.Metadata)
				}
			}
			part, err := c.GetObject(ctx, &awss3.GetObjectInput{Bucket: &b, Key: aws.String("copy"), Range: aws.String("bytes=7-13")})
			must(t)(nil, err)
			if got, _ := io.ReadAll(part.Body); string(got) != "remora " || *part.ContentRange != "bytes 7-13/700000" {
				t.Errorf("range: %q, %s", got, *part.ContentRange)
			}
			page, err := c.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &b, Delimiter: aws.String("/"), MaxKeys: aws.Int32(2)})
			must(t)(nil, err)
			if len(page.Contents) != 2 || !*page.IsTruncated {
				t.Errorf("first page: %d objects, truncated %v", len(page.Contents), *page.IsTruncated)
			}
			want := map[string]int64{"in/ä b+c%20.txt": 700_000, "copy": 700_000, "empty": 0}
			if got := list(t, c, b); !maps.Equal(got, want) {
				t.Errorf("listed %v", got)
			}

			must(t)(c.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &b, Key: aws.String("copy")}))
			_, err = get(ctx, c, b, "copy")
			wantCode(t, err, "NoSuchKey")
			_, err = get(ctx, c, "nowhere", "copy")
			wantCode(t, err, "NoSuchBucket")
			var all []types.ObjectIdentifier
			for key := range want {
				all = append(all, types.ObjectIdentifier{Key: &key})
			}
			must(t)(c.DeleteObjects(ctx, &awss3.DeleteObjectsInput{Bucket: &b, Delete: &types.Delete{Objects: all}}))
			must(t)(c.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: &b}))
		})
	}
}

func TestConditionalWrites(t *testing.T) {
	s := open(t, t.TempDir(), newKeys())
	c, b := bucket(t, s)
	ctx := t.Context()

	// Of many that create the same object one succeeds.
	var wg sync.WaitGroup
	created := make([]bool, 16)
	for i := range created {
		wg.Go(func() {
			_, err := c.PutObject(ctx, &awss3.PutObjectInput{Bucket: &b, Key: aws.String("lock"), IfNoneMatch: aws.String("*"),
				Body: strings.NewReader(fmt.Sprint(i))})
			if created[i] = err == nil; !created[i] {
				wantCode(t, err, "PreconditionFailed")
			}
		})
	}
	wg.Wait()
	got, err := get(ctx, c, b, "lock")
	must(t)(nil, err)
	if winner := slices.Index(created, true); string(got) != fmt.Sprint(winner) || slices.Index(created[winner+1:], true) >= 0 {
		t.Errorf("created %v, found %q", created, got)
	}

	head, err := c.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &b, Key: aws.String("lock")})
	must(t)(nil, err)
	replace := &awss3.PutObjectInput{Bucket: &b, Key: aws.String("lock"), IfMatch: head.ETag, Body: strings.NewReader("next")}
	must(t)(c.PutObject(ctx, replace))
	replace.Body = strings.NewReader("late")
	_, err = c.PutObject(ctx, replace)
	wantCode(t, err, "PreconditionFailed")
}

func TestParallelClients(t *testing.T) {
	s := open(t, t.TempDir(), newKeys())
	_, b := bucket(t, s)
	ctx := t.Context()
	var wg sync.WaitGroup
	for n := range 12 {
		wg.Go(func() {
			c := client(s, keyID, secret)
			for i := range 15 {
				key, data := fmt.Sprintf("%d/%d", n, i), bytes.Repeat([]byte{byte(n), byte(i)}, 1+i*4000)
				if err := put(ctx, c, b, key, data); err != nil {
					t.Error(err)
				}
				// A key that everybody writes is always one of what was written.
				if err := put(ctx, c, b, "shared", bytes.Repeat([]byte{byte(n)}, 1000)); err != nil {
					t.Error(err)
				}
				if got, err := get(ctx, c, b, key); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes, %v", key, len(got), err)
				}
				if got, err := get(ctx, c, b, "shared"); err != nil || len(got) != 1000 || !bytes.Equal(got, bytes.Repeat(got[:1], 1000)) {
					t.Errorf("shared: %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(list(t, client(s, keyID, secret), b)); n != 12*15+1 {
		t.Errorf("%d objects", n)
	}
}
