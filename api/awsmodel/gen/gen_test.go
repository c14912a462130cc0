package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The generated files are those that the generator would write now.
func TestGeneratedIsUpToDate(t *testing.T) {
	data := os.Getenv("REMORA_BOTOCORE_DATA")
	if data == "" {
		t.Skipf("REMORA_BOTOCORE_DATA is not set to the data folder of botocore %s", pinned)
	}
	files, err := generate(data)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		} else if string(got) != string(want) {
			t.Errorf("%s is not what the generator writes: run go generate ./api/awsmodel", name)
		}
	}
	for _, s := range services {
		there, err := filepath.Glob(filepath.Join("..", s.Package, "*_gen.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range there {
			if _, ok := files[s.Package+"/"+filepath.Base(path)]; !ok {
				t.Errorf("%s is left over: the generator does not write it", path)
			}
		}
	}
}

// A small model with everything that the generator handles.
const smallModel = `{
	"metadata": {"targetPrefix": "Test_1", "endpointPrefix": "test"},
	"operations": {
		"Get": {"input": {"shape": "In"}, "output": {"shape": "Tree"}, "errors": [{"shape": "Bad"}]},
		"Other": {"input": {"shape": "Unreachable"}}
	},
	"shapes": {
		"In": {"type": "structure", "required": ["name"], "members": {
			"name": {"shape": "Name", "documentation": "PROSE"},
			"b": {"shape": "Names"}, "a": {"shape": "Count"}, "when": {"shape": "When"}, "iso": {"shape": "Iso"}}},
		"Tree": {"type": "structure", "documentation": "PROSE", "members": {"Children": {"shape": "Trees"}, "Kinds": {"shape": "Kinds"}}},
		"Trees": {"type": "list", "member": {"shape": "Tree"}},
		"Names": {"type": "list", "member": {"shape": "Name"}},
		"Kinds": {"type": "map", "key": {"shape": "Kind"}, "value": {"shape": "Names"}},
		"Name": {"type": "string", "min": 0, "max": 5, "pattern": "[\\u0020-\\uD7FF]*"},
		"Kind": {"type": "string", "enum": ["G.1X", "IN_PROGRESS", "camelCase"]},
		"Count": {"type": "integer", "min": 0},
		"When": {"type": "timestamp"},
		"Iso": {"type": "timestamp", "timestampFormat": "iso8601"},
		"Bad": {"type": "structure", "exception": true, "fault": true, "members": {"message": {"shape": "Name"}}},
		"Unreachable": {"type": "structure", "union": true, "members": {}}
	}
}`

func emitSmall(t *testing.T, text string, s service) (string, error) {
	t.Helper()
	m := new(model)
	if err := json.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	s.Package = "test"
	s.Operations = []string{"Get"}
	files, err := emit(s, m)
	var all strings.Builder
	for _, f := range files {
		all.Write(f)
	}
	return strings.Join(strings.Fields(all.String()), " "), err
}

func TestEmit(t *testing.T) {
	got, err := emitSmall(t, smallModel, service{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`type In struct { Name *string B []string A *int32 When *time.Time Iso *time.Time }`,
		`type Tree struct { Children []*Tree Kinds map[string][]string }`,
		`{Name: "name", Required: true, Rule: &ruleName}, {Name: "b", Rule: &ruleNames}, {Name: "a", Rule: &ruleCount}, {Name: "when"}, {Name: "iso", ISO8601: true},`,
		`ruleName = awsmodel.Rule{ Max: new(int64(5)), Pattern: awsmodel.NewPattern("[\\u0020-\\uD7FF]*", "[\\x{20}-\\x{d7ff}]*"), }`,
		`ruleCount = awsmodel.Rule{ Min: new(int64(0)), }`,
		`ruleKinds = awsmodel.Rule{ Key: &ruleKind, Elem: &ruleNames, }`,
		`KindG1x = "G.1X" KindInProgress = "IN_PROGRESS" KindCamelCase = "camelCase"`,
		`const TargetPrefix = "Test_1"`,
		`const SigningName = "test"`,
		`var Operations = []string{ "Get", "Other", }`,
		`"Get": { "Bad", },`,
		`"Bad": {Message: "message", Fault: true},`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the generated code does not have\n%s", want)
		}
	}
	for _, no := range []string{"PROSE", "Unreachable", "ruleTrees"} {
		if strings.Contains(got, no) {
			t.Errorf("the generated code has %q", no)
		}
	}
}

