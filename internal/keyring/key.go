package keyring

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"
)

// Key describes an access key. It can be logged, printed and marshalled: none of
// these shows the secret.
type Key struct {
	ID      string    `json:"id"` // "AKIA" and 16 characters; not a secret
	Created time.Time `json:"created"`
	Ends    time.Time `json:"ends,omitzero"` // when it stops, or stopped, being valid; zero for the current key
	Status  Status    `json:"status"`

	// A pointer, because fmt prints what is behind one only at the top level: a
	// Key inside a struct that is printed with %+v shows an address here.
	secret *string
}

// Status says what a key is good for.
type Status string

const (
	Current  Status = "current"  // the one to sign with
	Expiring Status = "expiring" // replaced, valid until it ends
	Expired  Status = "expired"
	Revoked  Status = "revoked"
)

// Secret returns the secret, or "" for a key that came from List.
func (k Key) Secret() string {
	if k.secret == nil {
		return ""
	}
	return *k.secret
}

// Hint is what a person tells keys apart by: the last four characters of the id.
func (k Key) Hint() string { return k.ID[max(0, len(k.ID)-4):] }

func (k Key) String() string { return fmt.Sprintf("%s (%s)", k.ID, k.Status) }

// GoString is for %#v.
func (k Key) GoString() string { return fmt.Sprintf("keyring.Key{ID: %q, Status: %q}", k.ID, k.Status) }

// LogValue is for log/slog.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", k.ID), slog.String("status", string(k.Status)))
}

// newID makes an id of the form of AWS's: clients and secret scanners know it.
func newID() string {
	var b [10]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return "AKIA" + base32.StdEncoding.EncodeToString(b[:])
}

// newSecret makes 40 characters, 238 bits. AWS's secrets have slashes and plus
// signs in them as well, which is a nuisance in shells and URLs.
func newSecret() string {
	const length = 40
	secret := make([]byte, 0, length)
	for len(secret) < length {
		var b [30]byte
		rand.Read(b[:])
		for _, c := range []byte(base64.StdEncoding.EncodeToString(b[:])) {
			if c != '+' && c != '/' && len(secret) < length {
				secret = append(secret, c)
			}
		}
	}
	return string(secret)
}
