package blobs

import (
	"strings"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

// maxKeyBytes is S3's own limit.
const maxKeyBytes = 1024

// Parse splits the address of an object, s3://bucket/key. The key is taken as it
// stands, with nothing decoded: a "?" or "%20" in it is part of its name, as it
// is for the AWS CLI. s3a:// is accepted because Hadoop and Spark, where scripts
// come from, write it for the same objects; s3n:// was another client's and is
// not. Errors are Invalid.
func Parse(uri string) (bucket, key string, err error) {
	const op = "blobs: parse"
	rest, ok := strings.CutPrefix(uri, "s3://")
	if !ok {
		rest, ok = strings.CutPrefix(uri, "s3a://")
	}
	if !ok {
		return "", "", remora.Invalidf(op, uri, "%q is not an S3 address: write s3://bucket/key", uri)
	}
	bucket, key, _ = strings.Cut(rest, "/")
	switch {
	case bucket == "":
		return "", "", remora.Invalidf(op, uri, "%q names no bucket: write s3://bucket/key", uri)
	case !validBucket(bucket):
		return "", "", remora.Invalidf(op, uri, "%q is not the name of a bucket: 3 to 63 lower-case letters, "+
			"digits, dots and hyphens, with a letter or digit at both ends", bucket)
	case key == "":
		return "", "", remora.Invalidf(op, uri, "%q names a bucket but no object in it: write s3://%s/key", uri, bucket)
	case strings.HasSuffix(key, "/"):
		return "", "", remora.Invalidf(op, uri, "%q names a folder, not an object", uri)
	case len(key) > maxKeyBytes:
		return "", "", remora.Invalidf(op, uri, "the key of %.60q... has %d bytes; %d are allowed", uri, len(key), maxKeyBytes)
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return "", "", remora.Invalidf(op, uri, "the key of %q is not text in UTF-8", uri)
	}
	return bucket, key, nil
}

// validBucket also keeps a name from meaning something else in a URL's path or
// host.
func validBucket(name string) bool {
	if len(name) < 3 || len(name) > 63 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (c != '.' && c != '-' || i == 0 || i == len(name)-1) {
			return false
		}
	}
	return true
}
