package logs

import (
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

func TestPattern(t *testing.T) {
	const message = `[ERROR 401] UNAUTHORIZED REQUEST "by" c:\temp for user_7 größe`
	for pattern, want := range map[string]bool{
		"": true, "  ": true, "ERROR": true, "error": false, "ERROR REQUEST": true, "ERROR missing": false,
		`"401] UNAUTH"`: true, `"REQUEST UNAUTH"`: false, `"\"by\""`: true, `"c:\\temp"`: true, `"c:\temp"`: true,
		"?missing ?ERROR": true, "?missing ?gone": false, "-ERROR": false, "-missing": true, "ERROR -401": false, "ERROR -missing": true,
		"?missing ERROR": true, `-"not there" REQUEST`: true, "user_7": true, "größe": true,
		`%AUTHORI[SZ]ED%`: true, `%^ERROR%`: false, `-%\d{3}%`: false, `?%x{9}% ?"by"`: true, "\tERROR\n401": true,
	} {
		match, err := parsePattern(pattern)
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
		} else if got := match == nil || match(message); got != want {
			t.Errorf("%q matches: %v", pattern, got)
		}
	}
	for pattern, want := range map[string]string{
		"{ $.level = 7 }": "JSON", " [a, b]": "JSON", `"open`: "closing quote", "foo.bar": "Invalid character(s) in term 'foo.bar'",
		"-": "without a term", "? x": "without a term", "%abc": "%", "%%": "%", "%(a|b)%": "parentheses", "%a[%": "missing closing ]",
		"%a% %b% %c%": "more than 2", `"a"b`: "space", "a*": "Invalid character(s)",
	} {
		_, err := parsePattern(pattern)
		if remora.KindOf(err) != remora.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want something about %q", pattern, err, want)
		}
	}
}

// FuzzPattern: no pattern panics, and a phrase finds exactly the messages that
// have it.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{"", "a b", `"a \" b"`, "?a ?b", "-a", "%a.*b%", "{ $.a = 1 }", `?"x`, "- -"} {
		f.Add(p, "a b")
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		if match, err := parsePattern(pattern); err == nil && match != nil {
			match(message)
		} else if err != nil && remora.KindOf(err) != remora.Invalid {
			t.Fatal(err)
		}
		phrase := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(pattern) + `"`
		for prefix, want := range map[string]bool{"": strings.Contains(message, pattern), "?": strings.Contains(message, pattern),
			"-": !strings.Contains(message, pattern)} {
			match, err := parsePattern(prefix + phrase)
			if err != nil || match(message) != want {
				t.Fatalf("%s on %q: %v", prefix+phrase, message, err)
			}
		}
	})
}
