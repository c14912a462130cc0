package sigv4

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// verifyingServer is a real HTTP server that answers with the code of the
// refusal in a header, "accepted" if there was none.
func verifyingServer(t *testing.T, v *Verifier) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		verdict := "accepted"
		if _, err := v.Verify(r, body, "glue"); err != nil {
			verdict = err.Error()
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				t.Errorf("%v is not a Refusal", err)
			}
		}
		w.Header().Set("Verdict", verdict)
	}))
	t.Cleanup(s.Close)
	return s
}

// draft is a request before it is signed, so that it can be made again.
type draft struct {
	method, path, rawPath, query string
	header                       http.Header
	body                         []byte
	chunked                      bool
}

func (d draft) request(t *testing.T, base string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(d.method, base, bytes.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = d.path, d.rawPath, d.query
	r.Header = d.header.Clone()
	if d.chunked {
		r.ContentLength = -1
	}
	if d.chunked || len(d.body) == 0 {
		r.GetBody = nil
	}
	return r
}

func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }

func randomText(rnd *rand.Rand, alphabet string, most int) string {
	letters := []rune(alphabet)
	s := make([]rune, rnd.IntN(most+1))
	for i := range s {
		s[i] = letters[rnd.IntN(len(letters))]
	}
	return string(s)
}

func randomDraft(rnd *rand.Rand) draft {
	const odd = "abzAZ09-_.~ !\"#$%&'()*+,:;<=>?@[]^`{|}/\\é世"
	d := draft{
		method: pick(rnd, "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND"),
		path:   pick(rnd, "/", "/", "/"+randomText(rnd, odd, 12), "/a//b/../c/./", "//", "/.."),
		header: http.Header{},
	}
	if rnd.IntN(4) == 0 { // escaped more than it must be, and an escaped slash
		d.path, d.rawPath = "/a/b c!", "/%61%2fb%20c%21"
	}
	var pairs []string
	for range rnd.IntN(5) {
		k, v := randomText(rnd, odd, 4), randomText(rnd, odd, 6)
		pairs = append(pairs, percent(k)+pick(rnd, "=", "=", "")+percent(v))
	}
	if rnd.IntN(5) == 0 {
		pairs = append(pairs, "q=1+2", "q=a/b", "q=a-b", "é=1", "empty=", "=x", "flag")
	}
	d.query = strings.Join(pairs, "&")

	for range rnd.IntN(5) {
		name := pick(rnd, "X-Amz-Target", "X-Amz-Meta-A", "X-Amz-User-Agent", "Content-Type", "Cache-Control", "My-Header",
			"amz-sdk-request", "Amz-Sdk-Invocation-Id", "Cookie", "X_Under", "Accept")
		for range 1 + rnd.IntN(3) {
			d.header.Add(name, randomText(rnd, "ab  ,:;=\"/é", 10))
		}
	}
	switch rnd.IntN(4) {
	case 0: // no body
	case 1:
		d.body = []byte("{}")
	default:
		d.body = make([]byte, rnd.IntN(2000))
		for i := range d.body {
			d.body[i] = byte(rnd.Uint32())
		}
	}
	// Without a body net/http may send a chunked request as one that has none.
	d.chunked = len(d.body) > 0 && rnd.IntN(4) == 0
	return d
}

func percent(s string) string { return string(appendEscaped(nil, s, false)) }

// TestWhatTheSDKSigns sends random requests that the SDK's signer signed, then
// the same requests with something changed on the way.
func TestWhatTheSDKSigns(t *testing.T) {
	const requests = 2000
	now := time.Now().UTC().Truncate(time.Second)
	server := verifyingServer(t, &Verifier{Secrets: exampleSecrets, Now: func() time.Time { return now }})
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	signer := v4.NewSigner()
	seed := uint64(now.UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)

	send := func(r *http.Request) string {
		t.Helper()
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", r.Method, r.URL, err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.Header.Get("Verdict")
	}
	done := map[string]int{}
	for i := range requests {
		d := randomDraft(rnd)
		sign := func() *http.Request {
			r := d.request(t, server.URL)
			if rnd.IntN(2) == 0 {
				r.Header.Set("X-Amz-Content-Sha256", hashOf(string(d.body)))
			}
			creds := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}
			at := now.Add(time.Duration(rnd.IntN(200)-100) * time.Second)
			if err := signer.SignHTTP(context.Background(), creds, r, hashOf(string(d.body)), "glue",
				pick(rnd, "us-east-1", "eu-west-1", "local"), at); err != nil {
				t.Fatal(err)
			}
			return r
		}
		if got := send(sign()); got != "accepted" {
			t.Fatalf("request %d, %+v: %s", i, d, got)
		}
		r := sign()
		tampering := tamperings[rnd.IntN(len(tamperings))]
		if !tampering.do(rnd, r, &d) {
			continue
		}
		if got := send(r); !strings.HasPrefix(got, tampering.code+":") {
			t.Fatalf("request %d, %+v with another %s: %s, want %s", i, d, tampering.name, got, tampering.code)
		}
		done[tampering.name]++
	}
	for _, tampering := range tamperings {
		if done[tampering.name] == 0 {
			t.Errorf("no request was sent with another %s", tampering.name)
		}
	}
}

