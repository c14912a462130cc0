package glue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"github.com/remora-project/remora"
	model "github.com/remora-project/remora/api/awsmodel/glue"
)

// What the kernel's request is answered with has all that the kernel indexes.
func TestSessionOfTheKernel(t *testing.T) {
	b := newBed(t)
	got := b.create(request("one"))
	want := &types.Session{
		Id: aws.String("one"), CreatedOn: &created, Status: types.SessionStatusProvisioning,
		Role:        aws.String("arn:aws:iam::000000000000:role/any"),
		Command:     &types.SessionCommand{Name: aws.String("glueray"), PythonVersion: aws.String("3.9")},
		GlueVersion: aws.String("4.0"), WorkerType: types.WorkerTypeZ2x, NumberOfWorkers: aws.Int32(2), MaxCapacity: aws.Float64(4),
		IdleTimeout:      aws.Int32(2880),
		DefaultArguments: map[string]string{"--glue_kernel_version": "1.0.5", "--enable-glue-datacatalog": "true"},
	}
	same := func(what string, got *types.Session) {
		t.Helper()
		if g, w := describe(got), describe(want); g != w {
			t.Errorf("%s gives\n%s, want\n%s", what, g, w)
		}
	}
	same("CreateSession", got)
	out, err := b.GetSession(t.Context(), &glue.GetSessionInput{Id: aws.String("one")})
	if err != nil {
		t.Fatal(err)
	}
	same("GetSession", out.Session)
	all, err := b.ListSessions(t.Context(), &glue.ListSessionsInput{})
	if err != nil || !slices.Equal(all.Ids, []string{"one"}) || len(all.Sessions) != 1 {
		t.Fatalf("ListSessions gives %v, %v", all, err)
	}
	same("ListSessions", &all.Sessions[0])
	// The SDK does not know it; the kernel does, and it rounds up.
	if text := b.wire("GetSession", `{"Id":"one"}`); !strings.Contains(text, `"Timeout":2881`) {
		t.Errorf("GetSession answers %s", text)
	}
}

func describe(s *types.Session) string {
	return fmt.Sprint(aws.ToString(s.Id), s.CreatedOn, s.Status, aws.ToString(s.ErrorMessage), aws.ToString(s.Description),
		aws.ToString(s.Role), aws.ToString(s.Command.Name), aws.ToString(s.Command.PythonVersion), aws.ToString(s.GlueVersion),
		s.WorkerType, aws.ToInt32(s.NumberOfWorkers), aws.ToFloat64(s.MaxCapacity), aws.ToInt32(s.IdleTimeout), s.DefaultArguments,
		s.Connections, aws.ToString(s.SecurityConfiguration), s.CompletedOn, s.ExecutionTime, s.DPUSeconds, s.SessionType)
}

func TestSessionKeepsWhatItIsGiven(t *testing.T) {
	b := newBed(t)
	in := request("one", func(in *glue.CreateSessionInput) {
		in.Description, in.SecurityConfiguration = aws.String("a description"), aws.String("none")
		in.Connections = &types.ConnectionsList{Connections: []string{"a", "b"}}
		in.NumberOfWorkers, in.WorkerType = aws.Int32(3), types.WorkerTypeZ2x
		in.IdleTimeout, in.Timeout, in.SessionType = aws.Int32(5), aws.Int32(10080), types.SessionTypeLivy
		in.Command.PythonVersion, in.GlueVersion = aws.String("3.11"), aws.String("5.0")
		in.DefaultArguments = map[string]string{"--runtime": "Ray2.60", "plain": " spaces \t", "--e": ""}
	})
	got := b.create(in)
	if *got.Description != "a description" || *got.SecurityConfiguration != "none" || !slices.Equal(got.Connections.Connections, []string{"a", "b"}) ||
		*got.NumberOfWorkers != 3 || *got.MaxCapacity != 6 || *got.IdleTimeout != 5 || got.SessionType != types.SessionTypeLivy ||
		*got.Command.PythonVersion != "3.11" || *got.GlueVersion != "5.0" || !maps.Equal(got.DefaultArguments, in.DefaultArguments) {
		t.Errorf("got %s", describe(got))
	}
	s, err := b.store.Session(t.Context(), "one")
	if err != nil || s.Plan.Command.Runtime != "Ray2.60" || s.Plan.IdleTimeout != 5*time.Minute || s.Plan.Timeout != 7*24*time.Hour {
		t.Errorf("stored as %+v, %v", s.Plan, err)
	}
	b.create(request("two"))
	if s, err = b.store.Session(t.Context(), "two"); err != nil || s.Plan.Command.Runtime != "Ray2.4" {
		t.Errorf("without a runtime: %+v, %v", s.Plan, err)
	}
}

