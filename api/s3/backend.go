package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// copyLimit is S3's own limit for one copy request.
const copyLimit = 5 << 30

// backend is versitygw's POSIX backend, made durable: object data is flushed
// before it gets its name (see durableMetadata), and the name before the request
// is acknowledged.
type backend struct {
	*posix.Posix
	root string
	log  *slog.Logger
}

func newBackend(dir *directory, log *slog.Logger) (*backend, error) {
	opts := posix.PosixOpts{
		CopyObjectThreshold: copyLimit,
		Concurrency:         maxRequests,
		IOBufferSize:        ioBuffer,
		// One process has the directory: the locks in memory are enough.
		ForceNoObjLockFile: true,
	}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	p, err := posix.New(dir.buckets, durableMetadata{dir.metadata(), log}, opts)
	if err != nil {
		return nil, err
	}
	return &backend{Posix: p, root: dir.buckets, log: log}, nil
}

func (b *backend) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	err := b.Posix.CreateBucket(ctx, in, acl)
	if err == nil {
		err = syncDir(b.root)
	}
	return b.report("CreateBucket", err)
}

func (b *backend) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if reserved(*in.Key) {
		return s3response.PutObjectOutput{}, errReserved
	}
	out, err := b.Posix.PutObject(ctx, in)
	if err == nil {
		err = b.syncName(*in.Bucket, *in.Key)
	}
	return out, b.report("PutObject", err)
}

func (b *backend) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if reserved(*in.Key) {
		return s3response.CopyObjectOutput{}, errReserved
	}
	out, err := b.Posix.CopyObject(ctx, in)
	if err == nil {
		err = b.syncName(*in.Bucket, *in.Key)
	}
	return out, b.report("CopyObject", err)
}

func (b *backend) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	if reserved(*in.Key) {
		return s3response.InitiateMultipartUploadResult{}, errReserved
	}
	out, err := b.Posix.CreateMultipartUpload(ctx, in)
	if err == nil {
		err = b.syncName(out.Bucket, uploadDir(out.Key, out.UploadId)+"/")
	}
	return out, b.report("CreateMultipartUpload", err)
}

func (b *backend) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	out, err := b.Posix.UploadPart(ctx, in)
	if err == nil {
		err = b.syncName(*in.Bucket, uploadDir(*in.Key, *in.UploadId)+"/")
	}
	return out, b.report("UploadPart", err)
}

func (b *backend) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	out, err := b.Posix.UploadPartCopy(ctx, in)
	if err == nil {
		err = b.syncName(*in.Bucket, uploadDir(*in.Key, *in.UploadId)+"/")
	}
	return out, b.report("UploadPartCopy", err)
}

func (b *backend) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := b.Posix.CompleteMultipartUpload(ctx, in)
	if err == nil {
		err = b.syncName(*in.Bucket, *in.Key)
	}
	return out, version, b.report("CompleteMultipartUpload", err)
}

// reserved reports whether a key would be a file among the backend's temporary
// ones, which are not listed and do not survive a restart.
func reserved(key string) bool {
	names := strings.Split(key, "/")
	return slices.Contains(names, posix.MetaTmpDir) || linkName.MatchString(names[len(names)-1])
}

var errReserved = s3err.GetAPIError(s3err.ErrBadRequest)

// syncName flushes the directory that holds a key, and those above it up to the
// bucket, which may be new too. With a trailing slash the key is the directory.
// One that is gone was deleted, by a request after this one.
func (b *backend) syncName(bucket, key string) error {
	bucket = filepath.Join(b.root, bucket)
	dir := filepath.Dir(bucket + "/" + key)
	for ; len(dir) >= len(bucket); dir = filepath.Dir(dir) {
		if err := syncDir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("make durable: %w", err)
		}
	}
	return nil
}

// report turns an error that is not S3's own into one that is, and logs it.
// versitygw would print it on standard error.
func (b *backend) report(op string, err error) error {
	if err == nil {
		return nil
	}
	var known s3err.S3Error
	if errors.As(err, &known) {
		return known
	}
	level := slog.LevelWarn
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		level = slog.LevelDebug // the client went away in the middle of a body
	}
	b.log.Log(context.Background(), level, "s3 request failed", "action", op, "error", err)
	return s3err.GetAPIError(s3err.ErrInternalError)
}

// durableMetadata flushes the content of a file when its ETag is stored: that
// happens once for every object and part, with the content complete and before
// the file has its name. Attributes that are set afterwards are in the same
// journal as the name, and before it.
type durableMetadata struct {
	meta.MetadataStorer
	log *slog.Logger
}

// Names of attributes, as the backend has them.
const (
	etagAttribute  = "etag"
	partsAttribute = "mp-metadata"
)

func (m durableMetadata) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if f != nil && attribute == etagAttribute {
		if err := f.Sync(); err != nil {
			return fmt.Errorf("flush content: %w", err)
		}
	}
	err := m.MetadataStorer.StoreAttribute(f, bucket, object, attribute, value)
	if err != nil && attribute == partsAttribute {
		// The sizes of the parts are there to read an object part by part. An ext4
		// file has 4 KiB for all its attributes, enough for about a thousand parts;
		// an object of more can be read by ranges only.
		m.log.Debug("part sizes not kept", "bucket", bucket, "key", object, "bytes", len(value), "error", err)
		return nil
	}
	return err
}
