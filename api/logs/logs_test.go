package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/logstore"
)

// client is the real SDK in front of the service and a real store.
func client(t *testing.T, now func() time.Time) (*cloudwatchlogs.Client, *logstore.Store) {
	t.Helper()
	store, err := logstore.Open(t.TempDir(), logstore.Options{Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	s := service{store, awsjson.NewTokens([32]byte{1}), ARNs{Region: "eu-central-1", Account: "000000000000"}, now}.operations()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		body, err := io.ReadAll(r.Body)
		if err != nil || target != s.Target() {
			t.Errorf("target %q, %v", target, err)
		}
		s.Serve(w, r, operation, body)
	}))
	t.Cleanup(func() { server.Close(); store.Close() })
	return cloudwatchlogs.New(cloudwatchlogs.Options{Region: "eu-central-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""), RetryMaxAttempts: 1}), store
}

// must returns v, or fails.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError fails unless err has the code, and the text in its message.
func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("error %v, want %s with %q", err, code, text)
	}
}

const (
	notFound = "ResourceNotFoundException"
	exists   = "ResourceAlreadyExistsException"
	invalid  = "InvalidParameterException"
)

func TestGroups(t *testing.T) {
	c, _ := client(t, time.Now)
	ctx := t.Context()
	for _, name := range []string{"/aws-glue/ray/jobs/script-log", "/aws-glue/ray/jobs/ray-gcs-logs", "other"} {
		must[*cloudwatchlogs.CreateLogGroupOutput](t)(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name}))
	}
	_, err := c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("other")})
	wantError(t, err, exists, "The specified log group already exists")
	_, err = c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("no spaces")})
	wantError(t, err, invalid, "logGroupName")
	_, err = c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("k"), KmsKeyId: aws.String("k")})
	wantError(t, err, invalid, "kmsKeyId")

	var names []string
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(c, &cloudwatchlogs.DescribeLogGroupsInput{Limit: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, g := range must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(pages.NextPage(ctx)).LogGroups {
			names = append(names, *g.LogGroupName)
			arn := "arn:aws:logs:eu-central-1:000000000000:log-group:" + *g.LogGroupName
			if *g.Arn != arn+":*" || *g.LogGroupArn != arn || *g.CreationTime == 0 || g.RetentionInDays != nil || *g.StoredBytes != 0 {
				t.Errorf("%+v", g)
			}
		}
	}
	if got := strings.Join(names, " "); got != "/aws-glue/ray/jobs/ray-gcs-logs /aws-glue/ray/jobs/script-log other" {
		t.Errorf("groups %s", got)
	}
	for want, in := range map[string]cloudwatchlogs.DescribeLogGroupsInput{
		"/aws-glue/ray/jobs/script-log": {LogGroupNamePattern: aws.String("script")},
		"other":                         {LogGroupNamePrefix: aws.String("o")},
		"/aws-glue/ray/jobs/ray-gcs-logs": {LogGroupIdentifiers: []string{"missing",
			"arn:aws:logs:eu-central-1:000000000000:log-group:/aws-glue/ray/jobs/ray-gcs-logs"}},
	} {
		out := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, &in))
		if len(out.LogGroups) != 1 || *out.LogGroups[0].LogGroupName != want {
			t.Errorf("%+v, want %s", out.LogGroups, want)
		}
	}
	_, err = c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("a"), LogGroupNamePattern: aws.String("b")})
	wantError(t, err, invalid, "mutually exclusive")
	_, err = c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{NextToken: aws.String("made up")})
	wantError(t, err, invalid, "The specified nextToken is invalid.")

	must[*cloudwatchlogs.PutRetentionPolicyOutput](t)(c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{
		LogGroupName: aws.String("other"), RetentionInDays: aws.Int32(7)}))
	_, err = c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("other"), RetentionInDays: aws.Int32(2)})
	wantError(t, err, invalid, "retentionInDays")
	_, err = c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("missing"), RetentionInDays: aws.Int32(7)})
	wantError(t, err, notFound, "The specified log group does not exist.")
	retention := func() *int32 {
		return must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{
			LogGroupNamePrefix: aws.String("other")})).LogGroups[0].RetentionInDays
	}
	if r := retention(); r == nil || *r != 7 {
		t.Errorf("retention %v", r)
	}
	must[*cloudwatchlogs.DeleteRetentionPolicyOutput](t)(c.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: aws.String("other")}))
	if r := retention(); r != nil {
		t.Errorf("retention %v", *r)
	}
	must[*cloudwatchlogs.DeleteLogGroupOutput](t)(c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("other")}))
	_, err = c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("other")})
	wantError(t, err, notFound, "The specified log group does not exist.")
}

