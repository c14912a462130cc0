package awsjson

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/api/awsmodel/logs"
)

type exchange struct{ in, out awsmodel.Structure }

// exchanges are the inputs and outputs of all generated operations.
var exchanges = map[string]map[string]exchange{
	"glue": {
		"CreateJob":       {new(glue.CreateJobRequest), new(glue.CreateJobResponse)},
		"GetJob":          {new(glue.GetJobRequest), new(glue.GetJobResponse)},
		"GetJobs":         {new(glue.GetJobsRequest), new(glue.GetJobsResponse)},
		"ListJobs":        {new(glue.ListJobsRequest), new(glue.ListJobsResponse)},
		"BatchGetJobs":    {new(glue.BatchGetJobsRequest), new(glue.BatchGetJobsResponse)},
		"UpdateJob":       {new(glue.UpdateJobRequest), new(glue.UpdateJobResponse)},
		"DeleteJob":       {new(glue.DeleteJobRequest), new(glue.DeleteJobResponse)},
		"StartJobRun":     {new(glue.StartJobRunRequest), new(glue.StartJobRunResponse)},
		"GetJobRun":       {new(glue.GetJobRunRequest), new(glue.GetJobRunResponse)},
		"GetJobRuns":      {new(glue.GetJobRunsRequest), new(glue.GetJobRunsResponse)},
		"BatchStopJobRun": {new(glue.BatchStopJobRunRequest), new(glue.BatchStopJobRunResponse)},
		"TagResource":     {new(glue.TagResourceRequest), new(glue.TagResourceResponse)},
		"UntagResource":   {new(glue.UntagResourceRequest), new(glue.UntagResourceResponse)},
		"GetTags":         {new(glue.GetTagsRequest), new(glue.GetTagsResponse)},
		"CreateSession":   {new(glue.CreateSessionRequest), new(glue.CreateSessionResponse)},
		"GetSession":      {new(glue.GetSessionRequest), new(glue.GetSessionResponse)},
		"ListSessions":    {new(glue.ListSessionsRequest), new(glue.ListSessionsResponse)},
		"StopSession":     {new(glue.StopSessionRequest), new(glue.StopSessionResponse)},
		"DeleteSession":   {new(glue.DeleteSessionRequest), new(glue.DeleteSessionResponse)},
		"RunStatement":    {new(glue.RunStatementRequest), new(glue.RunStatementResponse)},
		"GetStatement":    {new(glue.GetStatementRequest), new(glue.GetStatementResponse)},
		"ListStatements":  {new(glue.ListStatementsRequest), new(glue.ListStatementsResponse)},
		"CancelStatement": {new(glue.CancelStatementRequest), new(glue.CancelStatementResponse)},
	},
	"logs": {
		"CreateLogGroup":        {new(logs.CreateLogGroupRequest), new(awsmodel.None)},
		"DeleteLogGroup":        {new(logs.DeleteLogGroupRequest), new(awsmodel.None)},
		"CreateLogStream":       {new(logs.CreateLogStreamRequest), new(awsmodel.None)},
		"DeleteLogStream":       {new(logs.DeleteLogStreamRequest), new(awsmodel.None)},
		"DescribeLogGroups":     {new(logs.DescribeLogGroupsRequest), new(logs.DescribeLogGroupsResponse)},
		"DescribeLogStreams":    {new(logs.DescribeLogStreamsRequest), new(logs.DescribeLogStreamsResponse)},
		"GetLogEvents":          {new(logs.GetLogEventsRequest), new(logs.GetLogEventsResponse)},
		"FilterLogEvents":       {new(logs.FilterLogEventsRequest), new(logs.FilterLogEventsResponse)},
		"PutLogEvents":          {new(logs.PutLogEventsRequest), new(logs.PutLogEventsResponse)},
		"PutRetentionPolicy":    {new(logs.PutRetentionPolicyRequest), new(awsmodel.None)},
		"DeleteRetentionPolicy": {new(logs.DeleteRetentionPolicyRequest), new(awsmodel.None)},
	},
}

// structures are all types that the exchanges are made of, by name.
var structures = func() map[string]reflect.Type {
	all := make(map[string]reflect.Type)
	var visit func(n node)
	visit = func(n node) {
		if n.elem != nil {
			visit(*n.elem)
		}
		if n.kind != kindStructure || all[n.typ.String()] != nil {
			return
		}
		all[n.typ.String()] = n.typ
		for _, f := range planOf(n.typ).fields {
			visit(f.node)
		}
	}
	for _, ops := range exchanges {
		for _, x := range ops {
			visit(nodeOf(reflect.TypeOf(x.in)))
			visit(nodeOf(reflect.TypeOf(x.out)))
		}
	}
	return all
}()

func TestExchangesAreAllOperations(t *testing.T) {
	for service, errors := range map[string]map[string][]string{"glue": glue.OperationErrors, "logs": logs.OperationErrors} {
		want := slices.Sorted(maps.Keys(errors))
		if got := slices.Sorted(maps.Keys(exchanges[service])); !slices.Equal(got, want) {
			t.Errorf("%s: the tests know the operations %v, generated are %v", service, got, want)
		}
	}
	if n := len(structures); n < 200 {
		t.Errorf("only %d structures were found", n)
	}
}

// eachStructure runs a test for every generated structure.
func eachStructure(t *testing.T, test func(t *testing.T, p *plan)) {
	for _, name := range slices.Sorted(maps.Keys(structures)) {
		t.Run(name, func(t *testing.T) { test(t, planOf(structures[name])) })
	}
}

// random fills v, a value of the node, with something. depth bounds what it
// contains.
func random(r *rand.Rand, v reflect.Value, n *node, iso bool, depth int) {
	if n.ptr {
		v.Set(reflect.New(n.typ.Elem()))
		v = v.Elem()
	}
	switch n.kind {
	case kindString:
		v.SetString(randomText(r))
	case kindInt32:
		v.SetInt(int64(int32(r.Uint32())))
	case kindInt64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case kindFloat:
		v.SetFloat(r.NormFloat64() * []float64{1, 1e-9, 1e9, 1e30}[r.IntN(4)])
	case kindBool:
		v.SetBool(r.IntN(2) == 0)
	case kindTime:
		span := maxTime.UnixMilli() - minTime.UnixMilli()
		v.Set(reflect.ValueOf(time.UnixMilli(minTime.UnixMilli() + r.Int64N(span+1)).UTC()))
	case kindList:
		size := r.IntN(3)
		v.Set(reflect.MakeSlice(n.typ, size, size))
		for i := range size {
			random(r, v.Index(i), n.elem, false, depth-1)
		}
	case kindMap:
		v.Set(reflect.MakeMap(n.typ))
		for range r.IntN(3) {
			elem := reflect.New(n.typ.Elem()).Elem()
			random(r, elem, n.elem, false, depth-1)
			v.SetMapIndex(reflect.ValueOf(randomText(r)), elem)
		}
	case kindStructure:
		v.Set(reflect.New(n.typ))
		randomStructure(r, v.Elem(), planOf(n.typ), depth-1)
	}
}

func randomStructure(r *rand.Rand, v reflect.Value, p *plan, depth int) {
	for i := range p.fields {
		if depth > 0 && r.IntN(3) > 0 {
			random(r, v.Field(i), &p.fields[i].node, p.fields[i].ISO8601, depth)
		}
	}
}

var pieces = []string{"", "a", "Zz", "\"", "\\", "/", "\n\r\t", "\x00\x1f\x7f", "<>&", "é", "\u2028", "\ufffd", "😀", "ключ", "null"}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(4) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}
