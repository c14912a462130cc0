package awsjson

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/remora-project/remora/api/awsmodel/glue"
)

// What is encoded is JSON, and decodes to the same value.
func TestRoundTrip(t *testing.T) {
	eachStructure(t, func(t *testing.T, p *plan) {
		r := rand.New(rand.NewPCG(1, uint64(len(p.typ.Name()))))
		for range 30 {
			v := reflect.New(p.typ)
			randomStructure(r, v.Elem(), p, 4)
			text, err := Encode(v.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(text) {
				t.Fatalf("not JSON: %s", text)
			}
			back := reflect.New(p.typ)
			if err := Decode(text, back.Interface()); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if !reflect.DeepEqual(back.Interface(), v.Interface()) {
				again, _ := Encode(back.Interface())
				t.Fatalf("got\n%s\nwant\n%s", again, text)
			}
		}
	})
}

// The standard library's decoder reads the same values.
func TestEncodeAgainstStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 1000 {
		args := map[string]string{}
		for range 3 {
			args[randomText(r)] = randomText(r)
		}
		capacity := r.NormFloat64() * math.Pow(10, float64(r.IntN(80)-40))
		text, err := Encode(&glue.StartJobRunRequest{Arguments: args, MaxCapacity: &capacity})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Arguments   map[string]string
			MaxCapacity float64
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(got.Arguments, args) || got.MaxCapacity != capacity {
			t.Fatalf("got %v for %s", got, text)
		}
	}
}

func TestEncode(t *testing.T) {
	at := time.Date(2026, 4, 1, 12, 0, 0, 120_999_999, time.FixedZone("", 3600))
	tests := []struct {
		value any
		want  string
	}{
		{&glue.GetJobRequest{}, `{}`},
		{&glue.Job{Name: new("a<b>&\"\\\n\x01\u2028")}, "{\"Name\":\"a<b>&\\\"\\\\\\n\\u0001\u2028\"}"},
		{&glue.Job{Name: new("a\xffb\xc3")}, "{\"Name\":\"a\ufffdb\ufffd\"}"},
		{&glue.Job{CreatedOn: &at}, `{"CreatedOn":1775041200.12}`},
		{&glue.Job{CreatedOn: new(time.Unix(1775041200, 0))}, `{"CreatedOn":1775041200}`},
		{&glue.Job{CreatedOn: new(time.UnixMilli(-1))}, `{"CreatedOn":-0.001}`},
		{&glue.KafkaStreamingSourceOptions{StartingTimestamp: &at}, `{"StartingTimestamp":"2026-04-01T11:00:00.12Z"}`},
		{&glue.Job{MaxCapacity: new(10.0)}, `{"MaxCapacity":10}`},
		{&glue.Job{MaxCapacity: new(0.0625)}, `{"MaxCapacity":0.0625}`},
		{&glue.Job{MaxCapacity: new(12345678901.0)}, `{"MaxCapacity":12345678901}`},
		{&glue.Job{MaxCapacity: new(1e300)}, `{"MaxCapacity":1e+300}`},
		{&glue.Job{MaxCapacity: new(math.NaN())}, `{"MaxCapacity":"NaN"}`},
		{&glue.Job{MaxCapacity: new(math.Inf(-1))}, `{"MaxCapacity":"-Infinity"}`},
		{&glue.BatchGetJobsResponse{Jobs: []*glue.Job{}, JobsNotFound: []string{"a", ""}}, `{"Jobs":[],"JobsNotFound":["a",""]}`},
		{&glue.BatchGetJobsResponse{Jobs: []*glue.Job{{}}}, `{"Jobs":[{}]}`},
		{&glue.Job{DefaultArguments: map[string]string{}}, `{"DefaultArguments":{}}`},
		{&glue.Job{DefaultArguments: map[string]string{"b": "2", "a": "1"}}, `{"DefaultArguments":{"a":"1","b":"2"}}`},
	}
	for _, test := range tests {
		if got, err := Encode(test.value); err != nil || string(got) != test.want {
			t.Errorf("got %s, %v; want %s", got, err, test.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for want, value := range map[string]any{
		"BatchGetJobsResponse.Jobs: a nil structure among the elements":          &glue.BatchGetJobsResponse{Jobs: []*glue.Job{nil}},
		"Job.CreatedOn: time 12026-01-01 00:00:00 +0000 UTC is out of range":     &glue.Job{CreatedOn: new(time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC))},
		"GetJobResponse.Job: Job.LastModifiedOn: time 0000-12-31 23:00:00 +0000": &glue.GetJobResponse{Job: &glue.Job{LastModifiedOn: new(time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)))}},
	} {
		if _, err := Encode(value); err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// A type that was not generated is a mistake in the program.
func TestForeignTypesPanic(t *testing.T) {
	for _, v := range []any{nil, 1, "a", new(int), struct{}{}, new(struct{ A string }), glue.Job{}, (*glue.Job)(nil)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T: no panic", v)
				}
			}()
			Encode(v)
		}()
	}
}