func TestStreams(t *testing.T) {
	c, store := client(t, time.Now)
	ctx, group := t.Context(), aws.String("g")
	_, err := c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: aws.String("s")})
	wantError(t, err, notFound, "The specified log group does not exist.")
	for i, name := range []string{"jr_1", "jr_2", "jr_3"} {
		append1(t, store, "g", name, time.UnixMilli(int64(5-i)), "m")
	}
	_, err = c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: aws.String("jr_1")})
	wantError(t, err, exists, "The specified log stream already exists")
	must[*cloudwatchlogs.CreateLogStreamOutput](t)(c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: aws.String("empty")}))
	for want, in := range map[string]cloudwatchlogs.DescribeLogStreamsInput{
		"empty jr_1 jr_2 jr_3": {},
		"jr_3 jr_2 jr_1":       {Descending: aws.Bool(true), LogStreamNamePrefix: aws.String("jr_")},
		"jr_1 jr_2 jr_3 empty": {Descending: aws.Bool(true), OrderBy: types.OrderByLastEventTime},
	} {
		in.LogGroupIdentifier, in.Limit = aws.String("arn:aws:logs:eu-central-1:000000000000:log-group:g"), aws.Int32(1)
		var names []string
		pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(c, &in)
		for pages.HasMorePages() {
			for _, d := range must[*cloudwatchlogs.DescribeLogStreamsOutput](t)(pages.NextPage(ctx)).LogStreams {
				names = append(names, *d.LogStreamName)
				if *d.Arn != "arn:aws:logs:eu-central-1:000000000000:log-group:g:log-stream:"+*d.LogStreamName ||
					(d.LastEventTimestamp == nil) != (*d.LogStreamName == "empty") {
					t.Errorf("%+v", d)
				}
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("streams %s, want %s", got, want)
		}
	}
	_, err = c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group, OrderBy: types.OrderByLastEventTime, LogStreamNamePrefix: aws.String("j")})
	wantError(t, err, invalid, "Cannot order by LastEventTime")
	_, err = c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group, LogGroupIdentifier: group})
	wantError(t, err, invalid, "mutually exclusive")
	_, err = c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupIdentifier: aws.String("arn:aws:logs:eu-central-1:111111111111:log-group:g")})
	wantError(t, err, notFound, "The specified log group does not exist.")
	must[*cloudwatchlogs.DeleteLogStreamOutput](t)(c.DeleteLogStream(ctx, &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: aws.String("jr_1")}))
	_, err = c.DeleteLogStream(ctx, &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: aws.String("jr_1")})
	wantError(t, err, notFound, "The specified log stream does not exist.")
}

func append1(t *testing.T, store *logstore.Store, group, stream string, at time.Time, message string) {
	t.Helper()
	if err := store.Append(context.Background(), group, stream, []remora.LogEvent{{Timestamp: at, Message: message}}); err != nil {
		t.Fatal(err)
	}
}

