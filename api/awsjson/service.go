package awsjson

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
)

// Service answers the requests of one AWS service.
type Service struct {
	target, signingName string
	dialect             *dialect
	known               []string // all operations of the service at AWS
	operations          map[string]Operation
}

// NewService makes a service of its operations. target is what X-Amz-Target
// begins with; signingName also selects the error codes, see codes.go.
// knownOps are all operations that the service has at AWS. It panics if there
// are no codes, or if the operations contradict knownOps or each other.
func NewService(target, signingName string, knownOps []string, ops ...Operation) *Service {
	s := &Service{target: target, signingName: signingName, dialect: dialectOf(signingName), known: knownOps,
		operations: make(map[string]Operation, len(ops))}
	for _, op := range ops {
		if _, twice := s.operations[op.name]; twice || !slices.Contains(knownOps, op.name) {
			panic(fmt.Sprintf("awsjson: operation %q of %s is there twice, or not one of the service", op.name, target))
		}
		s.operations[op.name] = op
	}
	return s
}

// Target is what X-Amz-Target begins with, before the dot.
func (s *Service) Target() string { return s.target }

// SigningName is the service's name in signatures.
func (s *Service) SigningName() string { return s.signingName }

// Operation is one operation of a service; Op makes it.
type Operation struct {
	name string
	call func(ctx context.Context, body []byte) ([]byte, error)
}

// Op makes an operation of a function. In and Out are generated structures, or
// awsmodel.None; the input satisfies the model's constraints when fn is called.
func Op[In, Out any](name string, fn func(context.Context, *In) (*Out, error)) Operation {
	structureOf(new(In)) // panics here and not at the first request
	structureOf(new(Out))
	return Operation{name: name, call: func(ctx context.Context, body []byte) ([]byte, error) {
		in := new(In)
		if err := Decode(body, in); err != nil {
			return nil, err
		}
		if err := Validate(in); err != nil {
			return nil, err
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, err
		}
		if out == nil {
			return nil, remora.Internalf(name, "", "the operation returned neither a result nor an error")
		}
		if _, none := any(out).(*awsmodel.None); none {
			return nil, nil
		}
		text, err := Encode(out)
		if err != nil {
			return nil, remora.Internalf(name, "", "encode the response: %w", err)
		}
		return text, nil
	}}
}

// patience bounds what an operation may take that changes something: as long as
// an SDK waits for the answer.
const patience = time.Minute

// Serve answers a request for an operation. The context is r's, with a request
// id; whether the request may be made has been decided before. An operation
// that changes something is carried out once its request is here, also for a
// client that has gone: whether a call without an answer took effect should not
// depend on how busy the machine was.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, operation string, body []byte) {
	ctx, id := WithRequestID(r.Context())
	if !reads(operation) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
	}
	w.Header().Set(headerRequestID, id)
	out, err := s.call(ctx, operation, body)
	if err != nil {
		logFailure(ctx, id, s.target+"."+operation, err)
		WriteFault(w, s, err)
		return
	}
	write(w, http.StatusOK, out)
}

// reads says whether an operation only reads, which AWS's names tell.
func reads(operation string) bool {
	return slices.ContainsFunc([]string{"Get", "List", "Describe", "Filter", "BatchGet"}, func(verb string) bool {
		return strings.HasPrefix(operation, verb)
	})
}

// call runs an operation; one that panics fails alone.
func (s *Service) call(ctx context.Context, operation string, body []byte) (out []byte, err error) {
	op, ok := s.operations[operation]
	if !ok {
		return nil, s.unknown(operation)
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, &panicError{value: p, stack: debug.Stack()}
		}
	}()
	return op.call(ctx, body)
}

func (s *Service) unknown(operation string) error {
	message := fmt.Sprintf("%s has no operation %q", s.target, cut(operation, maxShownKey))
	if slices.Contains(s.known, operation) {
		message = fmt.Sprintf("Remora does not have operation %s of %s", operation, s.target)
	}
	return &Fault{Code: CodeUnknownOperation, Message: message, Status: http.StatusBadRequest}
}

// panicError is what an operation panicked with.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
