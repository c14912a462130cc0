package awsjson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/api/awsmodel/logs"
)

// captureLog returns what is logged until the test ends.
func captureLog(t *testing.T) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelInfo})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &b
}

func testService() *Service {
	return NewService(glue.TargetPrefix, glue.SigningName, glue.Operations,
		Op("GetJob", func(ctx context.Context, in *glue.GetJobRequest) (*glue.GetJobResponse, error) {
			switch *in.JobName {
			case "panic":
				panic("password is x")
			case "nil":
				return nil, nil
			case "nil job":
				return &glue.GetJobResponse{Job: &glue.Job{Connections: &glue.ConnectionsList{}, CodeGenConfigurationNodes: map[string]*glue.CodeGenConfigurationNode{"n": nil}}}, nil
			case "internal":
				return nil, remora.Internalf("store: job", "internal", "password is x")
			case "busy":
				return nil, remora.Unavailablef("store: job", "busy", "the store is busy")
			case "gone":
				return nil, context.Canceled
			case "gone early":
				return nil, remora.Unavailablef("store", "", "the request has ended: %w", context.Canceled)
			case "none":
				return nil, remora.NotFoundf("GetJob", "none", "Job <none> not found.")
			}
			return &glue.GetJobResponse{Job: &glue.Job{Name: in.JobName, Description: new(RequestID(ctx))}}, nil
		}))
}

func serve(s *Service, operation, body string) (*httptest.ResponseRecorder, string) {
	w := httptest.NewRecorder()
	s.Serve(w, httptest.NewRequest("POST", "/", nil), operation, []byte(body))
	return w, strings.ReplaceAll(w.Body.String(), w.Header().Get("x-amzn-RequestId"), "ID")
}

