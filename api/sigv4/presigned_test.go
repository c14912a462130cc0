package sigv4

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// presigned returns a URL for GetCallerIdentity that the SDK signed, and the
// headers that must go with it.
func presigned(t testing.TB, base, query string, h http.Header, token string, at time.Time) (*url.URL, http.Header) {
	t.Helper()
	r, err := http.NewRequest("GET", base+"/?Action=GetCallerIdentity&Version=2011-06-15"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h != nil {
		r.Header = h
	}
	creds := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret, SessionToken: token}
	signed, headers, err := v4.NewSigner().PresignHTTP(context.Background(), creds, r, hashOf(""), "sts", "us-east-1", at)
	if err != nil {
		t.Fatalf("presign: %v", err)
	}
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	return u, headers
}

func getRequest(t testing.TB, u *url.URL, h http.Header) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range h {
		if name != "Host" {
			r.Header[name] = values
		}
	}
	return onTheServer(t, r)
}

const stsHost = "http://sts.example.com"

func TestPresigned(t *testing.T) {
	u, h := presigned(t, stsHost, "&X-Amz-Expires=60", http.Header{"X-K8s-Aws-Id": {"cluster"}}, "", exampleTime)
	got, err := exampleVerifier().Verify(getRequest(t, u, h), nil, "sts")
	if err != nil || got.AccessKeyID != exampleID || got.Service != "sts" || !got.SignedAt.Equal(exampleTime) {
		t.Fatalf("got %+v, %v", got, err)
	}
	_, err = exampleVerifier().Verify(getRequest(t, u, nil), nil, "sts")
	wantRefusal(t, err, CodeInvalid, "does not match")
	_, err = exampleVerifier().Verify(getRequest(t, u, h), []byte("smuggled"), "sts")
	wantRefusal(t, err, CodeInvalid, "does not match")
	_, err = exampleVerifier().Verify(getRequest(t, u, h), nil, "glue")
	wantRefusal(t, err, CodeInvalid, "Credential should be scoped to correct service: 'glue'. ")
}

func TestPresignedLifetime(t *testing.T) {
	for _, c := range []struct {
		name, expires string
		age           time.Duration
		code, text    string
	}{
		{"within", "60", time.Minute, "", ""},
		{"over", "60", time.Minute + time.Second, CodeInvalid, "Signature expired: 20150830T123459Z is now earlier than 20150830T123500Z (20150830T123600Z - 1 min.)"},
		{"not yet", "60", -6 * time.Minute, CodeInvalid, "Signature not yet current: 20150830T124200Z"},
		{"default within", "", 15 * time.Minute, "", ""},
		{"default over", "", 15*time.Minute + time.Second, CodeInvalid, "- 15 min.)"},
		{"a week", "604800", 7 * 24 * time.Hour, "", ""},
		{"over a week", "604801", 0, CodeIncomplete, "X-Amz-Expires must be a number of seconds from 1 to 604800, got '604801'."},
		{"zero", "0", 0, CodeIncomplete, "X-Amz-Expires must be"},
		{"negative", "-1", 0, CodeIncomplete, "X-Amz-Expires must be"},
		{"no number", "soon", 0, CodeIncomplete, "X-Amz-Expires must be"},
		{"huge", "99999999999999999999", 0, CodeIncomplete, "X-Amz-Expires must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			query := ""
			if c.expires != "" {
				query = "&X-Amz-Expires=" + c.expires
			}
			u, h := presigned(t, stsHost, query, nil, "", exampleTime.Add(-c.age))
			_, err := exampleVerifier().Verify(getRequest(t, u, h), nil, "sts")
			if c.code == "" && err != nil {
				t.Fatal(err)
			}
			if c.code != "" {
				wantRefusal(t, err, c.code, c.text)
			}
		})
	}
}

