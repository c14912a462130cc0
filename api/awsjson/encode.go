package awsjson

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Encode writes a pointer to a generated structure. Absent members are left
// out; the order is the model's, and that of maps their keys'. Of text that is
// not UTF-8, as logs may hold, each byte that is not becomes U+FFFD. The error is
// a nil element in a list or map of structures, or a time out of range.
func Encode(v any) ([]byte, error) {
	s, p := structureOf(v)
	return appendStructure(make([]byte, 0, 512), s, p)
}

func appendStructure(b []byte, v reflect.Value, p *plan) ([]byte, error) {
	b = append(b, '{')
	for i := range p.fields {
		f, fv := &p.fields[i], v.Field(i)
		if fv.IsNil() {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(append(b, f.key...), fv, &f.node, f.ISO8601); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", p.typ.Name(), f.Name, err)
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v reflect.Value, n *node, iso bool) ([]byte, error) {
	if n.ptr {
		v = v.Elem()
	}
	switch n.kind {
	case kindString:
		return appendString(b, v.String()), nil
	case kindInt32, kindInt64:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case kindFloat:
		return appendFloat(b, v.Float()), nil
	case kindBool:
		return strconv.AppendBool(b, v.Bool()), nil
	case kindTime:
		return appendTime(b, v.Interface().(time.Time), iso)
	case kindList:
		return appendList(b, v, n)
	case kindMap:
		return appendMap(b, v, n)
	default:
		if v.IsNil() {
			return nil, fmt.Errorf("a nil structure among the elements")
		}
		return appendStructure(b, v.Elem(), planOf(n.typ))
	}
}

func appendList(b []byte, v reflect.Value, n *node) ([]byte, error) {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, v.Index(i), n.elem, false); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendMap(b []byte, v reflect.Value, n *node) ([]byte, error) {
	b = append(b, '{')
	keys := sortedKeys(v)
	texts, _ := v.Interface().(map[string]string)
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, key), ':')
		if texts != nil {
			b = appendString(b, texts[key])
			continue
		}
		var err error
		if b, err = appendValue(b, v.MapIndex(reflect.ValueOf(key)), n.elem, false); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func sortedKeys(m reflect.Value) []string {
	keys := make([]string, 0, m.Len())
	for it := m.MapRange(); it.Next(); {
		keys = append(keys, it.Key().String())
	}
	slices.Sort(keys)
	return keys
}

// appendFloat writes plain digits where a person would, that is from a
// millionth up to 1e21, and an exponent beyond, as JavaScript does.
func appendFloat(b []byte, f float64) []byte {
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	case a != 0 && (a < 1e-6 || a >= 1e21):
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// appendTime writes whole milliseconds: with the nine digits of a time.Time a
// client that reads a double would not get back what it sent.
func appendTime(b []byte, t time.Time, iso bool) ([]byte, error) {
	if t = t.UTC(); t.Before(minTime) || t.After(maxTime.Add(time.Millisecond-1)) {
		return nil, fmt.Errorf("time %v is out of range", t)
	}
	if iso {
		b = append(b, '"')
		b = t.Truncate(time.Millisecond).AppendFormat(b, "2006-01-02T15:04:05.999Z")
		return append(b, '"'), nil
	}
	ms := t.UnixMilli()
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if ms %= 1000; ms == 0 {
		return b, nil
	}
	b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b, nil
}

const hexDigits = "0123456789abcdef"

// appendString writes s with no more escapes than JSON asks for: clients print
// messages raw, and "\u003c" is no help to anybody.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
