package compat

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// is asserts that an error has a type of the SDK and, if given, the text.
func is[E smithy.APIError](t *testing.T, err error, text string) {
	t.Helper()
	var typed E
	if !errors.As(err, &typed) {
		t.Errorf("got %v, want a %T", err, typed)
	} else if text != "" && typed.ErrorMessage() != text {
		t.Errorf("%T says %q, want %q", typed, typed.ErrorMessage(), text)
	}
}

// hasCode asserts the code of an error for which the SDK has no type.
func hasCode(t *testing.T, err error, code, part string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), part) {
		t.Errorf("got %v, want %s with %q", err, code, part)
	}
}

func TestErrorsHaveTheirTypes(t *testing.T) {
	b := newBed(t)
	ctx := b.Context()
	b.create(definition("job", noScript))

	_, err := b.glue.GetJob(ctx, &glue.GetJobInput{JobName: aws.String("none")})
	is[*types.EntityNotFoundException](t, err, "Job not found.")
	_, err = b.glue.StartJobRun(ctx, &glue.StartJobRunInput{JobName: aws.String("none")})
	is[*types.EntityNotFoundException](t, err, "Failed to start job run due to missing metadata")

	in := definition("job", noScript)
	in.Description = aws.String("another")
	_, err = b.glue.CreateJob(ctx, in)
	is[*types.IdempotentParameterMismatchException](t, err, "Job already submitted with different configuration")
	in = definition("timeout", noScript)
	in.Timeout = aws.Int32(10)
	_, err = b.glue.CreateJob(ctx, in)
	is[*types.InvalidInputException](t, err, "Timeout not supported for Ray jobs")
	_, err = b.glue.GetJobs(ctx, &glue.GetJobsInput{NextToken: aws.String("made up")})
	is[*types.InvalidInputException](t, err, "")

	_, err = b.glue.GetCrawlers(ctx, &glue.GetCrawlersInput{})
	hasCode(t, err, "UnknownOperationException", "GetCrawlers")
	_, err = b.glue.GetJobs(ctx, &glue.GetJobsInput{MaxResults: aws.Int32(0)})
	hasCode(t, err, "ValidationException", "maxResults")

	logs := cloudwatchlogs.NewFromConfig(b.config())
	_, err = logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("none")})
	is[*logtypes.ResourceNotFoundException](t, err, "The specified log group does not exist.")
	_, err = logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("a b"), LogStreamName: aws.String("s")})
	is[*logtypes.InvalidParameterException](t, err, "")
}

func TestStrangersAreRefused(t *testing.T) {
	b := newBed(t)
	own, err := b.config().Credentials.Retrieve(b.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ id, secret, code string }{
		{own.AccessKeyID, "wrong", "InvalidSignatureException"},
		{"AKIAIOSFODNN7EXAMPLE", own.SecretAccessKey, "UnrecognizedClientException"},
	} {
		keys := credentials.NewStaticCredentialsProvider(c.id, c.secret, "")
		_, err := glue.NewFromConfig(b.config(config.WithCredentialsProvider(keys))).GetJobs(b.Context(), &glue.GetJobsInput{})
		hasCode(t, err, c.code, "")
	}
}

func TestEnvironmentIsEnough(t *testing.T) {
	b := newBed(t)
	ctx, cfg := b.Context(), b.config()
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != "000000000000" {
		t.Fatalf("caller identity: %v, %v", who, err)
	}
	address, err := sts.NewPresignClient(sts.NewFromConfig(cfg)).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, address.Method, address.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("a presigned %s is answered with %s", address.Method, response.Status)
	}

	b.upload("print('hello')")
	object, err := s3.NewFromConfig(cfg).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("scripts"), Key: aws.String("script.py")})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if text, err := io.ReadAll(object.Body); err != nil || string(text) != "print('hello')" {
		t.Errorf("the object reads %q, %v", text, err)
	}
	if _, err := cloudwatchlogs.NewFromConfig(cfg).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{}); err != nil {
		t.Error(err)
	}
}

func TestPaginators(t *testing.T) {
	b := newBed(t)
	ctx := b.Context()
	var want []string
	for i := range 23 {
		want = append(want, fmt.Sprintf("job-%02d", i))
		in := definition(want[i], noScript)
		in.Tags = map[string]string{"suite": "paging"}
		b.create(in)
	}
	var jobs, names []string
	for p := glue.NewGetJobsPaginator(b.glue, &glue.GetJobsInput{MaxResults: aws.Int32(5)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page.Jobs {
			jobs = append(jobs, *j.Name)
		}
	}
	tags := map[string]string{"suite": "paging"}
	for p := glue.NewListJobsPaginator(b.glue, &glue.ListJobsInput{MaxResults: aws.Int32(4), Tags: tags}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, page.JobNames...)
	}
	if fmt.Sprint(jobs) != fmt.Sprint(want) || fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("pages give %v and %v, want %v", jobs, names, want)
	}

	var started, runs []string
	for range 7 {
		id := b.start("job-00")
		b.await("job-00", id, types.JobRunStateFailed)
		started = append([]string{id}, started...)
	}
	in := &glue.GetJobRunsInput{JobName: aws.String("job-00"), MaxResults: aws.Int32(2)}
	for p := glue.NewGetJobRunsPaginator(b.glue, in); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.JobRuns {
			runs = append(runs, *r.Id)
		}
	}
	if fmt.Sprint(runs) != fmt.Sprint(started) {
		t.Errorf("pages of runs give %v, want %v", runs, started)
	}
}

// unreliable is a network on which the first answers get lost.
type unreliable struct {
	lose int32 // answers that are lost
	sent atomic.Int32
}

func (u *unreliable) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if n := u.sent.Add(1); err == nil && n <= u.lose {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return response, err
}

func (b *bed) over(network *unreliable) *glue.Client {
	b.Helper()
	return glue.NewFromConfig(b.config(), func(o *glue.Options) { o.HTTPClient = &http.Client{Transport: network} })
}

// A client that tries again after a lost answer does not fail over its own job.
func TestCreateIsTriedAgain(t *testing.T) {
	b := newBed(t)
	network := &unreliable{lose: 2}
	if _, err := b.over(network).CreateJob(b.Context(), definition("job", noScript)); err != nil {
		t.Fatal(err)
	}
	if n := network.sent.Load(); n != 3 {
		t.Errorf("%d requests were sent, want 3", n)
	}
}

func TestCallersFaultsAreNotTriedAgain(t *testing.T) {
	b := newBed(t)
	network := &unreliable{}
	client := b.over(network)
	_, err := client.GetJob(b.Context(), &glue.GetJobInput{JobName: aws.String("none")})
	is[*types.EntityNotFoundException](t, err, "")
	_, err = client.GetJobs(b.Context(), &glue.GetJobsInput{NextToken: aws.String("made up")})
	is[*types.InvalidInputException](t, err, "")
	if n := network.sent.Load(); n != 2 {
		t.Errorf("%d requests were sent for two calls", n)
	}
}
