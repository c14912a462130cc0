package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func ruleName(shape string) string { return "rule" + strings.ToUpper(shape[:1]) + shape[1:] }

// makeRules writes the rules of all shapes that have one: their own, or one of
// what they contain.
func (e *emitter) makeRules() error {
	e.rules = make(map[string]string)
	for _, name := range e.shapes {
		if _, err := e.makeRule(name); err != nil {
			return fmt.Errorf("shape %s: %w", name, err)
		}
	}
	for name := range e.WithoutPattern {
		if !e.used[name] {
			return fmt.Errorf("shape %s is listed in WithoutPattern but has no pattern", name)
		}
	}
	return nil
}

// makeRule fills e.rules[name] and reports whether there is a rule. It does not
// go into structures: they know their members' rules themselves, and may
// contain each other.
func (e *emitter) makeRule(name string) (bool, error) {
	s := e.Shapes[name]
	if s.Type == "structure" {
		return false, nil
	}
	if text, ok := e.rules[name]; ok {
		return text != "", nil
	}
	e.rules[name] = "" // ends the recursion of a shape that goType will refuse
	text, err := e.ruleText(name, s)
	if err != nil {
		return false, err
	}
	e.rules[name] = text
	return text != "", nil
}

func (e *emitter) ruleText(name string, s *shape) (string, error) {
	var b strings.Builder
	for _, bound := range []struct {
		field string
		value *float64
	}{{"Min", s.Min}, {"Max", s.Max}} {
		if bound.value == nil || bound.field == "Min" && *bound.value == 0 && !isNumber(s) {
			continue // no bound, or one that every length satisfies
		}
		n, err := goInt(bound.value)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s: new(int64(%s)),\n", bound.field, n)
	}
	if s.Pattern != "" {
		text, err := e.patternText(name, s.Pattern)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if len(s.Enum) > 0 {
		fmt.Fprintf(&b, "Enum: []string{\n")
		for _, value := range s.Enum {
			id, err := enumName(name, value)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%s,\n", id)
		}
		b.WriteString("},\n")
	}
	elem := s.Member
	if elem == nil {
		elem = s.Value
	}
	for _, part := range []struct {
		field string
		ref   *ref
	}{{"Key", s.Key}, {"Elem", elem}} {
		if part.ref == nil {
			continue
		}
		has, err := e.makeRule(part.ref.Shape)
		if err != nil {
			return "", err
		}
		if has {
			fmt.Fprintf(&b, "%s: &%s,\n", part.field, ruleName(part.ref.Shape))
		}
	}
	return b.String(), nil
}

func isNumber(s *shape) bool { return s.Type == "integer" || s.Type == "long" || s.Type == "double" }

func (e *emitter) patternText(shape, java string) (string, error) {
	if e.WithoutPattern[shape] != "" {
		e.used[shape] = true
		return "", nil
	}
	golang, err := translatePattern(java)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Pattern: awsmodel.NewPattern(%q, %q),\n", java, golang), nil
}

func (e *emitter) writeRules(b *bytes.Buffer) error {
	fmt.Fprintf(b, "%s\n\n", importModel)
	fmt.Fprintln(b, "var (")
	for _, name := range slices.Sorted(maps.Keys(e.rules)) {
		if text := e.rules[name]; text != "" {
			fmt.Fprintf(b, "%s = awsmodel.Rule{\n%s}\n", ruleName(name), text)
		}
	}
	fmt.Fprintln(b, ")")
	return nil
}