func TestSessionRules(t *testing.T) {
	const invalid = "InvalidInputException"
	tests := []struct {
		change     func(*glue.CreateSessionInput)
		code, text string
	}{
		{func(in *glue.CreateSessionInput) { in.Command.Name = aws.String("glueetl") }, invalid, `"glueetl" is not supported`},
		{func(in *glue.CreateSessionInput) { in.Command.Name = nil }, invalid, `Command name "" is not supported`},
		{func(in *glue.CreateSessionInput) { in.Command.PythonVersion = aws.String("2") }, invalid, "PythonVersion 2 is not supported"},
		{func(in *glue.CreateSessionInput) { in.GlueVersion = aws.String("3.0") }, invalid, "GlueVersion 3.0 has no Ray"},
		{func(in *glue.CreateSessionInput) { in.WorkerType = types.WorkerTypeG1x }, invalid,
			"Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs."},
		{func(in *glue.CreateSessionInput) { in.WorkerType, in.MaxCapacity = types.WorkerTypeZ2x, aws.Float64(2) }, invalid,
			"Please do not set Max Capacity if using Worker Type and Number of Workers"},
		{func(in *glue.CreateSessionInput) { in.MaxCapacity = aws.Float64(2) }, invalid, "Worker type cannot be null"},
		{func(in *glue.CreateSessionInput) { in.NumberOfWorkers = aws.Int32(0) }, invalid, "NumberOfWorkers must be between 1 and 299, not 0"},
		{func(in *glue.CreateSessionInput) { in.NumberOfWorkers = aws.Int32(300) }, invalid, "not 300"},
		{func(in *glue.CreateSessionInput) { in.Timeout = aws.Int32(10081) }, invalid, "Timeout must be at most 10080 minutes, not 10081"},
		{func(in *glue.CreateSessionInput) { in.IdleTimeout = aws.Int32(1<<31 - 1) }, invalid, "IdleTimeout must be at most 10080"},
		{func(in *glue.CreateSessionInput) { in.SessionType = types.SessionTypeSparkConnect }, invalid, "SPARK_CONNECT is not supported"},
		{func(in *glue.CreateSessionInput) { in.DefaultArguments = map[string]string{"--runtime": "Ray1"} }, invalid,
			"Runtime Ray1 is not supported; supported: Ray2.60, Ray2.4."},
		{func(in *glue.CreateSessionInput) {
			in.DefaultArguments = map[string]string{"--object_store_memory_head": "x"}
		}, invalid,
			"--object_store_memory_head must be a whole number"},
		{func(in *glue.CreateSessionInput) { in.IdleTimeout = aws.Int32(0) }, "ValidationException", "at 'idleTimeout'"},
		{func(in *glue.CreateSessionInput) { in.Timeout = aws.Int32(-1) }, "ValidationException", "at 'timeout'"},
		{func(in *glue.CreateSessionInput) { in.Role = aws.String("any") }, "ValidationException", "at 'role'"},
		{func(in *glue.CreateSessionInput) { in.Id = aws.String("") }, "ValidationException", "at 'id'"},
		{func(in *glue.CreateSessionInput) { in.Id = aws.String("a\nb") }, "ValidationException", "at 'id'"},
		{func(in *glue.CreateSessionInput) { in.Id = aws.String(strings.Repeat("a", 256)) }, "ValidationException", "at 'id'"},
		{func(in *glue.CreateSessionInput) { in.WorkerType = "Z.9X" }, "ValidationException", "at 'workerType'"},
	}
	b := newBed(t)
	for _, test := range tests {
		_, err := b.CreateSession(t.Context(), request("one", test.change))
		b.refused(err, test.code, test.text)
	}
	if all, err := b.ListSessions(t.Context(), &glue.ListSessionsInput{}); err != nil || len(all.Ids) > 0 {
		t.Errorf("there are sessions %v, %v", all, err)
	}
}

func TestCreateSessionIsIdempotent(t *testing.T) {
	b := newBed(t)
	other := request("one", func(in *glue.CreateSessionInput) { in.IdleTimeout = aws.Int32(1) })
	for _, state := range []remora.SessionState{"", remora.SessionReady} {
		if state == "" {
			b.create(request("one"))
		} else {
			b.set("one", func(s *remora.Session) { s.State = state })
		}
		want, err := b.GetSession(t.Context(), &glue.GetSessionInput{Id: aws.String("one")})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.create(request("one")); describe(got) != describe(want.Session) {
			t.Errorf("the same request gives %s, want %s", describe(got), describe(want.Session))
		}
		_, err = b.CreateSession(t.Context(), other)
		b.refused(err, "IdempotentParameterMismatchException", "Session one was already created with a different configuration.")
	}
	b.set("one", func(s *remora.Session) { s.State = remora.SessionStopping })
	b.set("one", func(s *remora.Session) { s.State, s.Closed = remora.SessionStopped, true })
	_, err := b.CreateSession(t.Context(), other)
	b.refused(err, "AlreadyExistsException", "Session one already exists, it is STOPPED")
	// The kernel asks for the same again when its session has died.
	if got := b.create(request("one")); got.Status != types.SessionStatusProvisioning {
		t.Errorf("the same request after the end gives %s", describe(got))
	}
}

