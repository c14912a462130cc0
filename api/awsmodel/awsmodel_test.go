package awsmodel_test

import (
	"testing"

	"github.com/remora-project/remora/api/awsmodel"
)

func TestPatternMatchesWhole(t *testing.T) {
	p := awsmodel.NewPattern(`a|b\u0063`, `a|bc`)
	for s, want := range map[string]bool{"a": true, "bc": true, "ab": false, "xa": false, "a\n": false, "": false} {
		if got := p.MatchString(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
	if got := p.String(); got != `a|b\u0063` {
		t.Errorf("got %s, want the service's own spelling", got)
	}
}

func TestValue(t *testing.T) {
	if awsmodel.Value[string](nil) != "" || awsmodel.Value(new("a")) != "a" {
		t.Error("want the value, or the zero value for nil")
	}
}