func TestEmitRefuses(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{`"type": "timestamp"}`, `"type": "blob"}`, `no type "blob"`},
		{`"iso8601"`, `"rfc822"`, `no time format "rfc822"`},
		{`{"shape": "Name", "documentation": "PROSE"}`, `{"shape": "Name", "jsonvalue": true}`, `In.name: shape Name: the generator does not know the traits ["jsonvalue"]`},
		{`"type": "structure", "documentation"`, `"union": true, "type": "structure", "documentation"`, `shape Tree: the generator does not know the traits ["union"]`},
		{`{"type": "list", "member": {"shape": "Name"}}`, `{"type": "list", "member": {"shape": "Names"}}`, "contains itself"},
		{`{"type": "list", "member": {"shape": "Name"}}`, `{"type": "list", "member": {"shape": "When"}}`, "no lists or maps of times"},
		{`"key": {"shape": "Kind"}`, `"key": {"shape": "Count"}`, "keys of type integer"},
		{`"max": 5`, `"max": 0.5`, "not an integer"},
		{`"camelCase"`, `"IN-PROGRESS"`, "are both named KindInProgress"},
		{`"camelCase"`, `"-"`, "no letters"},
		{`-\\uD7FF]*"`, `]*+"`, "possessive"},
		{`"a": {"shape": "Count"}`, `"1a": {"shape": "Count"}`, "no name in Go"},
		{`{"shape": "Trees"}`, `{"shape": "Nowhere"}`, "no shape Nowhere"},
		{`"Get": {`, `"Got": {`, "no operation Get"},
	}
	for _, test := range tests {
		text := strings.Replace(smallModel, test.old, test.new, 1)
		if text == smallModel {
			t.Fatalf("the model does not have %s", test.old)
		}
		if _, err := emitSmall(t, text, service{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", test.new, err, test.want)
		}
	}
}

func TestWithoutPattern(t *testing.T) {
	got, err := emitSmall(t, strings.Replace(smallModel, `-\\uD7FF]*"`, `]*+"`, 1),
		service{WithoutPattern: map[string]string{"Name": "possessive"}})
	if err != nil || strings.Contains(got, "NewPattern") {
		t.Errorf("a pattern that is listed was not left out: %v", err)
	}
	_, err = emitSmall(t, smallModel, service{WithoutPattern: map[string]string{"Count": "outdated"}})
	if err == nil || !strings.Contains(err.Error(), "Count is listed") {
		t.Errorf("an entry that is not needed: got %v", err)
	}
}

func TestAmended(t *testing.T) {
	got, err := emitSmall(t, smallModel, service{Amended: []amendment{
		{"Tree", "Label", "Name", "new"}, {"In", "a", "Name", "another shape"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`type Tree struct { Children []*Tree Kinds map[string][]string Label *string }`,
		`type In struct { Name *string B []string A *string When *time.Time Iso *time.Time }`,
		`{Name: "Label", Rule: &ruleName},`, `{Name: "a", Rule: &ruleName},`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the generated code does not have\n%s", want)
		}
	}
	for want, a := range map[string]amendment{
		"no structure Nowhere":         {"Nowhere", "a", "Name", ""},
		"no structure Names":           {"Names", "a", "Name", ""},
		"no shape Nowhere":             {"In", "a", "Nowhere", ""},
		"In.name is in the model as N": {"In", "name", "Name", "outdated"},
	} {
		if _, err := emitSmall(t, smallModel, service{Amended: []amendment{a}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got error %v, want %q", a, err, want)
		}
	}
}

func TestRelease(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := checkRelease(data); err == nil {
		t.Error("no __init__.py: want an error")
	}
	for version, ok := range map[string]bool{pinned: true, "1.0.0": false} {
		text := []byte("import os\n\n__version__ = '" + version + "'\n")
		if err := os.WriteFile(filepath.Join(dir, "__init__.py"), text, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := checkRelease(data); (err == nil) != ok {
			t.Errorf("release %s: got %v", version, err)
		}
	}
}
