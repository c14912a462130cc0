package s3_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const partSize = 5 << 20 // the least that S3 allows

// uploadPart sends a part that consists of its number.
func uploadPart(t *testing.T, c *awss3.Client, b, key, id string, n int32) types.CompletedPart {
	t.Helper()
	out, err := c.UploadPart(t.Context(), &awss3.UploadPartInput{Bucket: &b, Key: &key, UploadId: &id, PartNumber: &n,
		Body: bytes.NewReader(bytes.Repeat([]byte{byte(n)}, partSize))})
	must(t)(nil, err)
	return types.CompletedPart{PartNumber: &n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
}

func complete(t *testing.T, c *awss3.Client, b, key, id string, parts ...types.CompletedPart) {
	t.Helper()
	must(t)(c.CompleteMultipartUpload(t.Context(), &awss3.CompleteMultipartUploadInput{Bucket: &b, Key: &key, UploadId: &id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}))
}

func begin(t *testing.T, c *awss3.Client, b, key string) string {
	t.Helper()
	out, err := c.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: &b, Key: &key,
		Metadata: map[string]string{"colour": "grey"}})
	must(t)(nil, err)
	return *out.UploadId
}

func TestMultipart(t *testing.T) {
	for _, metadata := range []string{"xattr", "sidecar"} {
		t.Run(metadata, func(t *testing.T) {
			dir := t.TempDir()
			must(t)(nil, os.WriteFile(filepath.Join(dir, "metadata"), []byte(metadata), 0o600))
			s := open(t, dir, newKeys())
			c, b := bucket(t, s)
			ctx := t.Context()

			id := begin(t, c, b, "dir/big")
			one := uploadPart(t, c, b, "dir/big", id, 1)
			if got := list(t, c, b); len(got) != 0 {
				t.Errorf("an unfinished upload shows: %v", got)
			}
			// An upload goes on after a restart.
			shut(t, s)
			s = open(t, dir, newKeys())
			c = client(s, keyID, secret)
			uploadPart(t, c, b, "dir/big", id, 2)
			two := uploadPart(t, c, b, "dir/big", id, 2) // parts may be replaced
			parts, err := c.ListParts(ctx, &awss3.ListPartsInput{Bucket: &b, Key: aws.String("dir/big"), UploadId: &id})
			must(t)(nil, err)
			if len(parts.Parts) != 2 {
				t.Errorf("%d parts", len(parts.Parts))
			}
			complete(t, c, b, "dir/big", id, one, two)
			want := append(bytes.Repeat([]byte{1}, partSize), bytes.Repeat([]byte{2}, partSize)...)
			if got, err := get(ctx, c, b, "dir/big"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			part, err := c.GetObject(ctx, &awss3.GetObjectInput{Bucket: &b, Key: aws.String("dir/big"), PartNumber: aws.Int32(2)})
			must(t)(nil, err)
			if got, _ := io.ReadAll(part.Body); !bytes.Equal(got, want[partSize:]) || part.Metadata["colour"] != "grey" {
				t.Errorf("part 2: %d bytes, %v", len(got), part.Metadata)
			}

			aborted := begin(t, c, b, "dir/big")
			uploadPart(t, c, b, "dir/big", aborted, 1)
			must(t)(c.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: &b, Key: aws.String("dir/big"), UploadId: &aborted}))
			wantFiles(t, dir, "dir/big")
		})
	}
}

// wantFiles checks that the bucket holds these files and nothing else, and that
// nobody but their owner may look at anything.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	found := map[string]bool{}
	must(t)(nil, filepath.WalkDir(filepath.Join(dir, "buckets"), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !e.IsDir() {
			rel, _ := filepath.Rel(filepath.Join(dir, "buckets", "bucket"), path)
			found[rel] = true
		}
		return nil
	}))
	for _, name := range want {
		if !found[name] {
			t.Errorf("%s is not there", name)
		}
		delete(found, name)
	}
	for name := range found {
		t.Errorf("%s is left", name)
	}
}

func TestAbandonedUploads(t *testing.T) {
	for _, metadata := range []string{"xattr", "sidecar"} {
		t.Run(metadata, func(t *testing.T) {
			dir := t.TempDir()
			must(t)(nil, os.WriteFile(filepath.Join(dir, "metadata"), []byte(metadata), 0o600))
			s := open(t, dir, newKeys())
			c, b := bucket(t, s)
			forgotten, recent := begin(t, c, b, "big"), begin(t, c, b, "big")
			uploadPart(t, c, b, "big", forgotten, 1)
			part := uploadPart(t, c, b, "big", recent, 1)
			shut(t, s)

			dirs, err := filepath.Glob(filepath.Join(dir, "buckets", b, ".sgwtmp", "multipart", "*", forgotten))
			if err != nil || len(dirs) != 1 {
				t.Fatal(dirs, err)
			}
			for _, c := range []struct {
				age  time.Duration
				want int
			}{{6*24*time.Hour + 23*time.Hour, 2}, {7*24*time.Hour + time.Hour, 1}} {
				must(t)(nil, os.Chtimes(dirs[0], time.Time{}, time.Now().Add(-c.age)))
				s = open(t, dir, newKeys())
				uploads, err := client(s, keyID, secret).ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: &b})
				must(t)(nil, err)
				if len(uploads.Uploads) != c.want {
					t.Errorf("after %v there are %d uploads, want %d", c.age, len(uploads.Uploads), c.want)
				}
				shut(t, s)
			}
			s = open(t, dir, newKeys())
			complete(t, client(s, keyID, secret), b, "big", recent, part)
			wantFiles(t, dir, "big")
		})
	}
}
