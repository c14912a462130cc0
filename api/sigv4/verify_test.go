package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The key and the time of the examples in AWS's documentation and test suite.
const (
	exampleID     = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func exampleSecrets(id string) (string, bool) { return exampleSecret, id == exampleID }

func exampleVerifier() *Verifier {
	return &Verifier{Secrets: exampleSecrets, Now: func() time.Time { return exampleTime }}
}

// rawRequest parses a request as net/http's server does.
func rawRequest(t testing.TB, lines ...string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(lines, "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatalf("parse request: %v", err)
	}
	return r
}

// sdkSigned returns a request that the Go SDK signed, as a server sees it.
func sdkSigned(t testing.TB, id, secret, token, service, region string, at time.Time, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("POST", "http://glue.example.com:4566/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSGlue.GetJobs")
	creds := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hashOf(body), service, region, at); err != nil {
		t.Fatalf("sign: %v", err)
	}
	return onTheServer(t, r)
}

// onTheServer sends a request through net/http's own writer and reader.
func onTheServer(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatalf("write request: %v", err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatalf("read request: %v", err)
	}
	return got
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// wantRefusal fails unless err is a refusal with that code and a message that
// contains text.
func wantRefusal(t testing.TB, err error, code, text string) {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal with code %s", err, code)
	}
	if refusal.Code != code || !strings.Contains(refusal.Message, text) {
		t.Fatalf("got %s: %q, want %s: %q", refusal.Code, refusal.Message, code, text)
	}
	if refusal.Status != http.StatusBadRequest {
		t.Fatalf("%s has status %d, want 400", refusal.Code, refusal.Status)
	}
}

