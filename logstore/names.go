package logstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

// Names of groups and streams have up to 512 characters, CloudWatch's limit. As
// a file name, which has 255 bytes at most, one that would become longer than
// maxEncoded is its beginning, a tilde and a digest; the record beside it has it
// in full.
const (
	maxNameRunes = 512
	maxEncoded   = 200
)

// encodeName makes a file name of a group's or stream's name: what is not a
// letter, a digit, '-', '_' or an inner '.' is escaped as in a URL.
func encodeName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte("0123456789ABCDEF"[c>>4])
			b.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
	if b.Len() <= maxEncoded {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	return b.String()[:maxEncoded-1-2*len(sum)] + "~" + hex.EncodeToString(sum[:])
}

// decodeName is the inverse of encodeName; ok is false for a name that is only
// in the record.
func decodeName(file string) (name string, ok bool) {
	if strings.Contains(file, "~") {
		return "", false
	}
	name, err := url.PathUnescape(file)
	return name, err == nil
}

// streamKey stands for a stream in event ids and cursors, which it keeps at a
// constant size; among events of one millisecond it decides the order.
func streamKey(group, stream string) uint64 {
	h := sha256.New()
	h.Write([]byte(group))
	h.Write([]byte{0})
	h.Write([]byte(stream))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

func checkName(op, what, name string) error {
	switch {
	case name == "":
		return remora.Invalidf(op, name, "the name of a %s must not be empty", what)
	case utf8.RuneCountInString(name) > maxNameRunes:
		return remora.Invalidf(op, name, "the name of a %s has %d characters, more than %d", what,
			utf8.RuneCountInString(name), maxNameRunes)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return remora.Invalidf(op, name, "the name of a %s must be UTF-8 without NUL: %q", what, name)
	}
	return nil
}

// The texts of these are CloudWatch's.

func noGroup(op, group string) error {
	return remora.NotFoundf(op, group, "The specified log group does not exist.")
}

func noStream(op, group, stream string) error {
	return remora.NotFoundf(op, group+":"+stream, "The specified log stream does not exist.")
}

// failed turns a failure of the file system into a *remora.Error: Unavailable
// where it can pass, such as a full disk. nil stays nil.
func failed(op, subject string, err error) error {
	if err == nil {
		return nil
	}
	kind := remora.Internal
	for _, passing := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO, syscall.EROFS,
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, errLocked,
		context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, passing) {
			kind = remora.Unavailable
		}
	}
	return remora.Errorf(kind, op, subject, "log store: %w", err)
}
