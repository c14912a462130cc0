package awsjson

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/api/awsmodel/logs"
)

func TestDecode(t *testing.T) {
	tests := []struct {
		text string
		want any
	}{
		{``, &glue.Job{}},
		{" \r\n\t", &glue.Job{}},
		{`{}`, &glue.Job{}},
		{` { "Name" : "a" , "Timeout" : 5 } `, &glue.Job{Name: new("a"), Timeout: new(int32(5))}},
		{`{"Name":""}`, &glue.Job{Name: new("")}},
		{`{"Name":null,"Connections":null,"DefaultArguments":null,"MaxCapacity":null}`, &glue.Job{}},
		{`{"name":"a","NAME":"b","X":{"Name":[1,{"a":null}],"b":-1.5e-3},"Y":"\n","Z":[true,false,{},[]]}`, &glue.Job{}},
		{`{"N\u0061me":"a"}`, &glue.Job{Name: new("a")}},
		{`{"Name":"a","Name":"b"}`, &glue.Job{Name: new("b")}},
		{`{"Name":"a","Name":null}`, &glue.Job{}},
		{`{"ExecutionProperty":{"MaxConcurrentRuns":2},"ExecutionProperty":{}}`, &glue.Job{ExecutionProperty: &glue.ExecutionProperty{}}},
		{`{"Connections":{"Connections":["a","b"]},"Connections":{"Connections":["c"]}}`,
			&glue.Job{Connections: &glue.ConnectionsList{Connections: []string{"c"}}}},
		{`{"Connections":{"Connections":[]}}`, &glue.Job{Connections: &glue.ConnectionsList{Connections: []string{}}}},
		{`{"DefaultArguments":{}}`, &glue.Job{DefaultArguments: map[string]string{}}},
		{`{"DefaultArguments":{"a":"1","b":"2","a":"3","b":null,"c":null}}`, &glue.Job{DefaultArguments: map[string]string{"a": "3"}}},
		{`{"Name":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é😀<"}`, &glue.Job{Name: new("\"\\/\b\f\n\r\té😀 é😀<")}},
		{`{"JobRunQueuingEnabled":true}`, &glue.Job{JobRunQueuingEnabled: new(true)}},
		{`{"Timeout":1.0,"MaxRetries":-2e1,"NumberOfWorkers":100e-2,"AllocatedCapacity":0.0e999999999999999999999}`,
			&glue.Job{Timeout: new(int32(1)), MaxRetries: new(int32(-20)), NumberOfWorkers: new(int32(1)), AllocatedCapacity: new(int32(0))}},
		{`{"Timeout":-2147483648,"MaxRetries":2147483647}`, &glue.Job{Timeout: new(int32(math.MinInt32)), MaxRetries: new(int32(math.MaxInt32))}},
		{`{"MaxCapacity":10}`, &glue.Job{MaxCapacity: new(10.0)}},
		{`{"MaxCapacity":1e-400}`, &glue.Job{MaxCapacity: new(0.0)}},
		{`{"MaxCapacity":"-Infinity"}`, &glue.Job{MaxCapacity: new(math.Inf(-1))}},
		{`{"CreatedOn":1775044800.1234}`, &glue.Job{CreatedOn: new(time.UnixMilli(1775044800123).UTC())}},
		{`{"CreatedOn":1.775E9}`, &glue.Job{CreatedOn: new(time.Unix(1775000000, 0).UTC())}},
		{`{"StartingTimestamp":"2026-04-01T12:00:00.5+01:00"}`,
			&glue.KafkaStreamingSourceOptions{StartingTimestamp: new(time.Date(2026, 4, 1, 11, 0, 0, 5e8, time.UTC))}},
		{`{"logGroupName":"g","startTime":9223372036854775807,"endTime":-9223372036854775808}`,
			&logs.GetLogEventsRequest{LogGroupName: new("g"), StartTime: new(int64(math.MaxInt64)), EndTime: new(int64(math.MinInt64))}},
		{`{"startTime":9223372036854775807.0,"endTime":-922337203685477580.8e1}`,
			&logs.GetLogEventsRequest{StartTime: new(int64(math.MaxInt64)), EndTime: new(int64(math.MinInt64))}},
	}
	for _, test := range tests {
		got := reflect.New(reflect.TypeOf(test.want).Elem()).Interface()
		if err := Decode([]byte(test.text), got); err != nil {
			t.Errorf("%s: %v", test.text, err)
		} else if !reflect.DeepEqual(got, test.want) {
			text, _ := Encode(got)
			t.Errorf("%s: got %s", test.text, text)
		}
	}
}

