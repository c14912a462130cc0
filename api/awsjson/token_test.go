package awsjson

import (
	"bytes"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

func testTokens() *Tokens { return NewTokens([32]byte(bytes.Repeat([]byte{7}, 32))) }

func TestTokens(t *testing.T) {
	tokens := testTokens()
	for _, c := range []remora.Cursor{"", "a", "\x00\xff", remora.Cursor(strings.Repeat("x", maxCursor))} {
		token := tokens.Encode("s", c)
		if got, err := tokens.Decode("s", token); err != nil || got != c {
			t.Errorf("got %q, %v; want %q", got, err, c)
		}
	}
	if got := tokens.Encode("s", ""); got != "" {
		t.Errorf("the empty cursor has token %q", got)
	}
}

// A token is good for its scope and key, and for nothing else; changed in any
// place it is none.
func TestTokensRefuse(t *testing.T) {
	tokens := testTokens()
	token := tokens.Encode("s", "cursor")
	wrong := map[string]string{"too long": strings.Repeat("A", 1<<20), "no base64": "%%%", "a line end": token + "\n",
		"a line end within": token[:5] + "\r\n" + token[5:], "longer": token + "A", "another key": NewTokens([32]byte{}).Encode("s", "cursor"),
		"another scope": tokens.Encode("t", "cursor"), "a number": "1"}
	for i := range token {
		wrong["cut at "+token[:i]] = token[:i]
		for _, c := range "ABwx09-_" {
			if changed := token[:i] + string(c) + token[i+1:]; changed != token {
				wrong["changed to "+changed] = changed
			}
		}
	}
	delete(wrong, "cut at ") // the empty token is the beginning
	for name, w := range wrong {
		if c, err := tokens.Decode("s", w); c != "" || remora.KindOf(err) != remora.InvalidPageToken {
			t.Errorf("%s: got %q, %v", name, c, err)
		}
	}
}

func TestTokenOfAnImmenseCursorPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	testTokens().Encode("s", remora.Cursor(strings.Repeat("x", maxCursor+1)))
}

func TestScope(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range []string{Scope("A"), Scope("A", ""), Scope("A", "", ""), Scope("A", "b"), Scope("A", "b", "c"),
		Scope("A", "bc"), Scope("Ab"), Scope("A", "1:b"), Scope("A", "b1:c")} {
		if seen[s] {
			t.Errorf("scope %q is that of other parameters too", s)
		}
		seen[s] = true
	}
}
