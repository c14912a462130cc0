package awsjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	"github.com/remora-project/remora/api/awsmodel/glue"
	"github.com/remora-project/remora/api/awsmodel/logs"
)

// Decode never panics; it accepts nothing that is not JSON, and what it accepts
// it encodes to something that decodes and encodes to itself.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{fullJob, `{}`, ``, `{"JobName":"a","Arguments":{"--x":"\ud83d\ude00"},"MaxCapacity":1e2}`,
		`{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1,"message":"a"}]}`,
		`{"Job":{"CreatedOn":1775044800.123,"CodeGenConfigurationNodes":{"n":{"SelectFields":{"Paths":[["a"]]}}}}}`,
		`{"StartingTimestamp":"2026-04-01T12:00:00Z","MaxCapacity":"NaN"}`, `{"Name":"a","Name":null,"x":[[],{"y":-0.0}]}`} {
		f.Add([]byte(seed))
	}
	types := []awsmodel.Structure{new(glue.CreateJobRequest), new(glue.GetJobResponse), new(glue.StartJobRunRequest),
		new(glue.CreateSessionRequest), new(glue.KafkaStreamingSourceOptions), new(logs.PutLogEventsRequest), new(logs.FilterLogEventsResponse)}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, typ := range types {
			v := reflect.New(reflect.TypeOf(typ).Elem()).Interface()
			if err := Decode(text, v); err != nil {
				if f, ok := errors.AsType[*Fault](err); !ok || f.Code != CodeSerialization || len(f.Message) > 4096 {
					t.Fatalf("%T: got %v", v, err)
				}
				continue
			}
			if len(bytes.TrimLeft(text, " \t\r\n")) > 0 && !json.Valid(text) {
				t.Fatalf("%T: accepted what is no JSON", v)
			}
			Validate(v)
			once, err := Encode(v)
			if err != nil {
				t.Fatalf("%T: %v", v, err)
			}
			again := reflect.New(reflect.TypeOf(typ).Elem()).Interface()
			if err := Decode(once, again); err != nil {
				t.Fatalf("%T: %v\n%s", v, err, once)
			}
			if twice, err := Encode(again); err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%T: %v\n%s\n%s", v, err, once, twice)
			}
		}
	})
}

// A token that is accepted is the one that Encode makes.
func FuzzToken(f *testing.F) {
	tokens := testTokens()
	f.Add("s", tokens.Encode("s", "cursor"))
	f.Add("s", tokens.Encode("t", "cursor"))
	f.Add("", "")
	f.Add("x", "AQ")
	f.Fuzz(func(t *testing.T, scope, token string) {
		c, err := tokens.Decode(scope, token)
		if err != nil {
			if c != "" || remora.KindOf(err) != remora.InvalidPageToken {
				t.Fatalf("got %q, %v", c, err)
			}
		} else if got := tokens.Encode(scope, c); got != token {
			t.Fatalf("token %q is accepted and %q is made", token, got)
		}
		if len(scope) > 0 && len(scope) <= maxCursor {
			made := tokens.Encode(token, remora.Cursor(scope))
			if back, err := tokens.Decode(token, made); err != nil || back != remora.Cursor(scope) {
				t.Fatalf("got %q, %v", back, err)
			}
		}
	})
}
