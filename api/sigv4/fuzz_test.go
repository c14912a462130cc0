package sigv4

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzVerify feeds raw requests, and raw Authorization headers in an otherwise
// sound request, to a verifier whose secret no fuzzer can know.
func FuzzVerify(f *testing.F) {
	const head = "Host: glue.example.com\r\nX-Amz-Date: 20150830T123600Z\r\nX-Amz-Target: AWSGlue.GetJobs\r\n"
	f.Add("POST / HTTP/1.1\r\n"+head+"Authorization: "+exampleAuthorization+"\r\nContent-Length: 2\r\n\r\n{}", exampleAuthorization)
	f.Add("POST //a/../%2f?b=%zz&+=;&&x HTTP/1.1\r\n"+head+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		strings.ReplaceAll(exampleAuthorization, "host;", "host;content-length;transfer-encoding;"))
	f.Add("GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Flocal%2Fglue%2Faws4_request"+
		"&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00 HTTP/1.1\r\nHost: a\r\n\r\n",
		"AWS4-HMAC-SHA256 ,= ==,Credential=////,SignedHeaders=;;,Signature=")
	f.Add("OPTIONS * HTTP/1.0\r\n\r\n", "AWS4-")
	f.Add("GET http://h/p?q HTTP/1.1\r\nHost: x\r\n\r\n", "AWS4-HMAC-SHA256")
	f.Add("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nDate: Sun, 30 Aug 2015 12:36:00 GMT\r\n\r\n", "Basic Og==")

	codes := map[string]bool{CodeMissing: true, CodeIncomplete: true, CodeUnrecognized: true, CodeInvalid: true}
	f.Fuzz(func(t *testing.T, raw, authorization string) {
		check := func(r *http.Request, body []byte) {
			id, err := exampleVerifier().Verify(r, body, "glue")
			var refusal *Refusal
			if !errors.As(err, &refusal) || !codes[refusal.Code] || refusal.Message == "" {
				t.Fatalf("accepted as %+v, or refused without a code: %v", id, err)
			}
			if id != (Identity{}) {
				t.Fatalf("refused, but with an identity: %+v", id)
			}
		}
		if r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw))); err == nil {
			body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
			check(r, body)
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader([]byte("POST / HTTP/1.1\r\n" + head + "\r\n"))))
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = []string{authorization}
		check(r, []byte(raw))
	})
}
