package logs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

// maxRegexps is how many regular expressions a pattern may have, as in CloudWatch.
const maxRegexps = 2

// parsePattern makes a function of a filterPattern of terms:
//
//	word            letters, digits and '_': must occur in the message
//	"any text"      must occur; \" and \\ stand for " and \
//	%regexp%        must match somewhere; no parentheses, like CloudWatch
//	?term           one of these at least; without effect beside other terms, like CloudWatch
//	-term           must not occur
//
// Case counts. It is nil for a pattern without terms, which every message
// matches. Patterns for JSON and for columns are refused.
func parsePattern(text string) (func(message string) bool, error) {
	rest := strings.TrimSpace(text)
	if strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, "[") {
		return nil, invalidPattern("JSON and space-delimited filter patterns ({...}, [...]) are not supported by Remora: " +
			`use terms, "phrases" or %regular expressions%`)
	}
	var must, may, not []func(string) bool
	regexps := 0
	for rest != "" {
		into := &must
		switch rest[0] {
		case '?':
			into, rest = &may, rest[1:]
		case '-':
			into, rest = &not, rest[1:]
		}
		t, err := parseTerm(rest)
		if err != nil {
			return nil, err
		}
		if t.regexp {
			if regexps++; regexps > maxRegexps {
				return nil, invalidPattern(fmt.Sprintf("more than %d regular expressions", maxRegexps))
			}
		}
		*into = append(*into, t.match)
		after := strings.TrimLeftFunc(t.rest, unicode.IsSpace)
		if after != "" && len(after) == len(t.rest) {
			return nil, invalidPattern(fmt.Sprintf("a space is missing before %q", after))
		}
		rest = after
	}
	if len(must)+len(may)+len(not) == 0 {
		return nil, nil
	}
	return func(m string) bool {
		for _, occurs := range not {
			if occurs(m) {
				return false
			}
		}
		for _, occurs := range must {
			if !occurs(m) {
				return false
			}
		}
		if len(must)+len(not) > 0 {
			return true
		}
		for _, occurs := range may {
			if occurs(m) {
				return true
			}
		}
		return false
	}, nil
}

// term is one term of a pattern, and what comes after it.
type term struct {
	match  func(string) bool
	regexp bool
	rest   string
}

func parseTerm(s string) (term, error) {
	switch {
	case strings.HasPrefix(s, `"`):
		phrase, rest, err := parsePhrase(s[1:])
		return term{match: contains(phrase), rest: rest}, err
	case strings.HasPrefix(s, "%"):
		expr, rest, ok := strings.Cut(s[1:], "%")
		if !ok || expr == "" {
			return term{}, invalidPattern("a regular expression needs a % before and after it")
		}
		if strings.ContainsAny(expr, "()") {
			return term{}, invalidPattern(fmt.Sprintf("parentheses are not supported in %%%s%%", expr))
		}
		re, err := regexp.Compile(expr)
		if err != nil {
			return term{}, invalidPattern(err.Error())
		}
		return term{match: re.MatchString, regexp: true, rest: rest}, nil
	}
	end := strings.IndexFunc(s, unicode.IsSpace)
	if end < 0 {
		end = len(s)
	}
	word := s[:end]
	if word == "" {
		return term{}, invalidPattern("'?' or '-' without a term")
	}
	for _, r := range word {
		if r != '_' && r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return term{}, invalidPattern(fmt.Sprintf(`Invalid character(s) in term '%s': put it in double quotes`, word))
		}
	}
	return term{match: contains(word), rest: s[end:]}, nil
}

// parsePhrase reads up to the closing quote.
func parsePhrase(s string) (phrase, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", invalidPattern("a quoted phrase has no closing quote")
}

func contains(text string) func(string) bool {
	return func(m string) bool { return strings.Contains(m, text) }
}

func invalidPattern(why string) error {
	return remora.Invalidf("FilterLogEvents", "filterPattern", "Invalid filter pattern: %s", why)
}