func TestPut(t *testing.T) {
	now := time.Now()
	c, _ := client(t, func() time.Time { return now })
	ctx, group, stream := t.Context(), aws.String("g"), aws.String("s")
	put := func(events ...types.InputLogEvent) (*cloudwatchlogs.PutLogEventsOutput, error) {
		return c.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events})
	}
	event := func(at time.Time, message string) types.InputLogEvent {
		return types.InputLogEvent{Timestamp: aws.Int64(at.UnixMilli()), Message: &message}
	}
	_, err := put(event(now, "m"))
	wantError(t, err, notFound, "The specified log group does not exist.")
	must[*cloudwatchlogs.CreateLogGroupOutput](t)(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}))
	_, err = put(event(now, "m"))
	wantError(t, err, notFound, "The specified log stream does not exist.")
	must[*cloudwatchlogs.CreateLogStreamOutput](t)(c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}))

	out := must[*cloudwatchlogs.PutLogEventsOutput](t)(put(event(now.Add(-15*24*time.Hour), "old"), event(now, "good"), event(now.Add(3*time.Hour), "new")))
	if r := out.RejectedLogEventsInfo; *out.NextSequenceToken == "" || r == nil || *r.TooOldLogEventEndIndex != 1 ||
		*r.TooNewLogEventStartIndex != 2 || r.ExpiredLogEventEndIndex != nil {
		t.Errorf("%+v", r)
	}
	must[*cloudwatchlogs.PutRetentionPolicyOutput](t)(c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(1)}))
	out = must[*cloudwatchlogs.PutLogEventsOutput](t)(put(event(now.Add(-25*time.Hour), "expired"), event(now, "better")))
	if r := out.RejectedLogEventsInfo; r == nil || *r.ExpiredLogEventEndIndex != 1 {
		t.Errorf("%+v", r)
	}
	if out = must[*cloudwatchlogs.PutLogEventsOutput](t)(put(event(now, "best"))); out.RejectedLogEventsInfo != nil {
		t.Errorf("%+v", out.RejectedLogEventsInfo)
	}
	got := must[*cloudwatchlogs.GetLogEventsOutput](t)(c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream}))
	if len(got.Events) != 3 || *got.Events[0].Message != "good" || *got.Events[0].Timestamp != now.UnixMilli() {
		t.Errorf("%+v", got.Events)
	}
	_, err = put(event(now, "a"), event(now.Add(-time.Second), "b"))
	wantError(t, err, invalid, "chronological order")
	_, err = put(event(now.Add(-23*time.Hour), "a"), event(now.Add(90*time.Minute), "b"))
	wantError(t, err, invalid, "24 hours")
	_, err = put(event(now, strings.Repeat("x", remora.MaxMessageBytes+1)))
	wantError(t, err, invalid, "Log event too large")
	_, err = put(event(now, strings.Repeat("x", 250_000)), event(now, strings.Repeat("x", 250_000)), event(now, strings.Repeat("x", 250_000)),
		event(now, strings.Repeat("x", 250_000)), event(now, strings.Repeat("x", 50_000)))
	wantError(t, err, invalid, "Upload too large")
	_, err = put(event(now, ""))
	wantError(t, err, invalid, "message")
}

func TestGet(t *testing.T) {
	c, store := client(t, time.Now)
	ctx := t.Context()
	in := cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")}
	_, err := c.GetLogEvents(ctx, &in)
	wantError(t, err, notFound, "The specified log group does not exist.")
	for i := range 10 {
		append1(t, store, "g", "s", time.UnixMilli(int64(1000+i)), fmt.Sprint(i))
	}
	append1(t, store, "g", "other", time.UnixMilli(1), "m")
	_, err = c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: in.LogGroupName, LogStreamName: aws.String("missing")})
	wantError(t, err, notFound, "The specified log stream does not exist.")

	get := func(in cloudwatchlogs.GetLogEventsInput) (string, *cloudwatchlogs.GetLogEventsOutput) {
		t.Helper()
		out := must[*cloudwatchlogs.GetLogEventsOutput](t)(c.GetLogEvents(ctx, &in))
		var text string
		for _, e := range out.Events {
			text += *e.Message
		}
		if !strings.HasPrefix(*out.NextForwardToken, "f/") || !strings.HasPrefix(*out.NextBackwardToken, "b/") {
			t.Errorf("tokens %s and %s", *out.NextForwardToken, *out.NextBackwardToken)
		}
		return text, out
	}
	in.Limit = aws.Int32(4)
	text, out := get(in)
	if text != "6789" {
		t.Errorf("the newest are %s", text)
	}
	in.NextToken = out.NextBackwardToken
	if text, _ = get(in); text != "2345" {
		t.Errorf("before them are %s", text)
	}
	in.NextToken, in.StartFromHead = nil, aws.Bool(true)
	var all string
	for range 20 {
		text, out = get(in)
		all += text
		if in.NextToken != nil && *out.NextForwardToken == *in.NextToken {
			break
		}
		in.NextToken = out.NextForwardToken
	}
	if all != "0123456789" || text != "" {
		t.Errorf("all are %s, and at the end there is %q", all, text)
	}
	append1(t, store, "g", "s", time.UnixMilli(2000), "x")
	if text, _ = get(in); text != "x" {
		t.Errorf("what is new is %q", text)
	}
	in.NextToken, in.StartTime, in.EndTime = nil, aws.Int64(1003), aws.Int64(1005)
	if text, _ = get(in); text != "34" {
		t.Errorf("in the window are %s", text)
	}
	for _, bad := range []string{"f/x", "x", "b/" + (*out.NextForwardToken)[2:], "f/"} {
		in.NextToken = &bad
		_, err = c.GetLogEvents(ctx, &in)
		wantError(t, err, invalid, "The specified nextToken is invalid.")
	}
	in.LogStreamName, in.NextToken = aws.String("other"), out.NextForwardToken
	_, err = c.GetLogEvents(ctx, &in)
	wantError(t, err, invalid, "The specified nextToken is invalid.")
}

