package awsjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/remora-project/remora"
)

// Codes of faults that every service has.
const (
	CodeSerialization    = "SerializationException"
	CodeValidation       = "ValidationException"
	CodeUnknownOperation = "UnknownOperationException"
)

// dialect is how one service reports errors.
type dialect struct {
	message    string // the member with the message
	validation string // the code of a request that breaks the model's constraints
	timeout    code   // of a request whose time was up
	codes      map[remora.Kind]code
}

// code is an error's name and its HTTP status: 400, or 500 for those that the
// model calls faults, which SDKs try again by themselves.
type code struct {
	name   string
	status int
}

func caller(name string) code { return code{name, http.StatusBadRequest} }
func server(name string) code { return code{name, http.StatusInternalServerError} }

// dialectOf returns the dialect of the service with the signing name. A service
// without one is a mistake in the program, and panics.
func dialectOf(signingName string) *dialect {
	d := dialects[signingName]
	if d == nil {
		panic(fmt.Sprintf("awsjson: no error codes for service %q", signingName))
	}
	return d
}

var dialects = map[string]*dialect{
	"remora": &common,
	"glue": {
		message:    "Message",
		validation: CodeValidation,
		timeout:    caller("OperationTimeoutException"),
		codes: map[remora.Kind]code{
			remora.Internal:         server("InternalServiceException"),
			remora.Invalid:          caller("InvalidInputException"),
			remora.NotFound:         caller("EntityNotFoundException"),
			remora.AlreadyExists:    caller("AlreadyExistsException"),
			remora.Mismatch:         caller("IdempotentParameterMismatchException"),
			remora.ConcurrentRuns:   caller("ConcurrentRunsExceededException"),
			remora.LimitExceeded:    caller("ResourceNumberLimitExceededException"),
			remora.ConcurrentUpdate: caller("ConcurrentModificationException"),
			remora.WrongState:       caller("IllegalSessionStateException"),
			remora.Unsupported:      caller("OperationNotSupportedException"),
			// Not OperationTimeoutException, which is the caller's fault in the
			// model, so that no SDK would try again.
			remora.Unavailable:      server("InternalServiceException"),
			remora.Unauthorized:     caller("AccessDeniedException"),
			remora.InvalidPageToken: caller("InvalidInputException"),
		},
	},
	"logs": {
		message:    "message",
		validation: "InvalidParameterException", // seen from the real service; Glue's differs
		timeout:    server("ServiceUnavailableException"),
		codes: map[remora.Kind]code{
			remora.Internal:         server("InternalServerException"),
			remora.Invalid:          caller("InvalidParameterException"),
			remora.NotFound:         caller("ResourceNotFoundException"),
			remora.AlreadyExists:    caller("ResourceAlreadyExistsException"),
			remora.Mismatch:         caller("InvalidParameterException"),
			remora.ConcurrentRuns:   caller("LimitExceededException"),
			remora.LimitExceeded:    caller("LimitExceededException"),
			remora.ConcurrentUpdate: caller("OperationAbortedException"),
			remora.WrongState:       caller("InvalidOperationException"),
			remora.Unsupported:      caller("InvalidOperationException"),
			remora.Unavailable:      server("ServiceUnavailableException"),
			remora.Unauthorized:     caller("AccessDeniedException"),
			remora.InvalidPageToken: caller("InvalidParameterException"),
		},
	},
}

// common has the names that AWS recommends to its services, and those that it
// documents for all of them.
var common = dialect{
	message:    "message",
	validation: CodeValidation,
	timeout:    code{"ServiceUnavailable", http.StatusServiceUnavailable},
	codes: map[remora.Kind]code{
		remora.Internal:         server("InternalFailure"),
		remora.Invalid:          caller(CodeValidation),
		remora.NotFound:         caller("ResourceNotFoundException"),
		remora.AlreadyExists:    caller("ConflictException"),
		remora.Mismatch:         caller("ConflictException"),
		remora.ConcurrentRuns:   caller("ServiceQuotaExceededException"),
		remora.LimitExceeded:    caller("ServiceQuotaExceededException"),
		remora.ConcurrentUpdate: caller("ConflictException"),
		remora.WrongState:       caller("ConflictException"),
		remora.Unsupported:      caller(CodeUnknownOperation),
		remora.Unavailable:      {"ServiceUnavailable", http.StatusServiceUnavailable},
		remora.Unauthorized:     caller("AccessDeniedException"),
		remora.InvalidPageToken: caller(CodeValidation),
	},
}

// fault is what the caller gets to see of an error.
func (d *dialect) fault(err error, requestID string) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		if f.Code == CodeValidation {
			return &Fault{Code: d.validation, Message: f.Message, Status: f.Status}
		}
		return f
	}
	kind := remora.KindOf(err)
	if kind == remora.Internal && timedOut(err) {
		return &Fault{Code: d.timeout.name, Message: "the request took too long; try again", Status: d.timeout.status}
	}
	c, ok := d.codes[kind]
	if !ok || kind == remora.Internal {
		c = d.codes[remora.Internal]
		return &Fault{Code: c.name, Status: c.status,
			Message: fmt.Sprintf("an internal error occurred; the server's log has more under request id %s", requestID)}
	}
	e, _ := errors.AsType[*remora.Error](err) // there is one, or the kind were Internal
	return &Fault{Code: c.name, Message: e.Message(), Status: c.status}
}

// timedOut reports whether the request ended before its operation did.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
