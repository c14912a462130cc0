// Package blobs reads objects from S3: the embedded endpoint or any other one.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/remora-project/remora"
)

// Config says which S3 to read from.
type Config struct {
	Endpoint  string // http://host:port or https://…; empty: AWS
	Region    string // empty: us-east-1
	PathStyle bool   // http://host/bucket/key; most endpoints other than AWS want it
	// Credentials is asked at each request, so that a rotation takes effect at
	// once. nil: the AWS SDK's own chain (environment, shared files, instance role).
	Credentials aws.CredentialsProvider
}

// Store reads objects. It may be used from any goroutine.
type Store struct {
	client   *s3.Client
	endpoint string // for messages
}

var _ remora.Blobs = (*Store)(nil)

// New makes a Store; nothing is contacted yet, except that without
// Config.Credentials the SDK's chain is set up from the environment. Invalid if
// the endpoint is not an address.
func New(ctx context.Context, cfg Config) (*Store, error) {
	const op = "blobs: configure"
	endpoint := "AWS"
	opts := s3.Options{
		Region:       cfg.Region,
		UsePathStyle: cfg.PathStyle,
		Credentials:  cfg.Credentials,
		DisableLogOutputChecksumValidationSkipped: true,
	}
	if opts.Region == "" {
		opts.Region = "us-east-1"
	}
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, remora.Invalidf(op, cfg.Endpoint, "%q is not an S3 endpoint: write http://host:port or https://host", cfg.Endpoint)
		}
		endpoint = cfg.Endpoint
		opts.BaseEndpoint = &cfg.Endpoint
	}
	opts.HTTPSignerV4 = signer{}
	if opts.Credentials == nil {
		chain, err := config.LoadDefaultConfig(ctx, config.WithRegion(opts.Region))
		if err != nil {
			return nil, remora.Invalidf(op, endpoint, "find AWS credentials: %w", err)
		}
		opts.Credentials = chain.Credentials
	}
	return &Store{client: s3.New(opts), endpoint: endpoint}, nil
}

// signer signs each request afresh. The SDK's own remembers signing keys by
// access key and would go on with the former secret where only that changes.
type signer struct{}

func (signer) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payload, service, region string,
	now time.Time, opts ...func(*v4.SignerOptions)) error {
	opts = append(opts, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // as S3 has it
	return v4.NewSigner().SignHTTP(ctx, c, r, payload, service, region, now, opts...)
}

// Fetch copies an object of at most limit bytes to w, see remora.Blobs.
func (s *Store) Fetch(ctx context.Context, uri string, w io.Writer, limit int64) error {
	const op = "blobs: fetch"
	bucket, key, err := Parse(uri)
	if err != nil {
		return err
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return s.explain(ctx, op, uri, bucket, err)
	}
	defer out.Body.Close()
	if size := aws.ToInt64(out.ContentLength); size > limit {
		return remora.Invalidf(op, uri, "%s is too large: %d bytes, at most %d are read", uri, size, limit)
	}
	to := &sink{to: w}
	n, err := io.Copy(to, io.LimitReader(out.Body, limit+1))
	switch {
	case to.err != nil:
		return remora.Unavailablef(op, uri, "store %s: %w", uri, to.err)
	case err != nil:
		return s.explain(ctx, op, uri, bucket, fmt.Errorf("read body: %w", err))
	case n > limit: // an endpoint that does not tell the length
		return remora.Invalidf(op, uri, "%s is too large: more than the %d bytes that are read", uri, limit)
	}
	return nil
}

// sink remembers that it was the writing that failed.
type sink struct {
	to  io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.to.Write(b)
	s.err = err
	return n, err
}

// explain turns a failure of the SDK into one that a user can act on.
func (s *Store) explain(ctx context.Context, op, uri, bucket string, err error) error {
	if ctx.Err() != nil {
		return remora.Unavailablef(op, uri, "reading %s from %s was given up: %w", uri, s.endpoint, ctx.Err())
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return remora.Unavailablef(op, uri, "cannot reach %s to read %s: %w", s.endpoint, uri, network)
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch code := api.ErrorCode(); code {
		case "NoSuchKey":
			return remora.NotFoundf(op, uri, "%s does not exist", uri)
		case "NoSuchBucket":
			return remora.NotFoundf(op, uri, "bucket %s does not exist (asked for %s)", bucket, uri)
		case "InvalidBucketName":
			return remora.Invalidf(op, uri, "%q is not the name of a bucket", bucket)
		case "InvalidObjectState":
			return remora.Invalidf(op, uri, "%s is archived: restore it first", uri)
		case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
			return remora.Invalidf(op, uri, "bucket %s is in another region than %s: set the region of the S3 endpoint (%s)",
				bucket, s.client.Options().Region, api.ErrorMessage())
		case "ExpiredToken", "InvalidToken":
			return remora.Errorf(remora.Unauthorized, op, uri, "%s refuses access to %s: %s: %s", s.endpoint, uri, code, api.ErrorMessage())
		case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout":
			return remora.Unavailablef(op, uri, "%s cannot serve %s now: %s: %s", s.endpoint, uri, code, api.ErrorMessage())
		}
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		code := fmt.Sprint("HTTP status ", response.HTTPStatusCode())
		if api != nil {
			code = api.ErrorCode() + ": " + api.ErrorMessage()
		}
		switch status := response.HTTPStatusCode(); {
		case status == http.StatusForbidden || status == http.StatusUnauthorized:
			return remora.Errorf(remora.Unauthorized, op, uri, "%s refuses access to %s: %s", s.endpoint, uri, code)
		case status == http.StatusNotFound:
			return remora.NotFoundf(op, uri, "%s does not exist", uri)
		case status >= 400 && status < 500:
			return remora.Invalidf(op, uri, "%s refuses to read %s: %s", s.endpoint, uri, code)
		}
		return remora.Unavailablef(op, uri, "%s cannot serve %s: %s", s.endpoint, uri, code)
	}
	return remora.Unavailablef(op, uri, "cannot read %s from %s: %w", uri, s.endpoint, err)
}
