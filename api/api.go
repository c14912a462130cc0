// Package api is the HTTP endpoint in front of the services: it bounds and
// reads requests, checks their signatures, and hands them to the service that
// their target names.
package api

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/sigv4"
	"github.com/remora-project/remora/api/sts"
)

// MaxBody bounds a request's body. The largest legitimate one is a job with a
// visual graph or a batch of log events, about 1 MiB.
const MaxBody = 4 << 20

// maxDiscarded bounds what is read of a body that is larger.
const maxDiscarded = 4 * MaxBody

// Endpoint serves all JSON services and STS on one address.
type Endpoint struct {
	Verifier *sigv4.Verifier
	Services []*awsjson.Service
	STS      sts.Service
	Log      *slog.Logger
}

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, id := awsjson.WithRequestID(r.Context())
	r = r.WithContext(ctx)
	w.Header().Set("x-amzn-RequestId", id)
	body, err := readBody(r)
	switch {
	case errors.Is(err, errTooLarge):
		w.Header().Set("Connection", "close")
		e.refuse(w, r, nil, &awsjson.Fault{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("The request's body is larger than %d bytes.", MaxBody)})
		return
	case err != nil:
		// The client went away or sent less than it announced; nobody reads this.
		e.refuse(w, r, nil, &awsjson.Fault{Code: "IncompleteBody", Status: http.StatusBadRequest,
			Message: "The request's body ended before its announced length."})
		return
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		e.serveJSON(w, r, target, body)
		return
	}
	form, err := sts.Form(r, body)
	if err != nil || form.Get("Action") == "" {
		e.refuse(w, r, nil, &awsjson.Fault{Code: awsjson.CodeUnknownOperation, Status: http.StatusNotFound,
			Message: "The request names no operation: neither a header X-Amz-Target nor a parameter Action."})
		return
	}
	// Before the signature: a client of IAM, which speaks this protocol too, signs
	// for another service and is told that there is no such operation.
	if f := sts.Unknown(form); f != nil {
		e.STS.Fail(w, r, f)
		return
	}
	if _, err := e.Verifier.Verify(r, body, sts.SigningName); err != nil {
		e.STS.Fail(w, r, refusal(err, (*sigv4.Refusal).ForQuery))
		return
	}
	e.STS.Serve(w, r)
}

var errTooLarge = errors.New("body too large")

// readBody reads a body of at most MaxBody bytes. One that is larger is read on
// for a while and thrown away: most clients look at the answer only when they
// have sent everything.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxDiscarded {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err == nil && len(body) > MaxBody {
		io.CopyN(io.Discard, r.Body, maxDiscarded-MaxBody)
		return nil, errTooLarge
	}
	return body, err
}

func (e *Endpoint) serveJSON(w http.ResponseWriter, r *http.Request, target string, body []byte) {
	prefix, operation, _ := strings.Cut(target, ".")
	for _, s := range e.Services {
		if s.Target() != prefix {
			continue
		}
		if r.Method != http.MethodPost {
			e.refuse(w, r, s, &awsjson.Fault{Code: awsjson.CodeUnknownOperation, Status: http.StatusMethodNotAllowed,
				Message: fmt.Sprintf("Operations are called with POST, not %s.", r.Method)})
			return
		}
		if _, err := e.Verifier.Verify(r, body, s.SigningName()); err != nil {
			e.refuse(w, r, s, refusal(err, nil))
			return
		}
		s.Serve(w, r, operation, body)
		return
	}
	e.refuse(w, r, nil, &awsjson.Fault{Code: awsjson.CodeUnknownOperation, Status: http.StatusBadRequest,
		Message: fmt.Sprintf("Unknown operation %q: Remora has no service %q.", target, prefix)})
}

func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, s *awsjson.Service, f *awsjson.Fault) {
	e.Log.Info("request refused", "code", f.Code, "target", r.Header.Get("X-Amz-Target"), "remote", r.RemoteAddr)
	awsjson.WriteFault(w, s, f)
}

// refusal puts a signature's refusal into the protocol's shape; form, where
// there is one, makes it that of another protocol first.
func refusal(err error, form func(*sigv4.Refusal) *sigv4.Refusal) *awsjson.Fault {
	var refused *sigv4.Refusal
	if errors.As(err, &refused) {
		if form != nil {
			refused = form(refused)
		}
		return &awsjson.Fault{Code: refused.Code, Message: refused.Message, Status: refused.Status}
	}
	return &awsjson.Fault{Code: "InternalFailure", Message: "The signature could not be checked.", Status: http.StatusInternalServerError}
}