func TestPresignedRefusals(t *testing.T) {
	u, h := presigned(t, stsHost, "&X-Amz-Expires=60", nil, "", exampleTime)
	for name, c := range map[string]struct {
		change     func(q url.Values)
		code, text string
	}{
		"no algorithm": {func(q url.Values) { q.Del("X-Amz-Algorithm") }, CodeMissing, ""},
		"nothing else": {func(q url.Values) { clear(q); q.Set("X-Amz-Algorithm", algorithm) }, CodeIncomplete,
			"AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."},
		"two dates":   {func(q url.Values) { q.Add("X-Amz-Date", "20150830T123600Z") }, CodeIncomplete, "'X-Amz-Date' only once"},
		"two tokens":  {func(q url.Values) { q["X-Amz-Security-Token"] = []string{"", "x"} }, CodeIncomplete, "only once"},
		"longer":      {func(q url.Values) { q.Set("X-Amz-Expires", "3600") }, CodeInvalid, "does not match"},
		"action":      {func(q url.Values) { q.Set("Action", "AssumeRole") }, CodeInvalid, "does not match"},
		"added":       {func(q url.Values) { q.Set("Extra", "1") }, CodeInvalid, "does not match"},
		"signature":   {func(q url.Values) { q.Set("X-Amz-Signature", strings.Repeat("0", 64)) }, CodeInvalid, "does not match"},
		"algorithm":   {func(q url.Values) { q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA1") }, CodeIncomplete, "Unsupported AWS 'algorithm'"},
		"no host":     {func(q url.Values) { q.Set("X-Amz-SignedHeaders", "date") }, CodeInvalid, "'Host' or ':authority' must"},
		"unsigned":    {func(q url.Values) { q.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, CodeInvalid, "not signed"},
		"hash":        {func(q url.Values) { q.Set("X-Amz-Content-Sha256", hashOf("x")) }, CodeInvalid, "does not match"},
		"unknown key": {func(q url.Values) { q.Set("X-Amz-Credential", "OTHER/20150830/us-east-1/sts/aws4_request") }, CodeUnrecognized, ""},
	} {
		t.Run(name, func(t *testing.T) {
			changed, query := *u, u.Query()
			c.change(query)
			changed.RawQuery = query.Encode()
			_, err := exampleVerifier().Verify(getRequest(t, &changed, h), nil, "sts")
			wantRefusal(t, err, c.code, c.text)
		})
	}

	r := getRequest(t, u, h)
	r.Header.Set("Authorization", exampleAuthorization)
	_, err := exampleVerifier().Verify(r, nil, "sts")
	wantRefusal(t, err, CodeInvalid, "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")

	r = getRequest(t, u, h)
	r.Header.Set("X-Amz-Target", "AWSGlue.DeleteJob")
	_, err = exampleVerifier().Verify(r, nil, "sts")
	wantRefusal(t, err, CodeInvalid, "'X-Amz-Target' must be a 'SignedHeader'")

	u, h = presigned(t, stsHost, "", nil, "a session token", exampleTime)
	_, err = exampleVerifier().Verify(getRequest(t, u, h), nil, "sts")
	wantRefusal(t, err, CodeUnrecognized, "The security token included in the request is invalid.")
}

// TestPresignedOverLoopback sends what the SDK presigns through a real server.
func TestPresignedOverLoopback(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	v := &Verifier{Secrets: exampleSecrets, Now: func() time.Time { return now }}
	server := verifyingServer(t, v) // for service "glue"
	rnd := rand.New(rand.NewPCG(uint64(now.UnixNano()), 1))
	for i := range 200 {
		h := http.Header{}
		if rnd.IntN(2) == 0 {
			h.Set("X-Amz-Meta-A", randomText(rnd, "ab  ,é", 8))
		}
		r, err := http.NewRequest("GET", server.URL+"/?"+fmt.Sprintf("X-Amz-Expires=%d&k=%s", 1+rnd.IntN(604800),
			percent(randomText(rnd, "a b+&=%é/", 8))), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = h
		creds := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}
		signed, headers, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, hashOf(""), "glue", "local", now)
		if err != nil {
			t.Fatal(err)
		}
		got := func(at string) string {
			get, err := http.NewRequest("GET", at, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, values := range headers {
				if name != "Host" {
					get.Header[name] = values
				}
			}
			resp, err := server.Client().Do(get)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return resp.Header.Get("Verdict")
		}
		if verdict := got(signed); verdict != "accepted" {
			t.Fatalf("request %d, %s: %s", i, signed, verdict)
		}
		if verdict := got(signed + "&k=2"); !strings.HasPrefix(verdict, CodeInvalid) {
			t.Fatalf("request %d with one more parameter: %s", i, verdict)
		}
	}
}
