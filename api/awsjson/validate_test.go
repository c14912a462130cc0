package awsjson

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/api/awsmodel/logs"
)

func TestValidate(t *testing.T) {
	command := &glue.JobCommand{}
	long := strings.Repeat("é", 256)
	tests := []struct {
		value any
		want  []string // after "N validation errors detected: "; nil for none
	}{
		{&glue.GetJobRequest{JobName: new("a")}, nil},
		{&glue.GetJobRequest{JobName: new(long[:2*255])}, nil}, // characters count, not bytes
		{&glue.GetJobRequest{}, []string{`Value null at 'jobName' failed to satisfy constraint: Member must not be null`}},
		{&glue.GetJobRequest{JobName: new("")},
			[]string{`Value '' at 'jobName' failed to satisfy constraint: Member must have length greater than or equal to 1`}},
		{&glue.GetJobRequest{JobName: &long}, []string{`Value '` + long[:128] +
			`...' at 'jobName' failed to satisfy constraint: Member must have length less than or equal to 255`}},
		{&logs.DescribeLogGroupsRequest{LogGroupNamePrefix: new("")}, []string{
			`Value '' at 'logGroupNamePrefix' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`,
			`Value '' at 'logGroupNamePrefix' failed to satisfy constraint: Member must have length greater than or equal to 1`}},
		{&glue.CreateJobRequest{Name: new("a"), Command: command, Timeout: new(int32(0)), WorkerType: new("Z.3X")}, []string{
			`Value null at 'role' failed to satisfy constraint: Member must not be null`,
			`Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1`,
			`Value 'Z.3X' at 'workerType' failed to satisfy constraint: Member must satisfy enum value set: [Standard, G.1X, G.2X, G.025X, G.4X, G.8X, Z.2X]`}},
		{&glue.GetJobRunsRequest{JobName: new("a"), MaxResults: new(int32(201))}, []string{
			`Value '201' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 200`}},
		// Of elements, the list as a whole is told.
		{&glue.BatchStopJobRunRequest{JobName: new("a"), JobRunIds: []string{}}, []string{
			`Value '[]' at 'jobRunIds' failed to satisfy constraint: Member must have length greater than or equal to 1`}},
		{&glue.BatchStopJobRunRequest{JobName: new("a"), JobRunIds: []string{"x", "a\nb"}}, []string{
			"Value '[x, a\nb]' at 'jobRunIds' failed to satisfy constraint: Member must satisfy constraint: [" +
				`Member must satisfy regular expression pattern: [\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*, ` +
				`Member must have length greater than or equal to 1, Member must have length less than or equal to 255]`}},
		{&glue.TagResourceRequest{ResourceArn: new("arn:aws:glue:r::job/a"), TagsToAdd: map[string]string{"": "v", "k": strings.Repeat("v", 257)}}, []string{
			`Value '{=v, k=` + strings.Repeat("v", 121) + `...' at 'tagsToAdd' failed to satisfy constraint: Map keys must satisfy constraint: [` +
				`Member must have length greater than or equal to 1, Member must have length less than or equal to 128]`,
			`Value '{=v, k=` + strings.Repeat("v", 121) + `...' at 'tagsToAdd' failed to satisfy constraint: Map value must satisfy constraint: [` +
				`Member must have length less than or equal to 256]`}},
		// Structures within lists and maps have paths.
		{&logs.PutLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: []*logs.InputLogEvent{
			{Timestamp: new(int64(1)), Message: new("a")}, {Timestamp: new(int64(-1))}}}, []string{
			`Value '-1' at 'logEvents.2.member.timestamp' failed to satisfy constraint: Member must have value greater than or equal to 0`,
			`Value null at 'logEvents.2.member.message' failed to satisfy constraint: Member must not be null`}},
		{&logs.PutLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: make([]*logs.InputLogEvent, 10001)}, []string{
			`Value '[` + strings.Repeat("{...}, ", 18) + `{...` + `' at 'logEvents' failed to satisfy constraint: Member must have length less than or equal to 10000`}},
		{&glue.UpdateJobRequest{JobName: new("j"), JobUpdate: &glue.JobUpdate{CodeGenConfigurationNodes: map[string]*glue.CodeGenConfigurationNode{
			"n": {SelectFields: &glue.SelectFields{Name: new("x"), Inputs: []string{"n"}}}}}}, []string{
			`Value null at 'jobUpdate.codeGenConfigurationNodes.n.member.selectFields.paths' failed to satisfy constraint: Member must not be null`}},
	}
	for _, test := range tests {
		err := Validate(test.value)
		if test.want == nil {
			if err != nil {
				t.Errorf("got %v", err)
			}
			continue
		}
		noun := "errors"
		if len(test.want) == 1 {
			noun = "error"
		}
		want := fmt.Sprintf("%d validation %s detected: %s", len(test.want), noun, strings.Join(test.want, "; "))
		if f, ok := errors.AsType[*Fault](err); !ok || f.Code != "ValidationException" || f.Status != 400 || f.Message != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestValidateShowsSome(t *testing.T) {
	in := &logs.PutLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s")}
	for range 5000 {
		in.LogEvents = append(in.LogEvents, new(logs.InputLogEvent))
	}
	err := Validate(in)
	if err == nil || !strings.Contains(err.Error(), "10000 validation errors detected: ") || !strings.HasSuffix(err.Error(), "; and 9980 more") {
		t.Errorf("got %v", err)
	}
}

// candidates are strings one of which satisfies each pattern of the models, and
// one of which does not.
var candidates = []string{"a", "A", "1", "3.9", "Mon:5", "123456789012", "arn:aws:glue:r:1:job/a", "arn:aws:iam::0:role/a",
	"a.b", "s3://a", "", " ", "\n", "\r\n", "\x00", "\x1f", "é*:#", "a:*"}

// everything is a pattern that every string satisfies.
const everything = `[\s\S]*`

// Each constraint of the models accepts a value and refuses another.
func TestEveryConstraint(t *testing.T) {
	patterns := make(map[string]bool)
	eachStructure(t, func(t *testing.T, p *plan) {
		for i := range p.fields {
			f := &p.fields[i]
			if f.Required {
				expectViolation(t, p, i, reflect.Zero(p.typ.Field(i).Type), "Member must not be null")
			}
			if f.Rule == nil {
				continue
			}
			eachRule(&f.node, f.Rule, func(v reflect.Value) reflect.Value { return v }, func(r *awsmodel.Rule, n *node, wrap func(reflect.Value) reflect.Value) {
				good, bad := samples(t, n, r)
				if r.Pattern != nil {
					patterns[r.Pattern.String()] = true
				}
				for _, v := range good {
					expectNoViolation(t, p, i, wrap(v))
				}
				for words, v := range bad {
					expectViolation(t, p, i, wrap(v), words)
				}
			})
		}
	})
	if len(patterns) < 15 {
		t.Errorf("only %d patterns were tried", len(patterns))
	}
}

// eachRule calls visit with the rule of a member and those of what it contains.
// wrap puts a value of the node into one of the member's type.
func eachRule(n *node, r *awsmodel.Rule, wrap func(reflect.Value) reflect.Value, visit func(*awsmodel.Rule, *node, func(reflect.Value) reflect.Value)) {
	if r == nil {
		return
	}
	visit(r, n, wrap)
	list := func(v reflect.Value) reflect.Value {
		l := reflect.MakeSlice(n.typ, 0, 1)
		for range sizeOf(r) {
			l = reflect.Append(l, v)
		}
		return wrap(l)
	}
	pair := func(key, value reflect.Value) reflect.Value {
		m := reflect.MakeMap(n.typ)
		m.SetMapIndex(key, value)
		grow(m, n, r, sizeOf(r))
		return wrap(m)
	}
	switch n.kind {
	case kindList:
		eachRule(n.elem, r.Elem, list, visit)
	case kindMap:
		text := node{kind: kindString, typ: reflect.TypeFor[string]()}
		eachRule(&text, r.Key, func(v reflect.Value) reflect.Value { return pair(v, sample(n.elem, r.Elem)) }, visit)
		eachRule(n.elem, r.Elem, func(v reflect.Value) reflect.Value { return pair(sample(&text, r.Key), v) }, visit)
	}
}

func sizeOf(r *awsmodel.Rule) int64 { return max(1, awsmodel.Value(r.Min)) }

func expectViolation(t *testing.T, p *plan, i int, v reflect.Value, words string) {
	t.Helper()
	if got := violations(p, i, v); !strings.Contains(got, words) {
		t.Errorf("%s: %v: got %q, want %q", p.fields[i].Name, v, got, words)
	}
}

func expectNoViolation(t *testing.T, p *plan, i int, v reflect.Value) {
	t.Helper()
	if got := violations(p, i, v); got != "" {
		t.Errorf("%s: %v: got %q", p.fields[i].Name, v, got)
	}
}

// violations returns what Validate says of member i with the value v.
func violations(p *plan, i int, v reflect.Value) string {
	s := reflect.New(p.typ)
	s.Elem().Field(i).Set(v)
	err := Validate(s.Interface())
	if err == nil {
		return ""
	}
	var found []string
	for part := range strings.SplitSeq(err.(*Fault).Message, "; ") {
		if strings.Contains(part, " at '"+lowerFirst(p.fields[i].Name)+"' ") {
			found = append(found, part)
		}
	}
	return strings.Join(found, "; ")
}
