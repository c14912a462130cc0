package remora

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an Error is, in the domain's terms. The API's
// error codes are derived from it in exactly one place, api/awsjson/codes.go.
type Kind uint8

const (
	Internal         Kind = iota // a bug, or a failure the caller can do nothing about
	Invalid                      // the request makes no sense or breaks a rule of the service
	NotFound                     // what the request names is not there
	AlreadyExists                // what the request creates is there
	Mismatch                     // the same name was used before with another configuration
	ConcurrentRuns               // the job's MaxConcurrentRuns is reached
	LimitExceeded                // a quota of the service is reached
	ConcurrentUpdate             // someone else changed the subject meanwhile
	WrongState                   // the subject is in a state that does not allow this
	Unsupported                  // a real operation or parameter that Remora does not have
	Unavailable                  // a dependency is down, full or too slow; trying again may help
	Unauthorized                 // the caller is known but may not do this
	InvalidPageToken             // a paging token that was not handed out for this request
)

var kindNames = [...]string{"internal error", "invalid input", "not found", "already exists", "mismatch",
	"concurrent runs exceeded", "limit exceeded", "concurrent update", "wrong state", "unsupported", "unavailable",
	"unauthorized", "invalid page token"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Error is how every package reports a failure that crosses a seam.
//
// Err's text is what the user reads as the message: it says what was wrong,
// with which value, and what to do. Op and Subject are for logs. Of an Internal
// error the API shows no more than that it happened.
type Error struct {
	Kind    Kind
	Op      string // the operation as its caller names it: "StartJobRun", "provider/ray: start"
	Subject string // what it was about: a job's name, a run's id, an s3:// address
	Err     error
}

func (e *Error) Error() string {
	switch {
	case e.Op == "" && e.Subject == "":
		return e.Message()
	case e.Subject == "":
		return e.Op + ": " + e.Message()
	default:
		return e.Op + " " + e.Subject + ": " + e.Message()
	}
}

// Message is the text for the user, without operation and subject.
func (e *Error) Message() string {
	if e.Err == nil {
		return e.Kind.String()
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost Error in err's chain; an error that
// has none is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// MessageOf is the part of an error that is for the user: the message of the
// outermost Error in its chain, or else its text.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return err.Error()
}

// Errorf makes an Error of the given kind; format and args as in fmt.Errorf, %w
// included.
func Errorf(k Kind, op, subject, format string, args ...any) *Error {
	return &Error{Kind: k, Op: op, Subject: subject, Err: fmt.Errorf(format, args...)}
}

// NotFoundf and its siblings are Errorf for the kinds that are made most.
func NotFoundf(op, subject, format string, args ...any) *Error {
	return Errorf(NotFound, op, subject, format, args...)
}

// Invalidf reports a request that breaks a rule of the service.
func Invalidf(op, subject, format string, args ...any) *Error {
	return Errorf(Invalid, op, subject, format, args...)
}

// Internalf reports what the caller can do nothing about.
func Internalf(op, subject, format string, args ...any) *Error {
	return Errorf(Internal, op, subject, format, args...)
}

// Unavailablef reports a dependency that is down, full or too slow.
func Unavailablef(op, subject, format string, args ...any) *Error {
	return Errorf(Unavailable, op, subject, format, args...)
}
