package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/remora-project/remora/api"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/api/sigv4"
	"github.com/remora-project/remora/api/sts"
)

const (
	keyID    = "AKIDEXAMPLE"
	secret   = "secret"
	account  = "000000000000"
	deadline = 30 * time.Second
)

// text is the input and the output of the test's operations.
type text struct{ Text *string }

func (*text) AWSMembers() []awsmodel.Member { return []awsmodel.Member{{Name: "Text"}} }

func echo(_ context.Context, in *text) (*text, error) { return in, nil }

// huge answers with more than the buffers of a connection take.
func huge(context.Context, *text) (*text, error) {
	return &text{new(strings.Repeat("x", 64<<20))}, nil
}

// serve starts an endpoint with the services Test and Huge, and returns its
// address.
func serve(t *testing.T, timeouts api.Timeouts) string {
	t.Helper()
	return serveAndWatch(t, timeouts, nil)
}

// serveAndWatch tells watch what becomes of connections.
func serveAndWatch(t *testing.T, timeouts api.Timeouts, watch func(net.Conn, http.ConnState)) string {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	srv := api.NewServer(&api.Endpoint{
		Verifier: &sigv4.Verifier{Secrets: func(id string) (string, bool) { return secret, id == keyID }},
		Services: []*awsjson.Service{
			awsjson.NewService("Test", "remora", []string{"Echo", "Other"}, awsjson.Op("Echo", echo)),
			awsjson.NewService("Huge", "glue", []string{"Get"}, awsjson.Op("Get", huge)),
		},
		STS: sts.Service{Account: account}, Log: log,
	}, timeouts, log)
	srv.ConnState = watch
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("after %s a connection is still open: %v", deadline, err)
			srv.Close()
		}
		<-served
	})
	return l.Addr().String()
}

// request is a request to send; unsigned if service is empty.
type request struct {
	method, query, target, body string
	service                     string
	change                      func(*http.Request) // after it was signed
}

