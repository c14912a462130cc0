package sigv4

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const exampleAuthorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/glue/aws4_request, " +
	"SignedHeaders=host;x-amz-date;x-amz-target, " +
	"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"

func TestRefusals(t *testing.T) {
	const head = "Authorization: "
	edited := func(old, new string) string { return head + strings.ReplaceAll(exampleAuthorization, old, new) }
	for name, c := range map[string]struct {
		auth       string // header line, none if empty
		date       string // header line instead of the usual one
		extra      string // further header lines
		code, text string
	}{
		"unsigned":     {"", "", "", CodeMissing, "Request is missing Authentication Token"},
		"empty":        {head, "", "", CodeMissing, "Request is missing"},
		"bearer":       {head + "Bearer abc", "", "", CodeMissing, "Request is missing"},
		"version 2":    {head + "AWS AKID:signature", "", "", CodeMissing, "Request is missing"},
		"algorithm":    {edited("HMAC-SHA256", "ECDSA-P256-SHA256"), "", "", CodeIncomplete, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now). "},
		"only a name":  {head + "AWS4-HMAC-SHA256", "", "", CodeIncomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed with SHA-256 and encoded with Base64) Authorization="},
		"nothing":      {head + "AWS4-HMAC-SHA256", "Accept: */*", "", CodeIncomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "},
		"no equals":    {edited("Signature=", "Signature "), "", "", CodeIncomplete, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '"},
		"no signature": {edited("Signature=", "Sign="), "", "", CodeIncomplete, "Authorization header requires 'Signature' parameter. "},
		"twice":        {edited("SignedHeaders=", "Signature=a, SignedHeaders="), "", "", CodeIncomplete, "'Signature' parameter twice"},
		"two headers":  {head + exampleAuthorization + "\r\n" + head + exampleAuthorization, "", "", CodeIncomplete, ""},
		"no headers":   {edited("host;x-amz-date;x-amz-target", ""), "", "", CodeInvalid, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		"no host":      {edited("host;", ""), "", "", CodeInvalid, "'Host' or ':authority' must be a 'SignedHeader'"},
		"no target":    {edited(";x-amz-target", ""), "", "", CodeInvalid, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
		"added header": {head + exampleAuthorization, "", "x-amz-other: 1", CodeInvalid, "'X-Amz-Other' must be a 'SignedHeader'"},
		"host twice":   {edited("host;", "host;host;"), "", "", CodeIncomplete, "each of them once"},
		"many headers": {edited("host;", "host"+manyNames(300)+";"), "", "", CodeIncomplete, "at most 256"},
		"short scope":  {edited("/aws4_request", ""), "", "", CodeIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20150830/us-east-1/glue'"},
		"region":       {edited("us-east-1", "us_east"), "", "", CodeInvalid, "Credential should be scoped to a valid region, not 'us_east'. "},
		"service":      {edited("/glue/", "/logs/"), "", "", CodeInvalid, "Credential should be scoped to correct service: 'glue'. "},
		"terminator":   {edited("aws4_request", "aws5"), "", "", CodeInvalid, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. "},
		"day":          {edited("20150830", "20150831"), "", "", CodeInvalid, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150831' != '20150830', from '20150830T123600Z'."},
		"all of scope": {edited("20150830/us-east-1/glue/aws4_request", "d/r_/s/t"), "", "", CodeInvalid, "valid region, not 'r_'. Credential should be scoped to correct service: 'glue'. Credential should be scoped with a valid terminator: 'aws4_request', not 't'. Date in Credential scope"},
		"bad date":     {head + exampleAuthorization, "X-Amz-Date: 201", "", CodeIncomplete, "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"},
		"fraction":     {head + exampleAuthorization, "X-Amz-Date: 20150830T123600.5Z", "", CodeIncomplete, "Date must be"},
		"two dates":    {head + exampleAuthorization, "X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 20150830T123601Z", CodeIncomplete, "Date must be"},
		"unknown key":  {edited("AKIDEXAMPLE", "AKIDOTHER"), "", "", CodeUnrecognized, "The security token included in the request is invalid."},
		"mismatch":     {head + exampleAuthorization, "", "", CodeInvalid, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
		"unsigned payload": {edited("host;", "host;x-amz-content-sha256;"), "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD",
			CodeInvalid, "The body of this request is not signed"},
		"streamed payload": {edited("host;", "host;x-amz-content-sha256;"), "",
			"X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", CodeInvalid, "The body of this request is not signed"},
		"long repeat": {edited("/aws4_request", strings.Repeat("/x", 5000)), "", "", CodeIncomplete, "..."},
	} {
		t.Run(name, func(t *testing.T) {
			lines := []string{"POST / HTTP/1.1", "Host: glue.example.com", "X-Amz-Target: AWSGlue.GetJobs"}
			if c.date == "" {
				c.date = "X-Amz-Date: 20150830T123600Z"
			}
			for _, line := range []string{c.date, c.auth, c.extra} {
				if line != "" {
					lines = append(lines, line)
				}
			}
			_, err := exampleVerifier().Verify(rawRequest(t, lines...), nil, "glue")
			wantRefusal(t, err, c.code, c.text)
			if text := err.Error(); len(text) > 1000 || strings.Contains(text, "5d672d79") {
				t.Errorf("the message repeats the header: %s", text)
			}
		})
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(";h" + strings.Repeat("x", i))
	}
	return b.String()
}

func TestSessionTokenIsUnknown(t *testing.T) {
	r := sdkSigned(t, exampleID, exampleSecret, "FwoGZXIvYXdzEXAMPLE", "glue", "us-east-1", exampleTime, "{}")
	_, err := exampleVerifier().Verify(r, []byte("{}"), "glue")
	wantRefusal(t, err, CodeUnrecognized, "The security token included in the request is invalid.")
}

func TestPayloadHashMustBeTheBodys(t *testing.T) {
	for hash, ok := range map[string]bool{hashOf("{}"): true, strings.ToUpper(hashOf("{}")): true, hashOf(""): false, "": false} {
		r := rawRequest(t, "POST / HTTP/1.1", "Host: example.amazonaws.com", "X-Amz-Date: 20150830T123600Z",
			"X-Amz-Content-Sha256: "+hash)
		signLikeTheSpecification(r, []byte("{}"), "host", "x-amz-content-sha256", "x-amz-date")
		_, err := exampleVerifier().Verify(r, []byte("{}"), "glue")
		if ok && err != nil {
			t.Errorf("%q: %v", hash, err)
		}
		if !ok {
			wantRefusal(t, err, CodeInvalid, "does not match")
		}
	}
}

func TestDateHeaderInsteadOfAmzDate(t *testing.T) {
	for _, date := range []string{
		"20150830T123600Z",
		"Sun, 30 Aug 2015 12:36:00 GMT",
		"Sun, 30 Aug 2015 12:36:00 -0000", // botocore's way of writing GMT
	} {
		r := rawRequest(t, "GET / HTTP/1.1", "Host: example.amazonaws.com", "Date: "+date)
		signLikeTheSpecification(r, nil, "date", "host")
		if _, err := exampleVerifier().Verify(r, nil, "glue"); err != nil {
			t.Errorf("Date: %s: %v", date, err)
		}
	}
}

// signLikeTheSpecification signs with our own canonical form, for what the SDK's
// signer does not do. That the form is right is shown elsewhere, by the SDK.
func signLikeTheSpecification(r *http.Request, body []byte, headers ...string) {
	c := &claim{date: "20150830", region: "us-east-1", service: "glue", signedAt: exampleTime}
	t := requestTarget(r)
	request := canonicalRequest(r, canonicalPaths(t.path)[0], t.canonicalQuery(false), headers, hashOf(string(body)))
	key := signingKey(scope{exampleSecret, c.date, c.region, c.service})
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/glue/aws4_request,"+
		"SignedHeaders="+strings.Join(headers, ";")+",Signature="+hexOf(mac(key, stringToSign(c, request))))
}

func TestSloppySpellingThatAWSAccepts(t *testing.T) {
	r := sdkSigned(t, exampleID, exampleSecret, "", "glue", "us-east-1", exampleTime, "{}")
	auth := r.Header.Get("Authorization")
	for name, sloppy := range map[string]string{
		"no blanks":       strings.ReplaceAll(auth, ", ", ","),
		"many blanks":     "  " + strings.ReplaceAll(auth, ", ", " ,  ") + " ",
		"no commas":       strings.ReplaceAll(auth, ", ", " "),
		"trailing slash":  strings.Replace(auth, "/aws4_request", "/aws4_request/", 1),
		"capital headers": strings.Replace(auth, "content-type;host", "Content-Type;Host", 1),
	} {
		r.Header.Set("Authorization", sloppy)
		if _, err := exampleVerifier().Verify(r, []byte("{}"), "glue"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForQuery(t *testing.T) {
	for code, want := range map[string]struct {
		code   string
		status int
	}{
		CodeMissing:      {"MissingAuthenticationToken", 403},
		CodeIncomplete:   {"IncompleteSignature", 400},
		CodeUnrecognized: {"InvalidClientTokenId", 403},
		CodeInvalid:      {"SignatureDoesNotMatch", 403},
	} {
		r := refuse(code, "text")
		q := r.ForQuery()
		if q.Code != want.code || q.Status != want.status || q.Message != "text" {
			t.Errorf("%s becomes %+v, want %+v", code, q, want)
		}
		if r.Code != code || r.Status != 400 {
			t.Errorf("ForQuery changed its receiver to %+v", r)
		}
	}
}

func TestInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{5 * time.Minute: "5 min.", time.Hour: "60 min.", 90 * time.Second: "90 sec."} {
		if got := inWords(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