func TestLimitOfSessions(t *testing.T) {
	b := newBed(t)
	for i := range sessionLimit {
		b.create(request(fmt.Sprint(i)))
	}
	_, err := b.CreateSession(t.Context(), request("more"))
	b.refused(err, "ResourceNumberLimitExceededException", fmt.Sprintf("%d sessions are open", sessionLimit))
	b.create(request("0")) // again
	b.set("0", func(s *remora.Session) { s.State, s.Closed = remora.SessionFailed, true })
	b.create(request("more"))
}

func TestStopAndDeleteSession(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	_, err := b.StopSession(ctx, &glue.StopSessionInput{Id: aws.String("none")})
	b.refused(err, "InvalidInputException", "Session none not found.")
	_, err = b.DeleteSession(ctx, &glue.DeleteSessionInput{Id: aws.String("none")})
	b.refused(err, "InvalidInputException", "Session none not found.")
	_, err = b.GetSession(ctx, &glue.GetSessionInput{Id: aws.String("none")})
	b.refused(err, "EntityNotFoundException", "Session none not found.")

	id := aws.String(b.in("one", remora.SessionReady))
	_, err = b.DeleteSession(ctx, &glue.DeleteSessionInput{Id: id})
	b.refused(err, "IllegalSessionStateException", "READY")
	for range 2 {
		out, err := b.StopSession(ctx, &glue.StopSessionInput{Id: id})
		if err != nil || *out.Id != "one" {
			t.Fatalf("stop: %v, %v", out, err)
		}
		_, err = b.DeleteSession(ctx, &glue.DeleteSessionInput{Id: id})
		b.refused(err, "IllegalSessionStateException", "STOPPING")
	}
	b.set("one", func(s *remora.Session) {
		s.State, s.Closed, s.CompletedOn = remora.SessionStopped, true, created.Add(time.Minute)
		s.ExecutionTime, s.DPUSeconds = 2500*time.Millisecond, 10
	})
	got, err := b.GetSession(ctx, &glue.GetSessionInput{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Session; s.Status != types.SessionStatusStopped || !s.CompletedOn.Equal(created.Add(time.Minute)) ||
		*s.ExecutionTime != 2.5 || *s.DPUSeconds != *s.ExecutionTime**s.MaxCapacity || s.ErrorMessage != nil {
		t.Errorf("a stopped session is %s", describe(s))
	}
	if _, err := b.StopSession(ctx, &glue.StopSessionInput{Id: id}); err != nil {
		t.Errorf("stop what has ended: %v", err)
	}
	out, err := b.DeleteSession(ctx, &glue.DeleteSessionInput{Id: id})
	if err != nil || *out.Id != "one" {
		t.Fatalf("delete: %v, %v", out, err)
	}
	_, err = b.GetSession(ctx, &glue.GetSessionInput{Id: id})
	b.refused(err, "EntityNotFoundException", "Session one not found.")
}

func TestPagesOfSessions(t *testing.T) {
	b := newBed(t)
	var newest []string
	for i := range sessionLimit {
		id := fmt.Sprintf("session %d", i)
		b.create(request(id, func(in *glue.CreateSessionInput) { in.Tags = map[string]string{"even": fmt.Sprint(i%2 == 0)} }))
		newest = append([]string{id}, newest...)
	}
	list := func(in *glue.ListSessionsInput) (ids []string) {
		t.Helper()
		for p := glue.NewListSessionsPaginator(b.Client, in); p.HasMorePages(); {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, page.Ids...)
		}
		return ids
	}
	even := map[string]string{"even": "true"}
	if got := list(&glue.ListSessionsInput{MaxResults: aws.Int32(3)}); !slices.Equal(got, newest) {
		t.Errorf("pages give %q, want %q", got, newest)
	}
	if got := list(&glue.ListSessionsInput{MaxResults: aws.Int32(1), Tags: even}); !slices.Equal(got, []string{newest[1], newest[3]}) {
		t.Errorf("pages of tagged sessions give %q", got)
	}
	page, err := b.ListSessions(t.Context(), &glue.ListSessionsInput{MaxResults: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.ListSessions(t.Context(), &glue.ListSessionsInput{NextToken: page.NextToken, Tags: even})
	b.refused(err, "InvalidInputException", "paging token")
}

// StopSession and DeleteSession have no word for an unknown session.
func TestUnknownSessionsCannotBeToldOtherwise(t *testing.T) {
	for _, op := range []string{"StopSession", "DeleteSession"} {
		if slices.Contains(model.OperationErrors[op], "EntityNotFoundException") {
			t.Errorf("%s declares EntityNotFoundException now: use sessionError", op)
		}
	}
}
