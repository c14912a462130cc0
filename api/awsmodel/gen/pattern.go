package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Java's idea of white space and line ends is wider than Go's; both are spelled out.
const (
	javaSpace    = `\t\n\x{b}\f\r `
	javaNonSpace = `\x{0}-\x{8}\x{e}-\x{1f}!-\x{10ffff}`
	javaNonEnd   = `[^\n\r\x{85}\x{2028}\x{2029}]`
)

// translatePattern turns a regular expression of Java's dialect, as the service
// models have them, into one for package regexp that the same strings match
// whole. What has no equivalent, or none that this function knows, is an error.
func translatePattern(java string) (string, error) {
	t := &translator{in: java}
	if err := t.run(); err != nil {
		return "", fmt.Errorf("pattern %q at byte %d: %w", java, t.pos, err)
	}
	golang := t.out.String()
	if _, err := regexp.Compile(`\A(?:` + golang + `)\z`); err != nil {
		return "", fmt.Errorf("pattern %q as %q: %w", java, golang, err)
	}
	return golang, nil
}

type translator struct {
	in    string
	pos   int
	out   strings.Builder
	class bool // within [...]
	quant bool // the last thing was a quantifier
}

func (t *translator) run() error {
	for t.pos < len(t.in) {
		if err := t.step(); err != nil {
			return err
		}
	}
	if t.class {
		return fmt.Errorf("a class is not closed")
	}
	return nil
}

func (t *translator) step() error {
	rest := t.in[t.pos:]
	if rest[0] == '\\' {
		t.quant = false
		return t.escape(rest)
	}
	if t.class {
		return t.inClass(rest)
	}
	wasQuant := t.quant
	t.quant = false
	switch {
	case strings.HasPrefix(rest, "(?") && !strings.HasPrefix(rest, "(?:"):
		return fmt.Errorf("groups of the kind %q are not translated", rest[:min(3, len(rest))])
	case rest[0] == '[':
		t.class = true
		n := 1
		if strings.HasPrefix(rest, "[^") {
			n = 2
		}
		if strings.HasPrefix(rest[n:], "]") {
			return fmt.Errorf("a class that begins with ] is not translated")
		}
		t.copy(n)
	case rest[0] == '.':
		t.put(javaNonEnd, 1)
	case strings.IndexByte("*+?", rest[0]) >= 0:
		if wasQuant && rest[0] == '+' {
			return fmt.Errorf("possessive quantifiers are not translated")
		}
		t.copy(1)
		t.quant = !wasQuant
	case rest[0] == '{':
		n := strings.IndexByte(rest, '}')
		if n < 0 {
			return fmt.Errorf("a repetition is not closed")
		}
		t.copy(n + 1)
		t.quant = true
	default:
		_, n := utf8.DecodeRuneInString(rest)
		t.copy(n)
	}
	return nil
}

func (t *translator) inClass(rest string) error {
	switch {
	case rest[0] == '[':
		return fmt.Errorf("unions of classes are not translated")
	case strings.HasPrefix(rest, "&&"):
		return fmt.Errorf("intersections of classes are not translated")
	case rest[0] == ']':
		t.class = false
	}
	_, n := utf8.DecodeRuneInString(rest)
	t.copy(n)
	return nil
}

func (t *translator) escape(rest string) error {
	if len(rest) < 2 {
		return fmt.Errorf("an escape is not finished")
	}
	switch c := rest[1]; {
	case c == 'u':
		return t.unicode(rest)
	case c == 's' && t.class:
		t.put(javaSpace, 2)
	case c == 's':
		t.put("["+javaSpace+"]", 2)
	case c == 'S' && t.class:
		t.put(javaNonSpace, 2)
	case c == 'S':
		t.put("["+javaNonSpace+"]", 2)
	case c == 'p' || c == 'P':
		m := generalCategory.FindString(rest)
		if m == "" {
			return fmt.Errorf("this property is not translated")
		}
		t.copy(len(m))
	case strings.IndexByte("wWdDtnrf", c) >= 0, c > ' ' && c < utf8.RuneSelf && !isLetterOrDigit(c):
		t.copy(2)
	default:
		return fmt.Errorf("the escape %q is not translated", rest[:2])
	}
	return nil
}

// generalCategory is a property with the same meaning in both dialects.
var generalCategory = regexp.MustCompile(`^\\[pP]\{(L|M|N|P|S|Z|C|Lu|Ll|Lt|Lm|Lo|Mn|Mc|Me|Nd|Nl|No|Zs|Zl|Zp)\}`)

// unicode translates \uXXXX. A surrogate stands for a character only together
// with its other half; one alone, also as the end of a range, matches nothing
// that UTF-8 can hold, and is an error.
func (t *translator) unicode(rest string) error {
	r, err := hex4(rest)
	if err != nil {
		return err
	}
	n := 6
	if utf16.IsSurrogate(r) {
		low, err := hex4(rest[6:])
		if err != nil {
			return fmt.Errorf("surrogate %q has no other half", rest[:6])
		}
		r = utf16.DecodeRune(r, low)
		if r == utf8.RuneError {
			return fmt.Errorf("%q is not a pair of surrogates", rest[:12])
		}
		n = 12
	}
	t.put(fmt.Sprintf(`\x{%x}`, r), n)
	return nil
}

func hex4(s string) (rune, error) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, fmt.Errorf(`no \uXXXX`)
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err
}

func isLetterOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func (t *translator) copy(n int) { t.put(t.in[t.pos:t.pos+n], n) }

func (t *translator) put(s string, n int) {
	t.out.WriteString(s)
	t.pos += n
}
