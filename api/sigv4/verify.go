// Package sigv4 verifies AWS Signature Version 4 as a service does it: in the
// Authorization header and in the query of a presigned URL. It is for the JSON
// and Query services; S3 signs differently (its path is escaped once, its
// payload may be unsigned or chunked) and is verified by the S3 gateway.
//
// The signature covers the request target, the host, the headers that the
// client chose to sign and the whole body. What it does not cover is refused
// (an unsigned X-Amz-* header) or means nothing to the service.
package sigv4

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/remora-project/remora"
)

// DefaultMaxSkew is how far a client's clock may be off, as for AWS's own JSON
// services.
const DefaultMaxSkew = 5 * time.Minute

// Verifier verifies requests. The fields are set before the first Verify and
// not changed after it; Verify may be called from any goroutine. A Verifier
// must not be copied.
//
// Any well-formed region is accepted in the credential scope. At AWS the region
// says which installation a signature is for; here one server serves whatever
// region its clients happen to be configured for, and the access key, which
// only this server knows, is the authority. The region is part of what is
// signed all the same, and Identity reports it.
type Verifier struct {
	// Secrets returns the secret of an access key; ok is false if there is no
	// such key or it is not valid any more. It is called once for each request.
	Secrets func(accessKeyID string) (secret string, ok bool)
	Now     remora.Clock  // nil: time.Now
	MaxSkew time.Duration // 0: DefaultMaxSkew

	keys keyCache
}

// Identity is who signed a request, for what and when.
type Identity struct {
	AccessKeyID string
	Region      string
	Service     string
	SignedAt    time.Time // to the second, UTC
}

// Verify checks that r, whose body has been read into body, was signed for the
// service with the given signing name ("glue", "logs", "sts"). The error is a
// *Refusal, ready to be sent.
//
// What was signed is read from r.RequestURI where that is a path, so handlers
// that rewrite r.URL (http.StripPrefix) may stand before it. The cost is linear
// in the size of the request head, which http.Server.MaxHeaderBytes bounds, and
// of the body.
func (v *Verifier) Verify(r *http.Request, body []byte, service string) (Identity, error) {
	target := requestTarget(r)
	c, refusal := readClaim(r, target)
	if refusal != nil {
		return Identity{}, refusal
	}
	if refusal := c.check(r.Header, service, v.now(), v.maxSkew()); refusal != nil {
		return Identity{}, refusal
	}

	secret, known := v.secret(c.keyID)
	matches := v.matches(r, target, c, body, secret)
	switch {
	case !known:
		return Identity{}, errUnknownKey()
	case !matches:
		return Identity{}, errMismatch()
	case c.token != "":
		// Remora hands out no temporary credentials, so there is no token that
		// it could know.
		return Identity{}, errUnknownKey()
	}
	return Identity{AccessKeyID: c.keyID, Region: c.region, Service: c.service, SignedAt: c.signedAt}, nil
}

// matches reports whether the claim's signature is the one that secret makes.
func (v *Verifier) matches(r *http.Request, target target, c *claim, body []byte, secret string) bool {
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	ok := !c.hasPayloadHash || strings.EqualFold(c.payloadHash, payload)

	key := v.keys.get(scope{secret: secret, date: c.date, region: c.region, service: c.service})
	found := false
	for _, path := range canonicalPaths(target.path) {
		request := canonicalRequest(r, path, target.canonicalQuery(c.presigned), c.signedHeaders, payload)
		want := hex.EncodeToString(mac(key, stringToSign(c, request)))
		found = hmac.Equal([]byte(want), []byte(c.signature)) || found
	}
	return ok && found
}

// unknownSecret stands for the secret of a key that does not exist, so that
// refusing such a key does all the work of refusing a wrong signature.
var unknownSecret = rand.Text()

func (v *Verifier) secret(keyID string) (secret string, known bool) {
	if v.Secrets != nil {
		secret, known = v.Secrets(keyID)
	}
	// An empty secret is no secret: anyone could sign with it.
	if !known || secret == "" {
		return unknownSecret, false
	}
	return secret, true
}

// String keeps the cached keys out of logs.
func (v *Verifier) String() string { return "sigv4.Verifier" }

// GoString is String, for %#v.
func (v *Verifier) GoString() string { return v.String() }

func (v *Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

func (v *Verifier) maxSkew() time.Duration {
	if v.MaxSkew > 0 {
		return v.MaxSkew
	}
	return DefaultMaxSkew
}
