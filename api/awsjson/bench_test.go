package awsjson

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/remora-project/remora/api/awsmodel/glue"
)

// The standard library's decoder, which does not check types by name nor bound
// what it takes, is the peer.
func BenchmarkDecode(b *testing.B) {
	b.Run("awsjson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Decode([]byte(fullJob), new(glue.CreateJobRequest)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := json.Unmarshal([]byte(fullJob), new(glue.CreateJobRequest)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	job := new(glue.CreateJobRequest)
	if err := Decode([]byte(fullJob), job); err != nil {
		b.Fatal(err)
	}
	b.Run("awsjson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Encode(job); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(job); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	job := new(glue.CreateJobRequest)
	if err := Decode([]byte(fullJob), job); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Validate(job); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkServeGetJob is a whole request but for HTTP and the store.
func BenchmarkServeGetJob(b *testing.B) {
	job := new(glue.Job)
	if err := Decode([]byte(fullJob), job); err != nil {
		b.Fatal(err)
	}
	s := NewService(glue.TargetPrefix, glue.SigningName, glue.Operations,
		Op("GetJob", func(context.Context, *glue.GetJobRequest) (*glue.GetJobResponse, error) {
			return &glue.GetJobResponse{Job: job}, nil
		}))
	r := httptest.NewRequest("POST", "/", nil)
	body := []byte(`{"JobName":"nightly"}`)
	b.ReportAllocs()
	for b.Loop() {
		s.Serve(httptest.NewRecorder(), r, "GetJob", body)
	}
}