func TestDecodeOverwrites(t *testing.T) {
	job := glue.Job{Name: new("old"), Role: new("old")}
	if err := Decode([]byte(`{"Name":"new"}`), &job); err != nil || *job.Name != "new" || job.Role != nil {
		t.Errorf("got %v, %v", job, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		// Other types than the model's.
		{`[]`, `the request's body: expected an object, found an array`},
		{`null`, `the request's body: expected an object, found null`},
		{`{"Name":5}`, `Name: expected a string, found a number`},
		{`{"Name":true}`, `Name: expected a string, found true`},
		{`{"Name":["a"]}`, `Name: expected a string, found an array`},
		{`{"Timeout":"5"}`, `Timeout: expected an integer, found a string`},
		{`{"MaxCapacity":"5"}`, `MaxCapacity: expected a number, found a string`},
		{`{"JobRunQueuingEnabled":"true"}`, `JobRunQueuingEnabled: expected a boolean, found a string`},
		{`{"JobRunQueuingEnabled":1}`, `JobRunQueuingEnabled: expected a boolean, found a number`},
		{`{"CreatedOn":"2026-04-01"}`, `CreatedOn: expected a time in seconds, found a string`},
		{`{"Command":"glueray"}`, `Command: expected an object, found a string`},
		{`{"Command":{"Name":{}}}`, `Command.Name: expected a string, found an object`},
		{`{"ExecutionProperty":{"MaxConcurrentRuns":[1]}}`, `ExecutionProperty.MaxConcurrentRuns: expected an integer, found an array`},
		{`{"Connections":{"Connections":"a"}}`, `Connections.Connections: expected an array, found a string`},
		{`{"Connections":{"Connections":["a",null]}}`, `Connections.Connections[1]: expected a string, found null`},
		{`{"DefaultArguments":["a"]}`, `DefaultArguments: expected an object, found an array`},
		{`{"DefaultArguments":{"--a":1}}`, `DefaultArguments["--a"]: expected a string, found a number`},
		{`{"CodeGenConfigurationNodes":{"n":{"SelectFields":{"Paths":[["a"],[1]]}}}}`,
			`CodeGenConfigurationNodes["n"].SelectFields.Paths[1][0]: expected a string, found a number`},
		// Values that the type cannot hold.
		{`{"Timeout":1.5}`, `Timeout: expected an integer of 32 bits, found 1.5, which is no integer`},
		{`{"Timeout":1e-1}`, `Timeout: expected an integer of 32 bits, found 1e-1, which is no integer`},
		{`{"Timeout":2147483648}`, `Timeout: expected an integer of 32 bits, found 2147483648, which is out of range`},
		{`{"Timeout":1e999999999999999999999}`, `Timeout: expected an integer of 32 bits, found 1e999999999999999999999, which is out of range`},
		{`{"Timeout":-1e-999999999999999999999}`, `Timeout: expected an integer of 32 bits, found -1e-999999999999999999999, which is no integer`},
		{`{"MaxCapacity":1e400}`, `MaxCapacity: expected a number, found 1e400, which is out of range`},
		{`{"CreatedOn":1e15}`, `CreatedOn: expected a time in seconds, found 1e15, which is out of range`},
		{`{"CreatedOn":1e999}`, `CreatedOn: expected a time in seconds, found 1e999, which is out of range`},
		// Text that is none.
		{"{\"Name\":\"a\xff\"}", `Name: the string at byte 8 is not UTF-8`},
		{"{\"Name\":\"\\n\xed\xa0\x80\"}", `Name: the string at byte 8 is not UTF-8`},
		{"{\"\xff\":1}", `the string at byte 1 is not UTF-8`},
		{`{"Name":"\ud800"}`, `Name: the escape at byte 9 is half of a surrogate pair`},
		{`{"Name":"\ude00\ud83d"}`, `Name: the escape at byte 9 is half of a surrogate pair`},
		{`{"Name":"\ud83dx"}`, `Name: the escape at byte 9 is half of a surrogate pair`},
		{`{"x":"\udc00"}`, `the escape at byte 6 is half of a surrogate pair`},
		// No JSON.
		{"\ufeff{}", `malformed JSON at byte 0: expected an object, found '\ufeff'`},
		{`{"Name":"a"} x`, `malformed JSON at byte 13: expected the end, found 'x'`},
		{`{"Name":"a"}{}`, `malformed JSON at byte 12: expected the end, found '{'`},
		{`{"Name":"a",}`, `malformed JSON at byte 12: expected a member's name in quotes, found '}'`},
		{`{,}`, `malformed JSON at byte 1: expected a member's name in quotes, found ','`},
		{`{Name:"a"}`, `malformed JSON at byte 1: expected a member's name in quotes, found 'N'`},
		{`{"Name" "a"}`, `malformed JSON at byte 8: expected ':', found '"'`},
		{`{"Name":}`, `malformed JSON at byte 8: expected a string, found '}'`},
		{`{"Name":'a'}`, `malformed JSON at byte 8: expected a string, found '\''`},
		{`{"Name":nul}`, `malformed JSON at byte 8: expected a string, found 'n'`},
		{`{"x":[1 2]}`, `malformed JSON at byte 8: expected ',' or ']', found '2'`},
		{`{"x":[1,]}`, `malformed JSON at byte 8: expected a value, found ']'`},
		{`{"x":[1}`, `malformed JSON at byte 7: expected ',' or ']', found '}'`},
		{`{"x":tru}`, `malformed JSON at byte 5: expected a value, found 't'`},
		{`{"x":truex}`, `malformed JSON at byte 9: expected ',' or '}', found 'x'`},
		{`{"x":01}`, `malformed JSON at byte 6: expected ',' or '}', found '1'`},
		{`{"x":-}`, `malformed JSON at byte 6: expected a digit, found '}'`},
		{`{"x":1.}`, `malformed JSON at byte 7: expected a digit, found '}'`},
		{`{"x":1e+}`, `malformed JSON at byte 8: expected a digit, found '}'`},
		{`{"Timeout":+1}`, `malformed JSON at byte 11: expected an integer, found '+'`},
		{`{"Timeout":-x}`, `Timeout: malformed JSON at byte 12: expected a digit, found 'x'`},
		{"{\"Name\":\"a\nb\"}", `Name: malformed JSON at byte 10: expected no control character in a string, found '\n'`},
		{`{"Name":"\x41"}`, `Name: malformed JSON at byte 9: expected an escape of JSON, found '\\'`},
		{`{"Name":"\u00g0"}`, `Name: malformed JSON at byte 9: expected an escape of the form \uXXXX, found '\\'`},
		{`{"Name":"a`, `Name: malformed JSON at byte 10: expected '"', found the end`},
		{"{\x80}", `malformed JSON at byte 1: expected a member's name in quotes, found the byte 0x80`},
		{"\x00", `malformed JSON at byte 0: expected an object, found '\x00'`},
	}
	for _, test := range tests {
		err := Decode([]byte(test.text), new(glue.CreateJobRequest))
		if strings.Contains(test.text, "CreatedOn") {
			err = Decode([]byte(test.text), new(glue.Job))
		}
		f, ok := errors.AsType[*Fault](err)
		if !ok {
			t.Errorf("%s: got %v, want a fault: %s", test.text, err, test.want)
		} else if f.Code != "SerializationException" || f.Status != 400 || f.Message != test.want {
			t.Errorf("%s: got %v, want %s", test.text, err, test.want)
		}
	}
	err := Decode([]byte(`{"StartingTimestamp":"yesterday"}`), new(glue.KafkaStreamingSourceOptions))
	if err == nil || !strings.Contains(err.Error(), `expected a time such as "2006-01-02T15:04:05Z", found "yesterday"`) {
		t.Errorf("got %v", err)
	}
}

const fullJob = `{"Name":"nightly \u00e9\ud83d\ude00","Role":"arn:aws:iam::000000000000:role/Any","Timeout":480,
	"Command":{"Name":"glueray","PythonVersion":"3.9","Runtime":"Ray2.4","ScriptLocation":"s3://b/k.py"},
	"DefaultArguments":{"--pip-install":"a,b","--x":"\n"},"MaxCapacity":1.5e1,"Unknown":[{"a":[1,-2.5E+3,true,false,null]}],
	"Connections":{"Connections":["a","b"]},"JobRunQueuingEnabled":true,"Tags":{}}`

// No beginning of a request is a request.
func TestDecodeTruncated(t *testing.T) {
	for i := 1; i < len(fullJob); i++ {
		err := Decode([]byte(fullJob[:i]), new(glue.CreateJobRequest))
		if _, ok := errors.AsType[*Fault](err); !ok {
			t.Fatalf("%s: got %v", fullJob[:i], err)
		}
	}
	if err := Decode([]byte(fullJob), new(glue.CreateJobRequest)); err != nil {
		t.Error(err)
	}
}

func TestDecodeNesting(t *testing.T) {
	nested := func(depth int, open, end string) []byte {
		return []byte(`{"x":` + strings.Repeat(open, depth-1) + "1" + strings.Repeat(end, depth-1) + `}`)
	}
	for _, b := range [][2]string{{`[`, `]`}, {`{"a":`, `}`}} {
		if err := Decode(nested(maxDepth, b[0], b[1]), new(glue.Job)); err != nil {
			t.Errorf("%d deep: %v", maxDepth, err)
		}
		if err := Decode(nested(maxDepth+1, b[0], b[1]), new(glue.Job)); err == nil || !strings.Contains(err.Error(), "nested more than 64 deep") {
			t.Errorf("%d deep: got %v", maxDepth+1, err)
		}
	}
	if err := Decode(bytes.Repeat([]byte(`{"x":[`), 1<<20), new(glue.Job)); err == nil {
		t.Error("deeply nested and not closed: want an error")
	}
}

// Bodies of 10 MB take time in proportion to their size, and bounded memory.
func TestDecodeLarge(t *testing.T) {
	const size = 10 << 20
	tests := map[string]struct {
		before, piece, after string
		want                 string // in the error; empty for none
	}{
		"a string":             {`{"Name":"`, "a", `"}`, ""},
		"escapes":              {`{"Name":"`, `\u00e9`, `"}`, ""},
		"not UTF-8 at the end": {`{"Name":"`, "é", "\xff\"}", "not UTF-8"},
		"an integer":           {`{"Timeout":1`, "0", `}`, "out of range"},
		"an integer of zeros":  {`{"Timeout":1.`, "0", `}`, ""},
		"an exponent":          {`{"Timeout":1e`, "9", `}`, "out of range"},
		"a float":              {`{"MaxCapacity":0.`, "1", `}`, ""},
		"unknown members":      {`{`, `"a":[],`, `"b":1}`, ""},
		"one member again":     {`{`, `"Name":"a",`, `"Name":"b"}`, "more than 131072 values"},
		"nulls":                {`{`, `"Name":null,`, `"Name":"b"}`, ""},
		"a map":                {`{"Tags":{`, `"a":"",`, `"b":""}}`, "more than 131072 values"},
		"structures":           {`{"CodeGenConfigurationNodes":{`, `"a":{},`, `"b":{}}}`, "more than 131072 values"},
		"white space":          {`{`, " ", `}`, ""},
		"brackets":             {``, "[", ``, "expected an object"},
		"quotes":               {`{"x":`, `"`, ``, "expected ',' or '}'"},
		"backslashes":          {`{"Name":"`, `\\`, ``, `found the end`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			body := []byte(test.before + strings.Repeat(test.piece, size/len(test.piece)) + test.after)
			err := Decode(body, new(glue.CreateJobRequest))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			case err != nil && len(err.Error()) > 300:
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestParseIntegerAgainstStandardLibrary(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 10, 1000, 123456789, math.MaxInt64, math.MinInt64, math.MaxInt64 / 10 * 10} {
		digits := strconv.FormatInt(n, 10)
		for _, text := range []string{digits, digits + ".0", digits + ".000e0", digits + "E+0", digits + "0e-1", digits + "000.00e-3"} {
			if got, problem := parseInteger([]byte(text)); got != n || problem != "" {
				t.Errorf("%s: got %d, %q", text, got, problem)
			}
		}
	}
	for _, text := range []string{"9223372036854775808", "-9223372036854775809", "922337203685477580.8e1", "1e19", "10000000000000000000.0"} {
		if got, problem := parseInteger([]byte(text)); problem != outOfRange {
			t.Errorf("%s: got %d, %q", text, got, problem)
		}
	}
}
