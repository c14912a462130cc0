package awsjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/api/awsmodel/logs"
)

// kinds are all kinds of errors: those that have names.
func kinds() []remora.Kind {
	var all []remora.Kind
	for k := remora.Kind(0); !strings.HasPrefix(k.String(), "Kind("); k++ {
		all = append(all, k)
	}
	return all
}

func TestCodesAreComplete(t *testing.T) {
	if n := len(kinds()); n != 13 {
		t.Errorf("%d kinds of errors; has every one its code?", n)
	}
	for name, d := range dialects {
		for _, k := range kinds() {
			if c := d.codes[k]; c.name == "" || c.status < 400 || c.status > 599 {
				t.Errorf("%s has no code for %v", name, k)
			}
		}
	}
}

// The codes are errors of the service's model, with its status and its spelling.
func TestCodesAreOfTheModel(t *testing.T) {
	for name, model := range map[string]map[string]awsmodel.ErrorShape{"glue": glue.Errors, "logs": logs.Errors} {
		d := dialects[name]
		check := func(c code) {
			shape, ok := model[c.name]
			want := http.StatusBadRequest
			if shape.Fault {
				want = http.StatusInternalServerError
			}
			if !ok || c.status != want {
				t.Errorf("%s: code %s with status %d: in the model %v, status %d", name, c.name, c.status, ok, want)
			}
		}
		for _, c := range d.codes {
			check(c)
		}
		check(d.timeout)
		check(caller(d.validation))
		for code, shape := range model {
			if shape.Message != "" && shape.Message != d.message {
				t.Errorf("%s: the model has member %s in %s, and we write %s", name, shape.Message, code, d.message)
			}
		}
	}
}

func TestFault(t *testing.T) {
	internal := "an internal error occurred; the server's log has more under request id ID"
	notFound := remora.NotFoundf("store: job", "a", "job %q is not there", "a")
	tests := []struct {
		err        error
		glue, logs Fault
	}{
		{notFound, Fault{"EntityNotFoundException", `job "a" is not there`, 400}, Fault{"ResourceNotFoundException", `job "a" is not there`, 400}},
		{fmt.Errorf("more: %w", notFound), Fault{"EntityNotFoundException", `job "a" is not there`, 400}, Fault{"ResourceNotFoundException", `job "a" is not there`, 400}},
		{remora.Invalidf("GetJobs", "", "see: %w", notFound), Fault{"InvalidInputException", `see: store: job a: job "a" is not there`, 400},
			Fault{"InvalidParameterException", `see: store: job a: job "a" is not there`, 400}},
		{&remora.Error{Kind: remora.ConcurrentRuns}, Fault{"ConcurrentRunsExceededException", "concurrent runs exceeded", 400}, Fault{"LimitExceededException", "concurrent runs exceeded", 400}},
		{remora.Unavailablef("", "", "the disk is full"), Fault{"InternalServiceException", "the disk is full", 500}, Fault{"ServiceUnavailableException", "the disk is full", 500}},
		// Nothing of an internal error leaks.
		{remora.Internalf("", "", "password is x"), Fault{"InternalServiceException", internal, 500}, Fault{"InternalServerException", internal, 500}},
		{errors.New("password is x"), Fault{"InternalServiceException", internal, 500}, Fault{"InternalServerException", internal, 500}},
		{&remora.Error{Kind: 200, Err: errors.New("password is x")}, Fault{"InternalServiceException", internal, 500}, Fault{"InternalServerException", internal, 500}},
		// Time was up.
		{fmt.Errorf("query: %w", context.DeadlineExceeded), Fault{"OperationTimeoutException", "the request took too long; try again", 400},
			Fault{"ServiceUnavailableException", "the request took too long; try again", 500}},
		{remora.Internalf("", "", "query: %w", context.Canceled), Fault{"OperationTimeoutException", "the request took too long; try again", 400},
			Fault{"ServiceUnavailableException", "the request took too long; try again", 500}},
		{remora.Unavailablef("", "", "a lock: %w", context.DeadlineExceeded), Fault{"InternalServiceException", "a lock: context deadline exceeded", 500},
			Fault{"ServiceUnavailableException", "a lock: context deadline exceeded", 500}},
		// The protocol's own.
		{&Fault{CodeSerialization, "x", 400}, Fault{CodeSerialization, "x", 400}, Fault{CodeSerialization, "x", 400}},
		{&Fault{CodeValidation, "x", 400}, Fault{CodeValidation, "x", 400}, Fault{"InvalidParameterException", "x", 400}},
		{fmt.Errorf("more: %w", &Fault{"InvalidSignatureException", "x", 403}), Fault{"InvalidSignatureException", "x", 403}, Fault{"InvalidSignatureException", "x", 403}},
	}
	for _, test := range tests {
		if got := dialects["glue"].fault(test.err, "ID"); *got != test.glue {
			t.Errorf("glue: %v: got %v", test.err, got)
		}
		if got := dialects["logs"].fault(test.err, "ID"); *got != test.logs {
			t.Errorf("logs: %v: got %v", test.err, got)
		}
	}
}

// Errors within an answer are told and logged like those of whole requests.
func TestFaultOfLogs(t *testing.T) {
	log := captureLog(t)
	if f := FaultOf("glue", remora.NotFoundf("", "", "not there")); *f != (Fault{"EntityNotFoundException", "not there", 400}) || log.Len() > 0 {
		t.Errorf("got %v, log %s", f, log)
	}
	f := FaultOf("glue", remora.Internalf("", "", "password is x"))
	_, id, _ := strings.Cut(f.Message, "request id ")
	if f.Code != "InternalServiceException" || strings.Contains(f.Message, "password") ||
		!strings.Contains(log.String(), "request="+id) || !strings.Contains(log.String(), "password is x") {
		t.Errorf("got %v, log %s", f, log)
	}
}
