package awsjson

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads the tokens of JSON, each byte once.
type scanner struct {
	data  []byte
	pos   int
	depth int
	buf   []byte // of the last string that had escapes
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// open enters the array or object that begins here.
func (s *scanner) open() error {
	if s.depth++; s.depth > maxDepth {
		return s.fault("arrays and objects are nested more than %d deep", maxDepth)
	}
	s.pos++
	return nil
}

// next moves to the next element or member; it returns false behind the end.
func (s *scanner) next(end byte, first bool) (more bool, err error) {
	switch c := s.peek(); {
	case c == end:
		s.pos++
		s.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.pos++
		s.space()
		return true, nil
	}
	return false, s.malformed("',' or '" + string(end) + "'")
}

// memberName reads a name and the colon, up to the value.
func (s *scanner) memberName() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.malformed("a member's name in quotes")
	}
	name, err := s.text()
	if err != nil {
		return nil, err
	}
	if s.peek() != ':' {
		return nil, s.malformed("':'")
	}
	s.pos++
	s.space()
	return name, nil
}

// null consumes a null if there is one.
func (s *scanner) null() bool { return s.peek() == 'n' && s.word("null") }

func (s *scanner) word(w string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
		return false
	}
	s.pos += len(w)
	return true
}

// text reads the string that begins here. The result is good until the next call.
func (s *scanner) text() ([]byte, error) {
	start := s.pos + 1
	ascii := true
	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			t := s.data[start:i]
			if !ascii && !utf8.Valid(t) {
				return nil, s.fault("the string at byte %d is not UTF-8", start-1)
			}
			return t, nil
		case c == '\\':
			return s.escapedText(start, i)
		case c < ' ':
			s.pos = i
			return nil, s.malformed("no control character in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.pos = len(s.data)
	return nil, s.malformed(`'"'`)
}

// escapedText goes on where text met the first backslash.
func (s *scanner) escapedText(start, i int) ([]byte, error) {
	s.buf = append(s.buf[:0], s.data[start:i]...)
	for i < len(s.data) {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			if !utf8.Valid(s.buf) {
				return nil, s.fault("the string at byte %d is not UTF-8", start-1)
			}
			return s.buf, nil
		case c == '\\':
			n, err := s.escape(i)
			if err != nil {
				return nil, err
			}
			i += n
		case c < ' ':
			s.pos = i
			return nil, s.malformed("no control character in a string")
		default:
			s.buf = append(s.buf, c)
			i++
		}
	}
	s.pos = len(s.data)
	return nil, s.malformed(`'"'`)
}

// escape appends what the escape at i stands for, and returns its length.
func (s *scanner) escape(i int) (int, error) {
	var c byte
	if i+1 < len(s.data) {
		c = s.data[i+1]
	}
	switch c {
	case '"', '\\', '/':
		s.buf = append(s.buf, c)
	case 'b':
		s.buf = append(s.buf, '\b')
	case 'f':
		s.buf = append(s.buf, '\f')
	case 'n':
		s.buf = append(s.buf, '\n')
	case 'r':
		s.buf = append(s.buf, '\r')
	case 't':
		s.buf = append(s.buf, '\t')
	case 'u':
		r, ok := s.hex4(i)
		if !ok {
			s.pos = i
			return 0, s.malformed(`an escape of the form \uXXXX`)
		}
		if !utf16.IsSurrogate(r) {
			s.buf = utf8.AppendRune(s.buf, r)
			return 6, nil
		}
		// A lone surrogate is no character. Replacing it would change the
		// request, so that what is read back is not what was sent.
		low, _ := s.hex4(i + 6)
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, s.fault("the escape at byte %d is half of a surrogate pair", i)
		}
		s.buf = utf8.AppendRune(s.buf, r)
		return 12, nil
	default:
		s.pos = i
		return 0, s.malformed("an escape of JSON")
	}
	return 2, nil
}

func (s *scanner) hex4(i int) (rune, bool) {
	if i+6 > len(s.data) || s.data[i] != '\\' || s.data[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s.data[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number reads the number that begins here and returns it as it is written.
func (s *scanner) number() ([]byte, error) {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if !s.digits() {
		return nil, s.malformed("a digit")
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return nil, s.malformed("a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return nil, s.malformed("a digit")
		}
	}
	return s.data[start:s.pos], nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > start
}

// malformed reports that there is no JSON at the current byte.
func (s *scanner) malformed(want string) error {
	found := "the end"
	if s.pos < len(s.data) {
		r, n := utf8.DecodeRune(s.data[s.pos:])
		if found = strconv.QuoteRune(r); r == utf8.RuneError && n == 1 {
			found = fmt.Sprintf("the byte 0x%02x", s.data[s.pos])
		}
	}
	return s.fault("malformed JSON at byte %d: expected %s, found %s", s.pos, want, found)
}

func (s *scanner) fault(format string, args ...any) error {
	return &Fault{Code: CodeSerialization, Message: fmt.Sprintf(format, args...), Status: 400}
}
