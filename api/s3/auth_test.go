package s3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/remora-project/remora/api/s3"
)

// send makes a request that is signed for one body and carries another.
func send(t *testing.T, s *s3.Server, method, path, signedFor, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, strings.NewReader(body))
	must(t)(nil, err)
	sum := sha256.Sum256([]byte(signedFor))
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	must(t)(nil, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, req,
		hex.EncodeToString(sum[:]), "s3", "us-east-1", time.Now()))
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(t)(nil, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	must(t)(nil, err)
	return res.StatusCode, string(answer)
}

func TestRefused(t *testing.T) {
	s := open(t, t.TempDir(), newKeys())
	c, b := bucket(t, s)
	ctx := t.Context()
	must(t)(nil, put(ctx, c, b, "object", []byte("original")))

	t.Run("wrong secret", func(t *testing.T) {
		_, err := get(ctx, client(s, keyID, "another secret"), b, "object")
		wantCode(t, err, "SignatureDoesNotMatch")
		wantCode(t, put(ctx, client(s, keyID, "another secret"), b, "object", []byte("forged")), "SignatureDoesNotMatch")
	})
	t.Run("connection goes on", func(t *testing.T) {
		// A refused body is not taken for the next request of the connection.
		forger := client(s, keyID, "another secret")
		for _, size := range []int{1 << 10, 100 << 10, 200 << 10} {
			wantCode(t, put(ctx, forger, b, "object", bytes.Repeat([]byte("GET / HTTP/1.1\r\n\r\n"), size/18)), "SignatureDoesNotMatch")
			_, err := get(ctx, forger, b, "object")
			wantCode(t, err, "SignatureDoesNotMatch")
		}
		if err := put(ctx, forger, b, "object", make([]byte, 16<<20)); err == nil { // not read to its end
			t.Error("a forged upload was accepted")
		}
		_, err := get(ctx, forger, b, "object")
		wantCode(t, err, "SignatureDoesNotMatch")
	})
	t.Run("unknown key", func(t *testing.T) {
		_, err := get(ctx, client(s, "AKIANOBODY0000000000", secret), b, "object")
		wantCode(t, err, "InvalidAccessKeyId")
	})
	t.Run("unsigned", func(t *testing.T) {
		res, err := http.Get("http://" + s.Addr() + "/" + b + "/object")
		must(t)(nil, err)
		defer res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if answer, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusForbidden || !bytes.Contains(answer, []byte("AccessDenied")) {
			t.Errorf("%d: %s", res.StatusCode, answer)
		}
	})
	t.Run("tampered body", func(t *testing.T) {
		status, answer := send(t, s, http.MethodPut, "/"+b+"/object", "original", "tampered")
		if status != http.StatusBadRequest || !strings.Contains(answer, "XAmzContentSHA256Mismatch") {
			t.Errorf("%d: %s", status, answer)
		}
		status, answer = send(t, s, http.MethodPut, "/"+b+"/fresh", "original", "tampered")
		if status != http.StatusBadRequest {
			t.Errorf("%d: %s", status, answer)
		}
	})
	t.Run("another region", func(t *testing.T) {
		c := awss3.New(c.Options(), func(o *awss3.Options) { o.Region = "eu-west-1" })
		_, err := get(ctx, c, b, "object")
		wantCode(t, err, "AuthorizationHeaderMalformed")
	})
	t.Run("outside the bucket", func(t *testing.T) {
		for _, key := range []string{"../escaped", "a/../../escaped", "..", ".sgwtmp/multipart/x", "a/.sgwtmp/b", "a/.b.sgwtmp.1700000000000000000"} {
			if err := put(ctx, c, b, key, []byte("x")); err == nil {
				t.Errorf("key %q was accepted", key)
			}
		}
	})
	t.Run("administration", func(t *testing.T) {
		for _, path := range []string{"/list-users", "/list-buckets", "/create-user", "/change-bucket-owner?bucket=bucket&owner=me"} {
			if status, answer := send(t, s, http.MethodPatch, path, "", ""); status != http.StatusMethodNotAllowed {
				t.Errorf("PATCH %s: %d %s", path, status, answer)
			}
		}
	})

	if got, err := get(ctx, c, b, "object"); err != nil || string(got) != "original" {
		t.Errorf("object is %q, %v", got, err)
	}
	if got := list(t, c, b); len(got) != 1 {
		t.Errorf("objects: %v", got)
	}
}

func TestRotation(t *testing.T) {
	dir, k := t.TempDir(), newKeys()
	s := open(t, dir, k)
	former, b := bucket(t, s)
	ctx := t.Context()
	must(t)(nil, put(ctx, former, b, "former", []byte("1")))
	upload, err := former.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{Bucket: &b, Key: aws.String("big")})
	must(t)(nil, err)

	// With grace both work; afterwards the new one only, on all that there is.
	k.set("AKIAREMORATEST000002", "the second secret")
	next := client(s, "AKIAREMORATEST000002", "the second secret")
	for _, c := range []*awss3.Client{former, next} {
		if got, err := get(ctx, c, b, "former"); err != nil || string(got) != "1" {
			t.Errorf("during grace: %q, %v", got, err)
		}
	}
	k.remove(keyID)
	_, err = get(ctx, former, b, "former")
	wantCode(t, err, "InvalidAccessKeyId")

	check := func(c *awss3.Client) {
		t.Helper()
		must(t)(nil, put(ctx, c, b, "former", []byte("2")))
		must(t)(nil, put(ctx, c, b, "next", []byte("2")))
		if got, err := get(ctx, c, b, "former"); err != nil || string(got) != "2" {
			t.Errorf("%q, %v", got, err)
		}
		if got := list(t, c, b); len(got) != 2 {
			t.Errorf("objects: %v", got)
		}
		buckets, err := c.ListBuckets(ctx, &awss3.ListBucketsInput{})
		must(t)(nil, err)
		if len(buckets.Buckets) != 1 || *buckets.Owner.ID != "000000000000" {
			t.Errorf("buckets %v of %s", buckets.Buckets, *buckets.Owner.ID)
		}
		// Its owner is the account, whatever the key.
		must(t)(c.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &b, ExpectedBucketOwner: aws.String("000000000000")}))
		_, err = c.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &b, ExpectedBucketOwner: aws.String("111111111111")})
		wantCode(t, err, "AccessDenied")
	}
	check(next)
	shut(t, s)
	s = open(t, dir, k)
	next = client(s, "AKIAREMORATEST000002", "the second secret")
	check(next)
	must(t)(next.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: &b, Key: aws.String("big"), UploadId: upload.UploadId}))

	// A changed secret takes effect at the next request.
	k.set("AKIAREMORATEST000002", "changed")
	wantCode(t, put(ctx, next, b, "former", nil), "SignatureDoesNotMatch")
}

func TestPresigned(t *testing.T) {
	s := open(t, t.TempDir(), newKeys())
	c, b := bucket(t, s)
	must(t)(nil, put(t.Context(), c, b, "object", []byte("content")))
	signed, err := awss3.NewPresignClient(c).PresignGetObject(context.Background(), &awss3.GetObjectInput{Bucket: &b, Key: aws.String("object")})
	must(t)(nil, err)
	for url, want := range map[string]int{signed.URL: http.StatusOK, strings.Replace(signed.URL, "/object?", "/other?", 1): http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t)(nil, err)
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		must(t)(nil, err)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", url, res.StatusCode, want)
		}
	}
}
