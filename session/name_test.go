package session

import (
	"strings"
	"testing"
)

// The names are in log stores and on disks.
func TestNames(t *testing.T) {
	t.Parallel()
	const odd = "session-176c4e64798a9b02f8f857f17cb7fdfe"
	for id, want := range map[string]string{"a-b_c": "a-b_c", "é :*": odd, strings.Repeat("x", 255): strings.Repeat("x", 255)} {
		if got := LogStream(id); got != want {
			t.Errorf("the stream of %q is %q, want %q", id, got, want)
		}
	}
	if Place("a") == Place("b") || len(Place("a")) != len(odd) {
		t.Errorf("places %q and %q", Place("a"), Place("b"))
	}
}