func TestDocumentedExample(t *testing.T) {
	r := rawRequest(t, "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1",
		"Host: iam.amazonaws.com",
		"Content-Type: application/x-www-form-urlencoded; charset=utf-8",
		"X-Amz-Date: 20150830T123600Z",
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "+
			"SignedHeaders=content-type;host;x-amz-date, "+
			"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
	got, err := exampleVerifier().Verify(r, nil, "iam")
	want := Identity{AccessKeyID: exampleID, Region: "us-east-1", Service: "iam", SignedAt: exampleTime}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
}

// TestSuiteVectors holds signatures that AWS published in its test suite for
// Signature Version 4: service "service" in us-east-1, no body.
func TestSuiteVectors(t *testing.T) {
	for name, v := range map[string]struct {
		line, headers, signed, signature string
	}{
		"get-vanilla": {line: "GET /",
			signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"post-vanilla": {line: "POST /",
			signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"get-vanilla-query-order-key-case": {line: "GET /?Param2=value2&Param1=value1",
			signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		"get-unreserved": {line: "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
			signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		"get-slashes": {line: "GET //example//",
			signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		"get-relative": {line: "GET /example/..",
			signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"get-header-value-trim": {line: "GET /", headers: "My-Header1: value1\r\nMy-Header2: \"a   b   c\"\r\n",
			signed:    "host;my-header1;my-header2;x-amz-date",
			signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	} {
		t.Run(name, func(t *testing.T) {
			signed := v.signed
			if signed == "" {
				signed = "host;x-amz-date"
			}
			r := rawRequest(t, v.line+" HTTP/1.1", v.headers+"Host: example.amazonaws.com",
				"X-Amz-Date: 20150830T123600Z",
				"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "+
					"SignedHeaders="+signed+", Signature="+v.signature)
			if _, err := exampleVerifier().Verify(r, nil, "service"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestClockSkew(t *testing.T) {
	for _, c := range []struct {
		name string
		off  time.Duration // of the client's clock
		want string
	}{
		{"exact", 0, ""},
		{"at the past limit", -5 * time.Minute, ""},
		{"at the future limit", 5 * time.Minute, ""},
		{"too old", -5*time.Minute - time.Second,
			"Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"},
		{"too new", 5*time.Minute + time.Second,
			"Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := sdkSigned(t, exampleID, exampleSecret, "", "glue", "us-east-1", exampleTime.Add(c.off), "{}")
			_, err := exampleVerifier().Verify(r, []byte("{}"), "glue")
			if c.want == "" && err != nil {
				t.Fatal(err)
			}
			if c.want != "" {
				wantRefusal(t, err, CodeInvalid, c.want)
			}
		})
	}
	v := exampleVerifier()
	v.MaxSkew = 90 * time.Second
	r := sdkSigned(t, exampleID, exampleSecret, "", "glue", "us-east-1", exampleTime.Add(-2*time.Minute), "{}")
	_, err := v.Verify(r, []byte("{}"), "glue")
	wantRefusal(t, err, CodeInvalid, "(20150830T123600Z - 90 sec.)")
}

func TestAnyRegion(t *testing.T) {
	v := exampleVerifier()
	for _, region := range []string{"us-east-1", "eu-central-2", "local", "us-gov-west-1", "A1"} {
		r := sdkSigned(t, exampleID, exampleSecret, "", "glue", region, exampleTime, "{}")
		got, err := v.Verify(r, []byte("{}"), "glue")
		if err != nil || got.Region != region {
			t.Errorf("region %s: got %+v, %v", region, got, err)
		}
	}
	for _, region := range []string{"", "us east", "eu_west", strings.Repeat("a", 64)} {
		r := sdkSigned(t, exampleID, exampleSecret, "", "glue", region, exampleTime, "{}")
		if _, err := v.Verify(r, []byte("{}"), "glue"); err == nil {
			t.Errorf("region %q was accepted", region)
		}
	}
}

func TestKeyIsAskedForOnceAndObeyed(t *testing.T) {
	request := func(secret string) *http.Request {
		return sdkSigned(t, exampleID, secret, "", "glue", "us-east-1", exampleTime, "{}")
	}
	secret, known, asked := "first", true, 0
	v := exampleVerifier()
	v.Secrets = func(string) (string, bool) { asked++; return secret, known }

	if _, err := v.Verify(request("first"), []byte("{}"), "glue"); err != nil || asked != 1 {
		t.Fatalf("got %v after %d questions", err, asked)
	}
	secret = "second" // the same id, another secret: nothing of the first one may be left
	if _, err := v.Verify(request("second"), []byte("{}"), "glue"); err != nil {
		t.Fatal(err)
	}
	_, err := v.Verify(request("first"), []byte("{}"), "glue")
	wantRefusal(t, err, CodeInvalid, "The request signature we calculated does not match")
	known = false // revoked
	_, err = v.Verify(request("second"), []byte("{}"), "glue")
	wantRefusal(t, err, CodeUnrecognized, "The security token included in the request is invalid.")
	known, secret = true, ""
	_, err = v.Verify(request(""), []byte("{}"), "glue")
	wantRefusal(t, err, CodeUnrecognized, "")
	_, err = v.Verify(request(unknownSecret), []byte("{}"), "glue")
	wantRefusal(t, err, CodeUnrecognized, "")
	v.Secrets = nil
	_, err = v.Verify(request("second"), []byte("{}"), "glue")
	wantRefusal(t, err, CodeUnrecognized, "")
}

func TestKeyCacheIsBoundedAndRight(t *testing.T) {
	var c keyCache
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range maxCachedKeys {
				s := scope{secret: "s", date: "20150830", region: fmt.Sprintf("r-%d-%d", worker%2, i), service: "glue"}
				if got := c.get(s); !bytes.Equal(got, signingKey(s)) {
					t.Errorf("wrong key for %s", s.region)
				}
			}
		})
	}
	wg.Wait()
	if n := len(c.keys); n == 0 || n > maxCachedKeys {
		t.Errorf("%d keys are cached, want 1 to %d", n, maxCachedKeys)
	}
}

func TestVerifierPrintsNoSecrets(t *testing.T) {
	v := exampleVerifier()
	r := sdkSigned(t, exampleID, exampleSecret, "", "glue", "us-east-1", exampleTime, "{}")
	if _, err := v.Verify(r, []byte("{}"), "glue"); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, v); strings.Contains(text, exampleSecret) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"JobName":"reviews","Arguments":{"--rows":"1000000"}}`)
	r := sdkSigned(b, exampleID, exampleSecret, "", "glue", "us-east-1", exampleTime, string(body))
	v := exampleVerifier()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r, body, "glue"); err != nil {
			b.Fatal(err)
		}
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
