package sigv4

import (
	"cmp"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// check tests whatever can be told without the secret. Of several faults the
// first one is reported, in AWS's order.
func (c *claim) check(h http.Header, service string, now time.Time, skew time.Duration) *Refusal {
	return cmp.Or(c.checkTime(now, skew), c.checkSignedHeaders(h), c.checkScope(service), c.checkPayloadIsSigned())
}

func (c *claim) checkTime(now time.Time, skew time.Duration) *Refusal {
	now = now.UTC().Truncate(time.Second)
	lifetime := skew
	if c.presigned {
		lifetime = c.lifetime
	}
	switch {
	case c.signedAt.Before(now.Add(-lifetime)):
		return errExpired(c.signedAt, now, lifetime)
	case c.signedAt.After(now.Add(skew)):
		return errNotYetCurrent(c.signedAt, now, skew)
	}
	return nil
}

// checkSignedHeaders requires host and every X-Amz-* header to be signed: those
// say what the request does. Content-Type need not be, SDKs differ (JavaScript's
// version 2 leaves it out).
func (c *claim) checkSignedHeaders(h http.Header) *Refusal {
	if !c.signs("host") {
		return refuse(CodeInvalid, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	first := "" // of those that are not, by name, for a message that is always the same
	for name := range h {
		if len(name) > 6 && strings.EqualFold(name[:6], "X-Amz-") && !c.signs(strings.ToLower(name)) &&
			(first == "" || name < first) {
			first = name
		}
	}
	if first != "" {
		return errNotSigned(textproto.CanonicalMIMEHeaderKey(first))
	}
	return nil
}

func (c *claim) signs(name string) bool {
	_, ok := slices.BinarySearch(c.signedHeaders, name)
	return ok
}

// checkScope reports everything that is wrong with the scope at once, as AWS does.
func (c *claim) checkScope(service string) *Refusal {
	var wrong []string
	if !wellFormedRegion(c.region) {
		wrong = append(wrong, "Credential should be scoped to a valid region, not '"+clip(c.region)+"'. ")
	}
	if c.service != service {
		wrong = append(wrong, "Credential should be scoped to correct service: '"+service+"'. ")
	}
	if c.terminator != terminator {
		wrong = append(wrong, "Credential should be scoped with a valid terminator: '"+terminator+"', not '"+
			clip(c.terminator)+"'. ")
	}
	if day := c.signedAt.Format(dayFormat); c.date != day {
		wrong = append(wrong, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+
			clip(c.date)+"' != '"+day+"', from '"+stamp(c.signedAt)+"'.")
	}
	if len(wrong) > 0 {
		return refuse(CodeInvalid, "%s", strings.Join(wrong, ""))
	}
	return nil
}

// wellFormedRegion accepts what SDKs accept as a region: a label of a host name.
func wellFormedRegion(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return len(s) > 0 && len(s) < 64
}

// checkPayloadIsSigned refuses the values of X-Amz-Content-Sha256 that stand for
// a body outside the signature. They are S3's; here every body is small, and an
// unsigned one could be replaced on the way.
func (c *claim) checkPayloadIsSigned() *Refusal {
	if c.payloadHash == "UNSIGNED-PAYLOAD" || strings.HasPrefix(c.payloadHash, "STREAMING-") {
		return refuse(CodeInvalid, "The body of this request is not signed (X-Amz-Content-Sha256 is '%s'). "+
			"This service requires the SHA-256 of the body; turn payload signing on in the client.", clip(c.payloadHash))
	}
	return nil
}
