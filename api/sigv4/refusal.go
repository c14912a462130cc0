package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"
)

// Refusal says why a request is not let in, with code, text and HTTP status as
// the AWS JSON services have them: SDKs and users know these texts, and the
// SDKs correct their clock by the codes.
type Refusal struct {
	Code    string
	Message string
	Status  int
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Codes of the AWS JSON services.
const (
	CodeMissing      = "MissingAuthenticationTokenException" // the request is not signed at all
	CodeIncomplete   = "IncompleteSignatureException"        // the signature cannot be read
	CodeUnrecognized = "UnrecognizedClientException"         // no such access key, or a session token
	CodeInvalid      = "InvalidSignatureException"           // wrong, expired, or for something else
)

// ForQuery returns the refusal as the Query services (STS) word it, which have
// other codes and statuses for the same four reasons.
func (r *Refusal) ForQuery() *Refusal {
	q := *r
	switch r.Code {
	case CodeMissing:
		q.Code, q.Status = "MissingAuthenticationToken", http.StatusForbidden
	case CodeIncomplete:
		q.Code, q.Status = "IncompleteSignature", http.StatusBadRequest
	case CodeUnrecognized:
		q.Code, q.Status = "InvalidClientTokenId", http.StatusForbidden
	case CodeInvalid:
		q.Code, q.Status = "SignatureDoesNotMatch", http.StatusForbidden
	}
	return &q
}

func refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}

func errMissing() *Refusal {
	return refuse(CodeMissing, "Request is missing Authentication Token")
}

func errUnknownKey() *Refusal {
	return refuse(CodeUnrecognized, "The security token included in the request is invalid.")
}

// errMismatch keeps to itself what the canonical request should have been: AWS
// tells, but it would also tell whoever replays a request what is in it.
func errMismatch() *Refusal {
	return refuse(CodeInvalid, "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func errBothPlaces() *Refusal {
	return refuse(CodeInvalid,
		"Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
}

func errNotSigned(header string) *Refusal {
	return refuse(CodeInvalid, "'%s' must be a 'SignedHeader' in the AWS Authorization.", clip(header))
}

func errExpired(signedAt, now time.Time, lifetime time.Duration) *Refusal {
	return refuse(CodeInvalid, "Signature expired: %s is now earlier than %s (%s - %s)",
		stamp(signedAt), stamp(now.Add(-lifetime)), stamp(now), inWords(lifetime))
}

func errNotYetCurrent(signedAt, now time.Time, skew time.Duration) *Refusal {
	return refuse(CodeInvalid, "Signature not yet current: %s is still later than %s (%s + %s)",
		stamp(signedAt), stamp(now.Add(skew)), stamp(now), inWords(skew))
}

func stamp(t time.Time) string { return t.UTC().Format(basicFormat) }

func inWords(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min.", d/time.Minute)
	}
	return fmt.Sprintf("%d sec.", d/time.Second)
}

// fingerprint stands for an Authorization header in a message, which may hold a
// valid signature or a password of another scheme.
func fingerprint(header string) string {
	sum := sha256.Sum256([]byte(header))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// clip bounds what a message repeats of a request.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
