package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestTranslatePattern(t *testing.T) {
	tests := []struct {
		java    string
		matches []string
		refuses []string
	}{
		{`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*`,
			[]string{"", "a b", "\t", "é", "\ud7ff", "\ue000", "\ufffd", "\U00010000", "😀", "\U0010ffff"},
			[]string{"\n", "\x1f", "\uffff", "a\x00"}},
		{`([\u0009\u000B\u000C\u0020-\uD7FF])*`, []string{"\t\v\f a"}, []string{"\n", "\r"}},
		{`.*`, []string{"", "a", "\v", "😀"}, []string{"\n", "\r", "\u0085", "\u2028", "\u2029"}},
		{`a\.b.`, []string{"a.b.", "a.bc"}, []string{"aab.", "a.b", "a.b\n"}},
		{`\s`, []string{" ", "\t", "\n", "\v", "\f", "\r"}, []string{"\u00a0", "a", "\x1c"}},
		{`\S`, []string{"a", "\u00a0", "\x1c", "😀"}, []string{" ", "\v", "\n"}},
		{`[\s\S]*`, []string{"", "\x00\v\n", "😀"}, nil},
		{`[\Sv]`, []string{"a"}, []string{"\v"}},
		{`[^\s]`, []string{"a"}, []string{"\v", " "}},
		{`^[A-Z\_]+$`, []string{"A_B"}, []string{"", "a", "A\n"}},
		{`[\w#+=/:,.@-]*`, []string{"a-b_c#1"}, []string{"é", " "}},
		{`^([\p{L}\p{Z}\p{N}_.:/=+\-@]+)$`, []string{"é 1", "名"}, []string{"", "#", "\n"}},
		{`arn:aws(-(cn|us-gov|iso(-[bef])?))?:glue:.*`, []string{"arn:aws:glue:", "arn:aws-iso-b:glue:x"}, []string{"arn:aws-de:glue:x", "xarn:aws:glue:"}},
		{`a|b`, []string{"a", "b"}, []string{"ab", ""}},
		{`a+?b??c{2,3}`, []string{"aabcc", "accc"}, []string{"abc"}},
		{`[.*+]`, []string{".", "*", "+"}, []string{"a"}},
		{`(?:ab)*`, []string{"", "abab"}, []string{"aba"}},
		{`[^:*]*`, []string{"a\nb"}, []string{"a:"}},
		{`é+`, []string{"éé"}, []string{"e"}},
	}
	for _, test := range tests {
		golang, err := translatePattern(test.java)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		re := regexp.MustCompile(`\A(?:` + golang + `)\z`)
		for _, s := range test.matches {
			if !re.MatchString(s) {
				t.Errorf("%s as %s does not match %q", test.java, golang, s)
			}
		}
		for _, s := range test.refuses {
			if re.MatchString(s) {
				t.Errorf("%s as %s matches %q", test.java, golang, s)
			}
		}
	}
}

func TestTranslatePatternRefuses(t *testing.T) {
	tests := map[string]string{
		`a*+`:             "possessive",
		`a{2}+`:           "possessive",
		`(?=a)`:           "groups",
		`(?<!a)b`:         "groups",
		`(?i)a`:           "groups",
		`(a)\1`:           `escape "\\1"`,
		`\bword\b`:        `escape "\\b"`,
		`\Qa\E`:           `escape "\\Q"`,
		`\h`:              `escape "\\h"`,
		`[a[b]]`:          "unions",
		`[a-z&&[aeiou]]`:  "intersections",
		`[]a]`:            "begins with ]",
		`[^]a]`:           "begins with ]",
		`[a`:              "not closed",
		`a{2`:             "not closed",
		`a\`:              "not finished",
		`\u12`:            "no",
		`\u12zz`:          "invalid syntax",
		`\uD800`:          "no other half",
		`[\uD800-\uDBFF]`: "no other half",
		`\uDC00\uD800`:    "not a pair",
		`\p{javaLetter}`:  "property",
		`\pL`:             "property",
		`a{1,2048}`:       "invalid repeat count",
		`(a`:              "missing closing",
	}
	for java, want := range tests {
		golang, err := translatePattern(java)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v; want an error with %q", java, golang, err, want)
		}
	}
}

func FuzzTranslatePattern(f *testing.F) {
	for _, seed := range []string{`[\u0020-\uD7FF\uD800\uDC00-\uDBFF\uDFFF\t]*`, `^([2-3]|3[.]9)$`, `[^:*]{1,3}`, `\p{L}`, `a*+`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, java string) {
		if golang, err := translatePattern(java); err == nil {
			regexp.MustCompile(`\A(?:` + golang + `)\z`)
		}
	})
}