func TestServe(t *testing.T) {
	tests := []struct {
		operation, body string
		status          int
		want            string
		logged          string // "" for nothing
	}{
		{"GetJob", `{"JobName":"a"}`, 200, `{"Job":{"Name":"a","Description":"ID"}}`, ""},
		{"GetJob", `{"JobName":"none"}`, 400, `{"__type":"EntityNotFoundException","Message":"Job <none> not found."}`, ""},
		{"GetJob", `{"JobName":1}`, 400, `{"__type":"SerializationException","Message":"JobName: expected a string, found a number"}`, ""},
		{"GetJob", ``, 400, `{"__type":"ValidationException","Message":"1 validation error detected: Value null at 'jobName' failed to satisfy constraint: Member must not be null"}`, ""},
		{"GetCrawler", `{}`, 400, `{"__type":"UnknownOperationException","Message":"Remora does not have operation GetCrawler of AWSGlue"}`, ""},
		{"getJob", `{}`, 400, `{"__type":"UnknownOperationException","Message":"AWSGlue has no operation \"getJob\""}`, ""},
		{"", `{}`, 400, `{"__type":"UnknownOperationException","Message":"AWSGlue has no operation \"\""}`, ""},
		{"GetJob", `{"JobName":"gone"}`, 400, `{"__type":"OperationTimeoutException","Message":"the request took too long; try again"}`, ""},
		{"GetJob", `{"JobName":"gone early"}`, 500, `{"__type":"InternalServiceException","Message":"the request has ended: context canceled"}`, ""},
		{"GetJob", `{"JobName":"busy"}`, 500, `{"__type":"InternalServiceException","Message":"the store is busy"}`, "level=WARN"},
		{"GetJob", `{"JobName":"internal"}`, 500, `{"__type":"InternalServiceException","Message":"an internal error occurred; the server's log has more under request id ID"}`, `error="store: job internal: password is x"`},
		{"GetJob", `{"JobName":"nil"}`, 500, `{"__type":"InternalServiceException","Message":"an internal error occurred; the server's log has more under request id ID"}`, "neither a result nor an error"},
		{"GetJob", `{"JobName":"nil job"}`, 500, `{"__type":"InternalServiceException","Message":"an internal error occurred; the server's log has more under request id ID"}`, "encode the response: GetJobResponse.Job: Job.CodeGenConfigurationNodes: a nil structure"},
		{"GetJob", `{"JobName":"panic"}`, 500, `{"__type":"InternalServiceException","Message":"an internal error occurred; the server's log has more under request id ID"}`, "service_test.go"},
	}
	s := testService()
	for _, test := range tests {
		log := captureLog(t)
		w, body := serve(s, test.operation, test.body)
		if w.Code != test.status || body != test.want {
			t.Errorf("%s %s: got %d %s\nwant %d %s", test.operation, test.body, w.Code, body, test.status, test.want)
		}
		if got := w.Header().Get("Content-Type"); got != "application/x-amz-json-1.1" {
			t.Errorf("got content type %q", got)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(w.Header().Get("x-amzn-RequestId")) {
			t.Errorf("got request id %q", w.Header().Get("x-amzn-RequestId"))
		}
		var e struct {
			Type string `json:"__type"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Header().Get("x-amzn-ErrorType") != e.Type {
			t.Errorf("got error type %q for %s, %v", w.Header().Get("x-amzn-ErrorType"), w.Body, err)
		}
		if !strings.Contains(log.String(), test.logged) || test.logged == "" && log.Len() > 0 {
			t.Errorf("%s: got log %s, want %q", test.body, log, test.logged)
		}
		if test.logged != "" && !strings.Contains(log.String(), "request="+w.Header().Get("x-amzn-RequestId")) {
			t.Errorf("the log lacks the request id: %s", log)
		}
	}
}

func TestServeWithoutOutput(t *testing.T) {
	s := NewService(logs.TargetPrefix, logs.SigningName, logs.Operations,
		Op("CreateLogGroup", func(_ context.Context, in *logs.CreateLogGroupRequest) (*awsmodel.None, error) {
			return new(awsmodel.None), nil
		}))
	if w, body := serve(s, "CreateLogGroup", `{"logGroupName":"g"}`); w.Code != 200 || body != "" || w.Header().Get("Content-Length") != "0" {
		t.Errorf("got %d %q", w.Code, body)
	}
	want := `{"__type":"InvalidParameterException","message":"1 validation error detected: Value '*' at 'logGroupName' ` +
		`failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"}`
	if w, body := serve(s, "CreateLogGroup", `{"logGroupName":"*"}`); w.Code != 400 || body != want {
		t.Errorf("got %d %s", w.Code, body)
	}
	if s.Target() != "Logs_20140328" || s.SigningName() != "logs" {
		t.Errorf("got %s, %s", s.Target(), s.SigningName())
	}
}

func TestServeKeepsRequestID(t *testing.T) {
	ctx, id := WithRequestID(context.Background())
	if again, same := WithRequestID(ctx); id == "" || same != id || again != ctx {
		t.Errorf("got ids %q and %q", id, same)
	}
	w := httptest.NewRecorder()
	testService().Serve(w, httptest.NewRequest("POST", "/", nil).WithContext(ctx), "GetJob", []byte(`{"JobName":"a"}`))
	if got := w.Header().Get("x-amzn-RequestId"); got != id || !strings.Contains(w.Body.String(), id) {
		t.Errorf("got id %q and %s, want %q", got, w.Body, id)
	}
	if RequestID(context.Background()) != "" {
		t.Error("a context without an id has one")
	}
}

// What changes something is carried out for a client that has gone; what reads
// ends with it, as a long poll should.
func TestServeClientGone(t *testing.T) {
	var deleted, read error
	s := NewService(glue.TargetPrefix, glue.SigningName, glue.Operations,
		Op("DeleteJob", func(ctx context.Context, in *glue.DeleteJobRequest) (*glue.DeleteJobResponse, error) {
			deleted = ctx.Err()
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("the operation may take for ever")
			}
			return &glue.DeleteJobResponse{}, nil
		}),
		Op("GetJob", func(ctx context.Context, in *glue.GetJobRequest) (*glue.GetJobResponse, error) {
			read = ctx.Err()
			return &glue.GetJobResponse{}, nil
		}))
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, operation := range []string{"DeleteJob", "GetJob"} {
		r := httptest.NewRequest("POST", "/", nil).WithContext(gone)
		s.Serve(httptest.NewRecorder(), r, operation, []byte(`{"JobName": "j"}`))
	}
	if deleted != nil || !errors.Is(read, context.Canceled) {
		t.Errorf("the contexts ended with %v where something changes, and with %v where not", deleted, read)
	}
}

func TestWriteFault(t *testing.T) {
	fault := &Fault{Code: "InvalidSignatureException", Message: "no", Status: 403}
	for want, s := range map[string]*Service{
		`{"__type":"InvalidSignatureException","message":"no"}`: nil,
		`{"__type":"InvalidSignatureException","Message":"no"}`: testService(),
	} {
		w := httptest.NewRecorder()
		WriteFault(w, s, fault)
		if w.Code != 403 || w.Body.String() != want || w.Header().Get("x-amzn-RequestId") == "" {
			t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
		}
	}
	w := httptest.NewRecorder()
	w.Header().Set("x-amzn-RequestId", "mine")
	WriteFault(w, nil, errors.New("password is x"))
	if w.Code != 500 || !strings.HasPrefix(w.Body.String(), `{"__type":"InternalFailure",`) || !strings.HasSuffix(w.Body.String(), ` mine"}`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestNewServicePanics(t *testing.T) {
	op := func(name string) Operation {
		return Op(name, func(context.Context, *awsmodel.None) (*awsmodel.None, error) { return nil, nil })
	}
	for name, make := range map[string]func(){
		"no codes":        func() { NewService("X", "x", nil) },
		"unknown":         func() { NewService("X", "glue", []string{"A"}, op("B")) },
		"twice":           func() { NewService("X", "glue", []string{"A"}, op("A"), op("A")) },
		"not a structure": func() { Op("A", func(context.Context, *string) (*awsmodel.None, error) { return nil, nil }) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			make()
		}()
	}
}
