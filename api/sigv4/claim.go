package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	basicFormat = "20060102T150405Z" // ISO 8601 basic
	dayFormat   = "20060102"

	// A presigned URL without X-Amz-Expires lives as long as STS lets it; with
	// one, a week at most.
	defaultLifetime = 15 * time.Minute
	maxLifetime     = 7 * 24 * time.Hour

	// No client signs this many; sorting more is work for nobody.
	maxSignedHeaders = 256
)

// claim is what a request says about its signature. None of it is proven.
type claim struct {
	presigned     bool
	keyID         string
	date          string // of the scope
	region        string
	service       string
	terminator    string
	signedHeaders []string // lower case, sorted, each once
	signature     string
	signedAt      time.Time
	lifetime      time.Duration // of a presigned URL
	token         string        // session token

	hasPayloadHash bool // X-Amz-Content-Sha256 is there
	payloadHash    string
}

// readClaim finds the claim in the Authorization header or in the query.
func readClaim(r *http.Request, t target) (*claim, *Refusal) {
	header := strings.TrimSpace(strings.Join(r.Header["Authorization"], ","))
	inQuery := t.has("X-Amz-Algorithm")
	switch {
	case header != "" && inQuery:
		return nil, errBothPlaces()
	case inQuery:
		return readQuery(r, t)
	case strings.HasPrefix(header, "AWS4-"):
		return readHeader(r, header)
	default: // nothing, or another scheme: Basic, Bearer, AWS's signature version 2
		return nil, errMissing()
	}
}

func readHeader(r *http.Request, header string) (*claim, *Refusal) {
	// AWS takes commas and blanks alike, in any number.
	fields := strings.FieldsFunc(header, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
	given := make(map[string]string, 3)
	for _, field := range fields[1:] {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return nil, refuse(CodeIncomplete, "Invalid key=value pair (missing equal-sign) in Authorization header "+
				"(hashed with SHA-256 and encoded with Base64): '%s'.", fingerprint(header))
		}
		if _, twice := given[name]; twice {
			return nil, refuse(CodeIncomplete, "Authorization header has '%s' parameter twice. "+
				"(Hashed with SHA-256 and encoded with Base64) Authorization=%s", clip(name), fingerprint(header))
		}
		given[name] = value
	}

	date := strings.Join(r.Header["X-Amz-Date"], ",")
	if date == "" {
		date = strings.Join(r.Header["Date"], ",")
	}
	var missing strings.Builder
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		// An empty list of headers is a list; that host is not in it is found later.
		if value, ok := given[name]; !ok || value == "" && name != "SignedHeaders" {
			missing.WriteString("Authorization header requires '" + name + "' parameter. ")
		}
	}
	if date == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() > 0 {
		return nil, refuse(CodeIncomplete, "%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s",
			missing.String(), fingerprint(header))
	}

	c := &claim{signature: given["Signature"], token: r.Header.Get("X-Amz-Security-Token")}
	c.readPayloadHash(r.Header)
	return c, c.parse(fields[0], given["Credential"], given["SignedHeaders"], date)
}

// authParams are the query parameters of a presigned URL; requiredParams of them
// must be there.
var authParams = [...]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders",
	"X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Content-Sha256"}

const requiredParams = 5

func readQuery(r *http.Request, t target) (*claim, *Refusal) {
	var missing strings.Builder
	for _, name := range authParams[:requiredParams] {
		if t.get(name) == "" {
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return nil, refuse(CodeIncomplete, "%sRe-examine the query-string parameters.", missing.String())
	}
	// Which of several would a handler read, and which one did we?
	for _, name := range authParams {
		if t.count(name) > 1 {
			return nil, refuse(CodeIncomplete, "AWS query-string parameters must include '%s' only once. "+
				"Re-examine the query-string parameters.", name)
		}
	}

	c := &claim{presigned: true, signature: t.get("X-Amz-Signature"), lifetime: defaultLifetime}
	if t.has("X-Amz-Expires") {
		expires := t.get("X-Amz-Expires")
		seconds, err := strconv.ParseInt(expires, 10, 32)
		c.lifetime = time.Duration(seconds) * time.Second
		if err != nil || seconds < 1 || c.lifetime > maxLifetime {
			return nil, refuse(CodeIncomplete, "X-Amz-Expires must be a number of seconds from 1 to %d, got '%s'. "+
				"Re-examine the query-string parameters.", maxLifetime/time.Second, clip(expires))
		}
	}
	c.readPayloadHash(r.Header)
	if t.has("X-Amz-Content-Sha256") {
		c.payloadHash, c.hasPayloadHash = t.get("X-Amz-Content-Sha256"), true
	}
	if c.token = t.get("X-Amz-Security-Token"); c.token == "" {
		c.token = r.Header.Get("X-Amz-Security-Token")
	}
	return c, c.parse(t.get("X-Amz-Algorithm"), t.get("X-Amz-Credential"), t.get("X-Amz-SignedHeaders"),
		t.get("X-Amz-Date"))
}

func (c *claim) readPayloadHash(h http.Header) {
	values, ok := h["X-Amz-Content-Sha256"]
	c.payloadHash, c.hasPayloadHash = strings.Join(values, ","), ok
}

// parse takes apart what header and query have in common.
func (c *claim) parse(algo, credential, signedHeaders, date string) *Refusal {
	var ok bool
	if c.signedAt, ok = parseDate(date); !ok {
		return refuse(CodeIncomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. "+
			"See http://en.wikipedia.org/wiki/ISO_8601", clip(date))
	}
	if algo != algorithm {
		return refuse(CodeIncomplete, "Unsupported AWS 'algorithm': '%s' (only %s for now). ", clip(algo), algorithm)
	}
	parts := strings.Split(strings.TrimRight(credential, "/"), "/")
	if len(parts) != 5 {
		return refuse(CodeIncomplete, "Credential must have exactly 5 slash-delimited elements, "+
			"e.g. keyid/date/region/service/term, got '%s'", clip(credential))
	}
	c.keyID, c.date, c.region, c.service, c.terminator = parts[0], parts[1], parts[2], parts[3], parts[4]

	c.signedHeaders = strings.Split(strings.ToLower(signedHeaders), ";")
	slices.Sort(c.signedHeaders)
	// A name that counts more than once would multiply the work by the size of
	// its header.
	if n := len(c.signedHeaders); n > maxSignedHeaders || len(slices.Compact(c.signedHeaders)) < n {
		return refuse(CodeIncomplete, "SignedHeaders must name at most %d headers, each of them once, got '%s'",
			maxSignedHeaders, clip(signedHeaders))
	}
	return nil
}

// parseDate reads the two formats that SigV4 allows, the second as HTTP has it
// and as botocore writes it (with -0000 for GMT).
func parseDate(s string) (time.Time, bool) {
	if t, err := time.Parse(basicFormat, s); err == nil {
		return t, t.Format(basicFormat) == s // time.Parse alone also takes fractions of a second
	}
	if t, err := http.ParseTime(s); err == nil {
		return t.UTC(), true
	}
	t, err := time.Parse(time.RFC1123Z, s)
	return t.UTC(), err == nil
}
