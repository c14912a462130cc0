package awsjson

import "bytes"

// skip reads a value that nobody wants.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c-'0' <= 9:
		_, err := s.number()
		return err
	case c == 't' && s.word("true"), c == 'f' && s.word("false"), c == 'n' && s.word("null"):
		return nil
	case c != '{' && c != '[':
		return s.malformed("a value")
	default:
		return s.skipNested(c + 2) // in ASCII the closing bracket comes two after
	}
}

func (s *scanner) skipNested(end byte) error {
	if err := s.open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.next(end, first)
		if err != nil || !more {
			return err
		}
		if end == '}' {
			if _, err := s.memberName(); err != nil {
				return err
			}
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
}

// found names the value that begins here; empty if none does.
func (s *scanner) found() string {
	switch c := s.peek(); {
	case c == '"':
		return "a string"
	case c == '-' || c-'0' <= 9:
		return "a number"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	}
	for _, w := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
			return w
		}
	}
	return ""
}