// tamperings change a signed request; do returns false if it has nothing to change.
var tamperings = []struct {
	name, code string
	do         func(rnd *rand.Rand, r *http.Request, d *draft) bool
}{
	{"body byte", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		if len(d.body) == 0 {
			return false
		}
		body := bytes.Clone(d.body)
		body[rnd.IntN(len(body))] ^= 1 << rnd.IntN(8)
		r.Body = io.NopCloser(bytes.NewReader(body))
		return true
	}},
	{"body and its hash", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		if len(d.body) == 0 || r.Header.Get("X-Amz-Content-Sha256") == "" {
			return false
		}
		body := bytes.ToUpper([]byte(strings.Repeat("x", len(d.body))))
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Set("X-Amz-Content-Sha256", hashOf(string(body)))
		return !bytes.Equal(body, d.body)
	}},
	{"header value", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		for name := range d.header {
			r.Header[name][0] += "x"
			return true
		}
		return false
	}},
	{"set of headers", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		for name, values := range d.header {
			delete(r.Header, name)
			return strings.TrimSpace(strings.Join(values, "")) != ""
		}
		return false
	}},
	{"unsigned header", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		r.Header.Set("X-Amz-Added", "1")
		return true
	}},
	{"unsigned target", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		r.Header.Set("X-Amz-Target", "AWSGlue.DeleteJob")
		return true
	}},
	{"method", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		r.Method = "REPORT"
		return true
	}},
	{"host", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		r.Host = "elsewhere.example.com"
		return true
	}},
	{"path", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		r.URL.Path, r.URL.RawPath = r.URL.Path+"x", ""
		return true
	}},
	{"query", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&added=1", "&")
		return true
	}},
	{"signature", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		auth := []byte(r.Header.Get("Authorization"))
		at := len(auth) - 1 - rnd.IntN(64)
		auth[at] = pick(rnd, []byte(strings.ReplaceAll("0123456789abcdef", string(auth[at]), ""))...)
		r.Header.Set("Authorization", string(auth))
		return true
	}},
	{"signature length", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		auth := r.Header.Get("Authorization")
		r.Header.Set("Authorization", auth[:len(auth)-1-rnd.IntN(63)])
		return true
	}},
	{"second", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		at, _ := time.Parse(basicFormat, r.Header.Get("X-Amz-Date"))
		r.Header.Set("X-Amz-Date", stamp(at.Add(time.Second)))
		return true
	}},
	{"day", CodeInvalid, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		at, _ := time.Parse(basicFormat, r.Header.Get("X-Amz-Date"))
		r.Header.Set("X-Amz-Date", stamp(at.AddDate(0, 0, pick(rnd, -1, 1))))
		return true
	}},
	{"day of scope", CodeInvalid, replaceInScope(1, "20150830")},
	{"region of scope", CodeInvalid, replaceInScope(2, "eu-north-1")},
	{"service of scope", CodeInvalid, replaceInScope(3, "logs")},
	{"end of scope", CodeInvalid, replaceInScope(4, "aws5_request")},
	{"key", CodeUnrecognized, replaceInScope(0, "AKIDOTHER")},
	{"authorization", CodeMissing, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		r.Header.Del("Authorization")
		return true
	}},
	{"parameter", CodeIncomplete, func(rnd *rand.Rand, r *http.Request, d *draft) bool {
		name := pick(rnd, "Credential=", "SignedHeaders=", "Signature=")
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), name, "Other=", 1))
		return true
	}},
}

// replaceInScope replaces one of the five parts of the credential.
func replaceInScope(part int, with string) func(*rand.Rand, *http.Request, *draft) bool {
	return func(_ *rand.Rand, r *http.Request, _ *draft) bool {
		auth := r.Header.Get("Authorization")
		start := strings.Index(auth, "Credential=") + len("Credential=")
		end := start + strings.Index(auth[start:], ",")
		parts := strings.Split(auth[start:end], "/")
		parts[part] = with
		r.Header.Set("Authorization", fmt.Sprint(auth[:start], strings.Join(parts, "/"), auth[end:]))
		return true
	}
}
