package awsjson

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

// Fault is an error in the protocol's own terms: one that is found before an
// operation is called, such as a malformed body or a wrong signature. What goes
// wrong in an operation is a *remora.Error.
type Fault struct {
	Code    string // "SerializationException"
	Message string
	Status  int // of the HTTP response
}

func (f *Fault) Error() string { return f.Code + ": " + f.Message }

// Names of headers, as AWS spells them in its documentation.
const (
	headerRequestID = "x-amzn-RequestId"
	headerErrorType = "x-amzn-ErrorType"
	contentType     = "application/x-amz-json-1.1"
)

// WriteFault answers a request with an error, in the way of a service, or, with
// a nil s, in the way of AWS's services in general: for requests that are
// refused before it is known whom they are for. The response's request id is the
// one that is in w's headers, or else a new one.
func WriteFault(w http.ResponseWriter, s *Service, err error) {
	id := w.Header().Get(headerRequestID)
	if id == "" {
		id = newRequestID()
		w.Header().Set(headerRequestID, id)
	}
	d := &common
	if s != nil {
		d = s.dialect
	}
	f := d.fault(err, id)
	body := appendString([]byte(`{"__type":`), f.Code)
	body = appendString(append(appendString(append(body, ','), d.message), ':'), f.Message)
	w.Header().Set(headerErrorType, f.Code)
	write(w, f.Status, append(body, '}'))
}

// FaultOf is what a caller of the service with the signing name gets to see of
// an error, for operations that tell errors within their answer. What the
// operator has to know is logged, as it is for errors that Serve answers with;
// the two are tied by an id of their own.
func FaultOf(signingName string, err error) *Fault {
	id := newRequestID()
	logFailure(context.Background(), id, signingName, err)
	return dialectOf(signingName).fault(err, id)
}

// logFailure notes what the operator of the server has to know; what is wrong
// with a request is told to the caller alone.
func logFailure(ctx context.Context, id, operation string, err error) {
	level := slog.LevelError
	switch kind := remora.KindOf(err); {
	case errors.As(err, new(*Fault)):
		return
	case (kind == remora.Internal || kind == remora.Unavailable) && errors.Is(err, context.Canceled):
		level = slog.LevelDebug // the client went away, as long polls do
	case kind == remora.Internal && timedOut(err), kind == remora.Unavailable:
		level = slog.LevelWarn
	case kind != remora.Internal:
		return
	}
	attrs := []slog.Attr{slog.String("operation", operation), slog.String("request", id), slog.String("error", err.Error())}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	slog.LogAttrs(ctx, level, "operation failed", attrs...)
}

// write sends a response. A client that has gone is no concern of ours.
func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// cut shortens a value that a message quotes.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
