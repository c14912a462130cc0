package awsjson

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/remora-project/remora"
)

// Tokens turns cursors into paging tokens and back. A token tells its holder
// nothing that can be relied on, cannot be made up, and is good only for the
// scope that it was made for.
type Tokens struct {
	key [32]byte
}

// NewTokens makes Tokens of a secret key. Tokens of another key are not valid.
func NewTokens(key [32]byte) *Tokens { return &Tokens{key: key} }

const (
	tokenVersion   = 1
	tokenMAC       = 16 // bytes
	maxCursor      = 4096
	maxTokenLength = (1 + tokenMAC + maxCursor + 2) / 3 * 4
)

// Scope names what a token is good for: an operation together with all of its
// parameters that select or order entries.
func Scope(operation string, filters ...string) string {
	var b strings.Builder
	for _, part := range append([]string{operation}, filters...) {
		fmt.Fprintf(&b, "%d:%s", len(part), part)
	}
	return b.String()
}

// Encode returns the token for a cursor; there is none, "", for the empty cursor.
// A cursor of more than 4096 bytes is a bug of its store, and panics.
func (t *Tokens) Encode(scope string, c remora.Cursor) string {
	if c == "" {
		return ""
	}
	if len(c) > maxCursor {
		panic(fmt.Sprintf("awsjson: a cursor of %d bytes", len(c)))
	}
	token := append(make([]byte, 0, 1+tokenMAC+len(c)), tokenVersion)
	token = append(token, t.mac(scope, string(c))...)
	token = append(token, c...)
	return base64.RawURLEncoding.EncodeToString(token)
}

// Decode returns the cursor of a token that Encode made with the same scope; ""
// is the beginning. Anything else is an InvalidPageToken.
func (t *Tokens) Decode(scope, token string) (remora.Cursor, error) {
	if token == "" {
		return "", nil
	}
	// The decoder ignores line ends, which would make one token many.
	if len(token) > maxTokenLength || strings.ContainsAny(token, "\r\n") {
		return "", invalidToken()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= 1+tokenMAC || b[0] != tokenVersion {
		return "", invalidToken()
	}
	c := string(b[1+tokenMAC:])
	if !hmac.Equal(b[1:1+tokenMAC], t.mac(scope, c)) {
		return "", invalidToken()
	}
	return remora.Cursor(c), nil
}

func invalidToken() error {
	return remora.Errorf(remora.InvalidPageToken, "", "",
		"the paging token was not returned for a request with these parameters; start again without it")
}

func (t *Tokens) mac(scope, cursor string) []byte {
	h := hmac.New(sha256.New, t.key[:])
	h.Write([]byte{tokenVersion})
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(scope))))
	h.Write([]byte(scope))
	h.Write([]byte(cursor))
	return h.Sum(nil)[:tokenMAC]
}
