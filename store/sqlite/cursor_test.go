package sqlite

import (
	"testing"

	"github.com/remora-project/remora"
)

// Whatever comes in as a cursor is either one that was handed out for this very
// listing or refused.
func FuzzCursor(f *testing.F) {
	f.Add("runs", "j", string(makeCursor(listing("runs", "j"), 12345)))
	f.Add("jobs", "[]", "")
	f.Add("jobs", "[]", "0-00000000")
	f.Add("runs", "j", "-1-00000000")
	f.Fuzz(func(t *testing.T, kind, of, text string) {
		in := listing(kind, of)
		seq, err := parse(in, remora.Cursor(text), -1)
		switch {
		case text == "":
			if seq != -1 || err != nil {
				t.Fatalf("the beginning is %d, %v", seq, err)
			}
		case err != nil:
			if remora.KindOf(err) != remora.InvalidPageToken {
				t.Fatalf("%q: %v", text, err)
			}
		case seq < 1 || makeCursor(in, seq) != remora.Cursor(text):
			t.Fatalf("%q was taken for %d, whose cursor is %q", text, seq, makeCursor(in, seq))
		}
	})
}

func FuzzCursorRoundTrip(f *testing.F) {
	f.Add("runs", "j", int64(1))
	f.Fuzz(func(t *testing.T, kind, of string, seq int64) {
		if seq < 1 {
			return
		}
		got, err := parse(listing(kind, of), makeCursor(listing(kind, of), seq), 0)
		if err != nil || got != seq {
			t.Fatalf("%d came back as %d, %v", seq, got, err)
		}
	})
}