func (q request) make(t *testing.T, addr string) *http.Request {
	t.Helper()
	method := q.method
	if method == "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/"+q.query, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	if q.target != "" {
		r.Header.Set("X-Amz-Target", q.target)
	}
	if q.service != "" {
		hash := sha256.Sum256([]byte(q.body))
		creds := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(hash[:]), q.service, "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if q.change != nil {
		q.change(r)
	}
	return r
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func send(t *testing.T, r *http.Request) answer {
	t.Helper()
	client := http.Client{Timeout: deadline, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

// code is the error's, in either protocol.
func (a answer) code(t *testing.T) (code, message string) {
	t.Helper()
	if a.header.Get("Content-Type") == "text/xml" {
		var e struct {
			Error     struct{ Type, Code, Message string }
			RequestID string `xml:"RequestId"`
		}
		if err := xml.Unmarshal(a.body, &e); err != nil || e.RequestID == "" || e.Error.Type != "Sender" {
			t.Errorf("not an error of the Query protocol (%v): %s", err, a.body)
		}
		return e.Error.Code, e.Error.Message
	}
	var e struct {
		Type    string `json:"__type"`
		Message string
	}
	if err := json.Unmarshal(a.body, &e); err != nil || a.header.Get("Content-Type") != "application/x-amz-json-1.1" {
		t.Errorf("not an error of the JSON protocol (%v): %q %s", err, a.header.Get("Content-Type"), a.body)
	}
	if h := a.header.Get("x-amzn-ErrorType"); h != e.Type {
		t.Errorf("x-amzn-ErrorType is %q, the body has %q", h, e.Type)
	}
	return e.Type, e.Message
}

func TestAnswers(t *testing.T) {
	addr := serve(t, api.DefaultTimeouts)
	large := `{"Text": "` + strings.Repeat("x", api.MaxBody) + `"}`
	tamper := func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"Text": "b"}`)) }
	for _, c := range []struct {
		name    string
		request request
		status  int
		code    string // of an error
		text    string // in the answer
	}{
		{"an operation", request{target: "Test.Echo", body: `{"Text": "a"}`, service: "remora"}, 200, "", `{"Text":"a"}`},
		{"just not too large", request{target: "Test.Echo", body: large[:20] + large[32:], service: "remora"}, 200, "", ""},
		{"too large", request{target: "Test.Echo", body: large, service: "remora"}, 413, "RequestEntityTooLargeException", "4194304 bytes"},
		{"too large, unsigned, unknown", request{target: "No.Op", body: large}, 413, "RequestEntityTooLargeException", ""},
		{"an operation that Remora lacks", request{target: "Test.Other", service: "remora"}, 400, "UnknownOperationException", "does not have operation Other"},
		{"an operation that nobody has", request{target: "Test.Nonsense", service: "remora"}, 400, "UnknownOperationException", "Nonsense"},
		{"half a target", request{target: "Test", service: "remora"}, 400, "UnknownOperationException", ""},
		{"an unknown service", request{target: "DynamoDB_20120810.ListTables", service: "dynamodb"}, 400, "UnknownOperationException", "no service"},
		{"no target at all", request{body: `{}`}, 404, "UnknownOperationException", "names no operation"},
		{"a browser", request{method: "GET"}, 404, "UnknownOperationException", "names no operation"},
		{"GET of an operation", request{method: "GET", target: "Test.Echo", service: "remora"}, 405, "UnknownOperationException", "POST"},
		{"no signature", request{target: "Test.Echo", body: `{}`}, 400, "MissingAuthenticationTokenException", ""},
		{"no signature comes before no such operation", request{target: "Test.Nonsense", body: `{}`}, 400, "MissingAuthenticationTokenException", ""},
		{"no signature comes before bad JSON", request{target: "Test.Echo", body: `{`}, 400, "MissingAuthenticationTokenException", ""},
		{"bad JSON", request{target: "Test.Echo", body: `{`, service: "remora"}, 400, "SerializationException", ""},
		{"signed for another service", request{target: "Test.Echo", body: `{}`, service: "glue"}, 400, "InvalidSignatureException", "remora"},
		{"another body than was signed", request{target: "Test.Echo", body: `{"Text": "a"}`, service: "remora", change: tamper}, 400, "InvalidSignatureException", ""},
		{"STS", request{body: "Action=GetCallerIdentity&Version=2011-06-15", service: "sts"}, 200, "", "<Account>" + account + "</Account>"},
		{"STS by GET", request{method: "GET", query: "?Action=GetCallerIdentity", service: "sts"}, 200, "", "<UserId>" + account + "</UserId>"},
		{"STS without a signature", request{body: "Action=GetCallerIdentity"}, 403, "MissingAuthenticationToken", ""},
		{"STS, signed for another service", request{body: "Action=GetCallerIdentity", service: "glue"}, 403, "SignatureDoesNotMatch", "sts"},
		{"another operation of STS", request{body: "Action=AssumeRole&RoleArn=%3Cx%3E", service: "sts"}, 400, "InvalidAction", `"AssumeRole"`},
		{"another version of STS", request{body: "Action=GetCallerIdentity&Version=2010-05-08", service: "sts"}, 400, "InvalidAction", "2010-05-08"},
		{"a form that is none", request{body: "Action=%zz", service: "sts"}, 404, "UnknownOperationException", ""},
		{"STS, unknown key", request{body: "Action=GetCallerIdentity", service: "sts", change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), keyID, "AKIDOTHER", 1))
		}}, 403, "InvalidClientTokenId", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := send(t, c.request.make(t, addr))
			if a.status != c.status {
				t.Errorf("status %d, want %d: %.200s", a.status, c.status, a.body)
			}
			if a.header.Get("x-amzn-RequestId") == "" {
				t.Error("the answer has no request id")
			}
			if c.code != "" {
				code, message := a.code(t)
				if code != c.code || !strings.Contains(message, c.text) {
					t.Errorf("error %s: %s; want %s: …%s…", code, message, c.code, c.text)
				}
			} else if !bytes.Contains(a.body, []byte(c.text)) {
				t.Errorf("answer %.200s, want %s", a.body, c.text)
			}
		})
	}
}

// A body whose length is not announced is bounded as well.
func TestUnannouncedBody(t *testing.T) {
	addr := serve(t, api.DefaultTimeouts)
	r := request{target: "Test.Echo"}.make(t, addr)
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(endless{}, api.MaxBody+1)), -1
	if a := send(t, r); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413", a.status)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
