package session

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// LogGroup is the prefix of the log groups of sessions; see remora.LogTarget.
const LogGroup = "/aws-glue/ray/sessions"

var plainStream = regexp.MustCompile(`^[A-Za-z0-9._/#-]{1,255}$`)

// LogStream names a session's stream in its log groups: the id, or its Place if
// the id has characters that cannot be in a stream's name or are hard to type.
func LogStream(id string) string {
	if plainStream.MatchString(id) {
		return id
	}
	return Place(id)
}

// Place names what is a session's own where its id does not do as a name: ids
// may hold any characters.
func Place(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "session-" + hex.EncodeToString(sum[:16])
}
