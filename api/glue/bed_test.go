package glue

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/smithy-go"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	model "github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/store/sqlite"
)

// bed is the real SDK in front of the service, a real store, and a control plane
// that accepts sessions and drives none: what becomes of them is up to the test.
type bed struct {
	*testing.T
	*glue.Client
	store *sqlite.Store
	url   string
}

const sessionLimit = 4

// created is the time at which everything happens, unless a test says otherwise.
var created = time.Date(2024, 3, 1, 12, 0, 0, 250e6, time.UTC)

func newBed(t *testing.T) *bed {
	t.Helper()
	now := func() time.Time { return created }
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "remora.db"), sqlite.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]control.WorkerType{"Z.2X": {CPUs: 8, MemoryBytes: 64 << 30, DPU: 2}}
	plane := control.NewSessions(control.SessionsConfig{Store: store, Limit: sessionLimit, Config: control.Config{
		Log: slog.New(slog.DiscardHandler), Now: now, Sizing: control.Sizing{Types: types}}})
	plane.Close()
	s := New(Config{Store: store, SessionStore: store, Sessions: plane, Tokens: awsjson.NewTokens([32]byte{1}), Now: now,
		Region: "eu-central-1", Account: "000000000000", Runtimes: []string{"Ray2.60", "Ray2.4"}, WorkerTypes: types,
		SessionDefaults: SessionDefaults{Runtime: "Ray2.4", Workers: 2, IdleTimeout: 48 * time.Hour, Timeout: 48*time.Hour + time.Second}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		body, err := io.ReadAll(r.Body)
		if err != nil || target != s.Target() {
			t.Errorf("target %q, %v", target, err)
		}
		s.Serve(w, r, operation, body)
	}))
	t.Cleanup(func() { server.Close(); store.Close() })
	return &bed{T: t, store: store, url: server.URL, Client: glue.New(glue.Options{Region: "eu-central-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""), RetryMaxAttempts: 1})}
}

// request is what the Jupyter kernel sends.
func request(id string, change ...func(*glue.CreateSessionInput)) *glue.CreateSessionInput {
	in := &glue.CreateSessionInput{Id: &id, Role: aws.String("arn:aws:iam::000000000000:role/any"), GlueVersion: aws.String("4.0"),
		Command:          &types.SessionCommand{Name: aws.String("glueray"), PythonVersion: aws.String("3.9")},
		DefaultArguments: map[string]string{"--glue_kernel_version": "1.0.5", "--enable-glue-datacatalog": "true"},
		RequestOrigin:    aws.String("GluePySparkKernel"), Tags: map[string]string{"owner": "AIDA"}}
	for _, f := range change {
		f(in)
	}
	return in
}

func (b *bed) create(in *glue.CreateSessionInput) *types.Session {
	b.Helper()
	out, err := b.CreateSession(b.Context(), in)
	if err != nil {
		b.Fatalf("create session %s: %v", *in.Id, err)
	}
	return out.Session
}

// in makes a session that has gone through the states.
func (b *bed) in(id string, states ...remora.SessionState) string {
	b.Helper()
	b.create(request(id))
	for _, state := range states {
		b.set(id, func(s *remora.Session) { s.State, s.Closed = state, state.Ended() })
	}
	return id
}

func (b *bed) set(id string, change func(*remora.Session)) {
	b.Helper()
	if _, err := b.store.ChangeSession(b.Context(), id, func(s *remora.Session) error { change(s); return nil }); err != nil {
		b.Fatal(err)
	}
}

// ran makes a statement of a session that has gone through the states.
func (b *bed) ran(session string, states ...remora.StatementState) int32 {
	b.Helper()
	out, err := b.RunStatement(b.Context(), &glue.RunStatementInput{SessionId: &session, Code: aws.String("1 + 1")})
	if err != nil {
		b.Fatalf("run a statement of %s: %v", session, err)
	}
	for _, state := range states {
		b.setStatement(session, out.Id, func(st *remora.Statement) { st.State = state })
	}
	return out.Id
}

func (b *bed) setStatement(session string, id int32, change func(*remora.Statement)) {
	b.Helper()
	if _, err := b.store.ChangeStatement(b.Context(), session, int(id), func(st *remora.Statement) error {
		change(st)
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}

// wire calls an operation without an SDK, which knows its own members only.
func (b *bed) wire(operation, body string) string {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.url, bytes.NewReader([]byte(body)))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSGlue."+operation)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}

// refused fails unless err has the code, which the operation must declare, and
// the text in its message.
func (b *bed) refused(err error, code, text string) {
	b.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		b.Errorf("error %v, want %s with %q", err, code, text)
	}
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return
	}
	if declared := model.OperationErrors[call.Operation()]; code != awsjson.CodeValidation && !slices.Contains(declared, code) {
		b.Errorf("%s does not declare %s, which is how it tells %v", call.Operation(), code, err)
	}
}
