package awsjson

import (
	"context"
	"crypto/rand"
	"fmt"
)

type requestIDKey struct{}

// WithRequestID returns a context with a request id, and the id. A context that
// has one keeps it.
func WithRequestID(ctx context.Context) (context.Context, string) {
	if id := RequestID(ctx); id != "" {
		return ctx, id
	}
	id := newRequestID()
	return context.WithValue(ctx, requestIDKey{}, id), id
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// newRequestID makes a random UUID, which is what AWS's request ids are.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