func TestFilter(t *testing.T) {
	c, store := client(t, time.Now)
	ctx := t.Context()
	for i := range 30 {
		level := "INFO"
		if i%5 == 0 {
			level = "ERROR"
		}
		append1(t, store, "g", fmt.Sprintf("jr_%d", i%3), time.UnixMilli(int64(1000+i)), fmt.Sprintf("%s line_%02d", level, i))
	}
	filter := func(in cloudwatchlogs.FilterLogEventsInput) (got []string) {
		t.Helper()
		in.LogGroupName = aws.String("g")
		ids := map[string]bool{}
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &in)
		for pages.HasMorePages() {
			for _, e := range must[*cloudwatchlogs.FilterLogEventsOutput](t)(pages.NextPage(ctx)).Events {
				got = append(got, (*e.Message)[len(*e.Message)-2:])
				if ids[*e.EventId] || *e.LogStreamName == "" || *e.IngestionTime == 0 {
					t.Errorf("%+v", e)
				}
				ids[*e.EventId] = true
			}
		}
		return got
	}
	for want, in := range map[string]cloudwatchlogs.FilterLogEventsInput{
		"00 05 10 15 20 25": {FilterPattern: aws.String("ERROR"), Limit: aws.Int32(4), Interleaved: aws.Bool(true)},
		"05 06 07":          {StartTime: aws.Int64(1005), EndTime: aws.Int64(1007)},
		"00 03 06":          {LogStreamNames: []string{"jr_0"}, EndTime: aws.Int64(1006)},
		"02 05":             {LogStreamNamePrefix: aws.String("jr_2"), EndTime: aws.Int64(1006)},
		"":                  {LogStreamNamePrefix: aws.String("x")},
	} {
		if got := strings.Join(filter(in), " "); got != want {
			t.Errorf("found %s, want %s", got, want)
		}
	}
	for text, in := range map[string]cloudwatchlogs.FilterLogEventsInput{
		"JSON and space-delimited": {FilterPattern: aws.String("{ $.a = 1 }")},
		"mutually exclusive":       {LogStreamNames: []string{"a"}, LogStreamNamePrefix: aws.String("a")},
		"startFromHead":            {StartFromHead: aws.Bool(false)},
		"nextToken":                {NextToken: aws.String("x")},
	} {
		in.LogGroupName = aws.String("g")
		_, err := c.FilterLogEvents(ctx, &in)
		wantError(t, err, invalid, text)
	}
	_, err := c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), LogStreamNames: []string{"missing"}})
	wantError(t, err, notFound, "The specified log stream does not exist.")
	_, err = c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("missing")})
	wantError(t, err, notFound, "The specified log group does not exist.")
	_, err = c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{})
	wantError(t, err, invalid, "logGroupName or logGroupIdentifier")
}

// TestTail polls as `aws logs tail --follow` does: all pages, then again on from
// the newest event's time, which is included, dropping the ids it has seen.
func TestTail(t *testing.T) {
	c, store := client(t, time.Now)
	start, seen := int64(1), map[string]bool{}
	var got []string
	for i := range 40 {
		append1(t, store, "g", fmt.Sprintf("s%d", i%4), time.UnixMilli(int64(1000+i/8)), fmt.Sprint(i))
		if i%3 > 0 {
			continue
		}
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"),
			StartTime: &start, Interleaved: aws.Bool(true), Limit: aws.Int32(3)})
		newest := start
		for pages.HasMorePages() {
			for _, e := range must[*cloudwatchlogs.FilterLogEventsOutput](t)(pages.NextPage(t.Context())).Events {
				if !seen[*e.EventId] {
					got = append(got, *e.Message)
				}
				seen[*e.EventId], newest = true, max(newest, *e.Timestamp)
			}
		}
		start = newest
	}
	if len(got) != 40 || len(seen) != 40 {
		t.Errorf("%d events: %v", len(got), got)
	}
}
