package s3_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/remora-project/remora/api/s3"
)

// childDir makes the test binary serve a directory instead of testing, so that
// there is a process to kill.
const childDir = "REMORA_TEST_S3_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		s, err := s3.Open(context.Background(), s3.Config{Dir: dir, Keys: newKeys()})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(s.Addr())
		bufio.NewReader(os.Stdin).ReadByte() // until the parent kills this, or is gone
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child serves dir in another process. It is killed by kill, at the latest at
// the end of the test.
func child(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t)(nil, err)
	stdout, err := cmd.StdoutPipe()
	must(t)(nil, err)
	must(t)(nil, cmd.Start())
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
		stdin.Close()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr = strings.TrimSpace(line)
	if err != nil || strings.HasPrefix(addr, "error:") {
		t.Fatalf("child: %q, %v", addr, err)
	}
	return addr, kill
}

// content is what the n-th version of an object holds: its size and every byte
// depend on n, so that a mixture or a piece of it cannot pass.
func content(n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%09d\n", n), 1+n*37%40_000)
}

// TestKilled kills the server with SIGKILL, time and again, while clients write
// new objects, replace one and upload in parts.
func TestKilled(t *testing.T) {
	const rounds, writers = 6, 4
	dir := t.TempDir()
	created := map[string]int{}                             // acknowledged objects and their version
	replaced := make([]struct{ acked, tried int }, writers) // of the objects that are overwritten
	var mu sync.Mutex
	ctx := t.Context()
	b := "bucket"
	version := 0

	for round := range rounds {
		addr, kill := child(t, dir)
		c := clientAt(addr, keyID, secret)
		if round == 0 {
			must(t)(c.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &b}))
		}
		id := begin(t, c, b, "big")
		one := uploadPart(t, c, b, "big", id, 1)

		var wg sync.WaitGroup
		acked := make(chan struct{}, 1<<16)
		for w := range writers {
			wg.Go(func() {
				for i := 0; ; i++ {
					mu.Lock()
					version++
					n := version
					replaced[w].tried = max(replaced[w].tried, n)
					mu.Unlock()
					key := fmt.Sprintf("new/%d", n)
					if put(ctx, c, b, key, content(n)) != nil {
						return
					}
					mu.Lock()
					created[key] = n
					mu.Unlock()
					if put(ctx, c, b, fmt.Sprintf("replaced-%d", w), content(n)) != nil {
						return
					}
					mu.Lock()
					replaced[w].acked = n
					mu.Unlock()
					acked <- struct{}{}
				}
			})
		}
		wg.Go(func() { // parts, until it is over
			for n := int32(2); ; n++ {
				_, err := c.UploadPart(ctx, &awss3.UploadPartInput{Bucket: &b, Key: aws.String("big"), UploadId: &id,
					PartNumber: aws.Int32(2 + n%3), Body: bytes.NewReader(bytes.Repeat([]byte{byte(2 + n%3)}, partSize))})
				if err != nil {
					return
				}
			}
		})
		for range 10 + round*7 {
			<-acked
		}
		kill()
		wg.Wait()

		s := open(t, dir, newKeys())
		c = client(s, keyID, secret)
		found := list(t, c, b)
		for key, n := range created {
			if got, err := get(ctx, c, b, key); err != nil || !bytes.Equal(got, content(n)) {
				t.Errorf("%s was acknowledged: %d bytes, %v", key, len(got), err)
			}
		}
		for key := range found {
			got, err := get(ctx, c, b, key)
			must(t)(nil, err)
			var w, n int
			if _, err := fmt.Sscanf(key, "new/%d", &n); err == nil {
				if !bytes.Equal(got, content(n)) {
					t.Errorf("%s shows %d bytes of %d", key, len(got), len(content(n)))
				}
			} else if _, err := fmt.Sscanf(key, "replaced-%d", &w); err == nil {
				fmt.Sscanf(string(got), "%d", &n)
				if n < replaced[w].acked || n > replaced[w].tried || !bytes.Equal(got, content(n)) {
					t.Errorf("%s is version %d (%d bytes), acknowledged was %d", key, n, len(got), replaced[w].acked)
				}
			} else if key != "big" {
				t.Errorf("nobody made %s", key)
			}
		}

		// The upload goes on where it was, or is aborted.
		if round%2 == 0 {
			two := uploadPart(t, c, b, "big", id, 2)
			complete(t, c, b, "big", id, one, two)
			want := append(bytes.Repeat([]byte{1}, partSize), bytes.Repeat([]byte{2}, partSize)...)
			if got, err := get(ctx, c, b, "big"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("completed after the kill: %d bytes, %v", len(got), err)
			}
		} else {
			must(t)(c.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: &b, Key: aws.String("big"), UploadId: &id}))
		}
		files := slices.Collect(maps.Keys(list(t, c, b)))
		wantFiles(t, dir, files...)
		shut(t, s)
	}
}

// TestKilledWhileCompleting leaves behind what a kill in the middle of
// CompleteMultipartUpload and in the middle of a replacement leave.
func TestKilledWhileCompleting(t *testing.T) {
	for _, metadata := range []string{"xattr", "sidecar"} {
		t.Run(metadata, func(t *testing.T) {
			dir := t.TempDir()
			must(t)(nil, os.WriteFile(filepath.Join(dir, "metadata"), []byte(metadata), 0o600))
			addr, kill := child(t, dir)
			c, b := clientAt(addr, keyID, secret), "bucket"
			must(t)(c.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &b}))
			id := begin(t, c, b, "big")
			one := uploadPart(t, c, b, "big", id, 1)
			must(t)(nil, put(t.Context(), c, b, "dir/object", []byte("whole")))
			kill()

			uploads, err := filepath.Glob(filepath.Join(dir, "buckets", b, ".sgwtmp", "multipart", "*"))
			if err != nil || len(uploads) != 1 {
				t.Fatal(uploads, err)
			}
			renamed := id + ".0123456789abcdef-1.inprogress"
			must(t)(nil, os.Rename(filepath.Join(uploads[0], id), filepath.Join(uploads[0], renamed)))
			if metadata == "sidecar" {
				meta := strings.Replace(uploads[0], "/buckets/", "/sidecar/", 1)
				must(t)(nil, os.Rename(filepath.Join(meta, id), filepath.Join(meta, renamed)))
			}
			for _, stray := range []string{"dir/.object.sgwtmp.1700000000000000000", ".sgwtmp/deadbeef.123",
				filepath.Join(".sgwtmp/multipart", filepath.Base(uploads[0]), "deadbeef.456"),
				filepath.Join(".sgwtmp/multipart", filepath.Base(uploads[0]), renamed, ".1.sgwtmp.1700000000000000000")} {
				must(t)(nil, os.WriteFile(filepath.Join(dir, "buckets", b, stray), []byte("half"), 0o600))
			}

			c = client(open(t, dir, newKeys()), keyID, secret)
			if got := list(t, c, b); !maps.Equal(got, map[string]int64{"dir/object": 5}) {
				t.Errorf("objects: %v", got)
			}
			parts, err := c.ListParts(t.Context(), &awss3.ListPartsInput{Bucket: &b, Key: aws.String("big"), UploadId: &id})
			must(t)(nil, err)
			if len(parts.Parts) != 1 {
				t.Errorf("parts: %v", parts.Parts)
			}
			complete(t, c, b, "big", id, types.CompletedPart{PartNumber: aws.Int32(1), ETag: one.ETag})
			wantFiles(t, dir, "big", "dir/object")
		})
	}
}
