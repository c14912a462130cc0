package awsjson

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate checks a pointer to a generated structure against the constraints of
// the service model. The error is a *Fault with CodeValidation, which tells all
// violations in the words of AWS: in the order of the members, and of one member
// pattern, length, value, enumeration.
func Validate(v any) error {
	s, p := structureOf(v)
	var c checker
	c.structure(s, p)
	if c.count == 0 {
		return nil
	}
	noun := "errors"
	if c.count == 1 {
		noun = "error"
	}
	message := fmt.Sprintf("%d validation %s detected: %s", c.count, noun, strings.Join(c.shown, "; "))
	if more := c.count - len(c.shown); more > 0 {
		message += fmt.Sprintf("; and %d more", more)
	}
	return &Fault{Code: CodeValidation, Message: message, Status: http.StatusBadRequest}
}

const (
	maxShownViolations = 20
	maxShownValue      = 128
)

// checker walks a request and collects violations.
type checker struct {
	path  []string
	count int
	shown []string
}

func (c *checker) structure(v reflect.Value, p *plan) {
	for i := range p.fields {
		f, fv := &p.fields[i], v.Field(i)
		if fv.IsNil() && !f.Required {
			continue
		}
		c.path = append(c.path, lowerFirst(f.Name))
		if fv.IsNil() {
			c.violated("Value null", "Member must not be null")
		} else {
			c.value(fv, &f.node, f.check)
		}
		c.path = c.path[:len(c.path)-1]
	}
}

func (c *checker) value(v reflect.Value, n *node, k *check) {
	if n.kind == kindStructure {
		if !v.IsNil() {
			c.structure(v.Elem(), planOf(n.typ))
		}
		return
	}
	if n.ptr {
		v = v.Elem()
	}
	for _, t := range k.tests {
		if !t.holds(v) {
			c.violated("Value '"+valueText(v)+"'", t.words)
		}
	}
	if k.elem != nil {
		c.elements(v, n, k.elem)
	}
}

// elements checks elements that have paths of their own, see check.elem.
func (c *checker) elements(v reflect.Value, n *node, k *check) {
	depth := len(c.path)
	if n.kind == kindList {
		for i := range v.Len() {
			c.path = append(c.path, strconv.Itoa(i+1), "member")
			c.value(v.Index(i), n.elem, k)
			c.path = c.path[:depth]
		}
		return
	}
	for _, key := range sortedKeys(v) {
		c.path = append(c.path, cut(key, maxShownKey), "member")
		c.value(v.MapIndex(reflect.ValueOf(key)), n.elem, k)
		c.path = c.path[:depth]
	}
}

func (c *checker) violated(subject, constraint string) {
	if c.count++; c.count > maxShownViolations {
		return
	}
	c.shown = append(c.shown, fmt.Sprintf("%s at '%s' failed to satisfy constraint: %s",
		subject, strings.Join(c.path, "."), constraint))
}

// lowerFirst spells a member as AWS's messages do, whatever the model has.
func lowerFirst(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(r)) + name[n:]
}

// valueText is a value as Java prints it, as far as a message shows it.
func valueText(v reflect.Value) string {
	return cut(string(appendJava(nil, v)), maxShownValue)
}

// appendJava stops when there is more than valueText shows.
func appendJava(b []byte, v reflect.Value) []byte {
	separate := func(i int) bool {
		if i > 0 {
			b = append(b, ", "...)
		}
		return len(b) <= maxShownValue
	}
	switch v.Kind() {
	case reflect.Slice:
		b = append(b, '[')
		for i := 0; i < v.Len() && separate(i); i++ {
			b = appendJava(b, v.Index(i))
		}
		return append(b, ']')
	case reflect.Map:
		b = append(b, '{')
		for i, key := range sortedKeys(v) {
			if !separate(i) {
				break
			}
			b = append(append(b, key...), '=')
			b = appendJava(b, v.MapIndex(reflect.ValueOf(key)))
		}
		return append(b, '}')
	case reflect.Pointer: // to a structure
		return append(b, "{...}"...)
	}
	return fmt.Append(b, v)
}
