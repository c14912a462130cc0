package sigv4

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/textproto"
	"path"
	"slices"
	"strconv"
	"strings"
)

// target is the request target as it came over the wire.
type target struct {
	path  string  // escaped as the client escaped it
	query []param // decoded, in the order of the request
}

type param struct{ name, value string }

// requestTarget reads RequestURI rather than URL: parsing a URL and printing it
// again does not always give the bytes that the client signed, and a handler
// may have rewritten it.
func requestTarget(r *http.Request) target {
	rawPath, rawQuery := r.URL.EscapedPath(), r.URL.RawQuery
	if strings.HasPrefix(r.RequestURI, "/") {
		rawPath, rawQuery, _ = strings.Cut(r.RequestURI, "?")
	}
	t := target{path: cmp.Or(rawPath, "/")}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		t.query = append(t.query, param{unescape(name), unescape(value)})
	}
	return t
}

func (t target) has(name string) bool { return t.count(name) > 0 }

func (t target) count(name string) (n int) {
	for _, p := range t.query {
		if p.name == name {
			n++
		}
	}
	return n
}

func (t target) get(name string) string {
	for _, p := range t.query {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// canonicalQuery escapes names and values and sorts the pairs after that, by
// name and then by value. The signature itself is not part of what it signs.
func (t target) canonicalQuery(presigned bool) string {
	pairs := make([]param, 0, len(t.query))
	for _, p := range t.query {
		if presigned && p.name == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, param{string(appendEscaped(nil, p.name, false)), string(appendEscaped(nil, p.value, false))})
	}
	slices.SortFunc(pairs, func(a, b param) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}

// canonicalPaths returns the forms of a path that a client may have signed: as
// it is, like the Go SDK, and without dot segments and doubled slashes, like
// botocore and the specification. The path is escaped already; outside of S3 it
// is escaped once more.
func canonicalPaths(escaped string) []string {
	forms := []string{escaped}
	clean := path.Clean(escaped)
	if clean != "/" && strings.HasSuffix(escaped, "/") {
		clean += "/"
	}
	if clean != escaped {
		forms = append(forms, clean)
	}
	for i, f := range forms {
		forms[i] = string(appendEscaped(nil, f, true))
	}
	return forms
}

// canonicalRequest puts what is signed into the form in which it is signed.
func canonicalRequest(r *http.Request, path, query string, signedHeaders []string, payloadHash string) []byte {
	b := make([]byte, 0, 1024)
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = append(b, path...)
	b = append(b, '\n')
	b = append(b, query...)
	b = append(b, '\n')
	for _, name := range signedHeaders {
		b = append(b, name...)
		b = append(b, ':')
		for i, value := range headerValues(r, name) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTrimmed(b, value)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, strings.Join(signedHeaders, ";")...)
	b = append(b, '\n')
	return append(b, payloadHash...)
}

// headerValues returns a header as the client sent it. net/http's server keeps
// some headers in fields of the request instead.
func headerValues(r *http.Request, name string) []string {
	if name == "host" {
		return []string{r.Host}
	}
	if values, ok := r.Header[textproto.CanonicalMIMEHeaderKey(name)]; ok {
		return values
	}
	switch {
	case name == "content-length" && r.ContentLength >= 0:
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	case name == "transfer-encoding":
		return r.TransferEncoding
	}
	return nil
}

// stringToSign binds a canonical request to time and scope.
func stringToSign(c *claim, canonicalRequest []byte) string {
	sum := sha256.Sum256(canonicalRequest)
	return algorithm + "\n" + stamp(c.signedAt) + "\n" +
		c.date + "/" + c.region + "/" + c.service + "/" + terminator + "\n" +
		hex.EncodeToString(sum[:])
}

// appendTrimmed appends a header's value without blanks around it and with each
// run of spaces inside it made one.
func appendTrimmed(b []byte, s string) []byte {
	s = strings.Trim(s, " \t")
	for i := 0; i < len(s); i++ {
		if s[i] != ' ' || s[i-1] != ' ' { // s does not start with a space
			b = append(b, s[i])
		}
	}
	return b
}

// appendEscaped appends s with everything but RFC 3986's unreserved characters
// escaped, and slashes too unless they are kept.
func appendEscaped(b []byte, s string, keepSlash bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/' && keepSlash:
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// unescape decodes a part of a query as a form is decoded: a plus is a space. A
// percent sign that starts no escape stays what it is; url.QueryUnescape would
// give up on the whole.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b = append(b, byte(n))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
