package awsjson

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/remora-project/remora/api/awsmodel"
)

// samples returns values of a node's type that satisfy a rule, those at its
// bounds among them, and for each constraint of the rule, as AWS words it, one
// that breaks it.
func samples(t *testing.T, n *node, r *awsmodel.Rule) (good []reflect.Value, bad map[string]reflect.Value) {
	bad = make(map[string]reflect.Value)
	good = append(good, sample(n, r))
	size := "length"
	at := func(size int64) reflect.Value { return sized(n, r, size) }
	switch n.kind {
	case kindInt32, kindInt64, kindFloat:
		size, at = "value", func(size int64) reflect.Value { return number(n, size) }
	case kindString:
		stringSamples(t, n, r, &good, bad)
	}
	if r.Min != nil {
		if v := at(*r.Min); fits(n, r, v) {
			good = append(good, v)
		}
		bad[fmt.Sprintf("Member must have %s greater than or equal to %d", size, *r.Min)] = at(*r.Min - 1)
	}
	if r.Max != nil {
		if v := at(*r.Max); fits(n, r, v) {
			good = append(good, v)
		}
		bad[fmt.Sprintf("Member must have %s less than or equal to %d", size, *r.Max)] = at(*r.Max + 1)
	}
	return good, bad
}

func stringSamples(t *testing.T, n *node, r *awsmodel.Rule, good *[]reflect.Value, bad map[string]reflect.Value) {
	for _, value := range r.Enum {
		*good = append(*good, text(n, value))
	}
	if r.Enum != nil {
		bad["Member must satisfy enum value set: ["+strings.Join(r.Enum, ", ")+"]"] = text(n, r.Enum[0]+"!")
	}
	if r.Pattern == nil || r.Pattern.String() == everything {
		return
	}
	i := slices.IndexFunc(candidates, func(s string) bool { return !r.Pattern.MatchString(s) })
	if i < 0 {
		t.Fatalf("every candidate matches %s", r.Pattern)
	}
	bad["Member must satisfy regular expression pattern: "+r.Pattern.String()] = text(n, candidates[i])
}

// fits reports whether a value satisfies what a rule says of more than sizes:
// not every pattern has matches of every length.
func fits(n *node, r *awsmodel.Rule, v reflect.Value) bool {
	if n.kind != kindString {
		return true
	}
	s := reflect.Indirect(v).String()
	return r.Enum == nil && (r.Pattern == nil || r.Pattern.MatchString(s))
}

// sample returns a value that satisfies a rule.
func sample(n *node, r *awsmodel.Rule) reflect.Value {
	if r == nil {
		r = new(awsmodel.Rule)
	}
	switch n.kind {
	case kindStructure:
		return reflect.New(n.typ)
	case kindList, kindMap:
		return sized(n, r, sizeOf(r))
	case kindString:
		if r.Enum != nil {
			return text(n, r.Enum[0])
		}
		for _, s := range candidates {
			long := s + strings.Repeat("a", max(0, int(sizeOf(r))-utf8.RuneCountInString(s)))
			short := r.Max == nil || int64(utf8.RuneCountInString(long)) <= *r.Max
			if short && (r.Pattern == nil || r.Pattern.MatchString(long)) {
				return text(n, long)
			}
		}
		panic(fmt.Sprintf("no candidate satisfies %v", r.Pattern))
	case kindInt32, kindInt64, kindFloat:
		return number(n, awsmodel.Value(r.Min))
	}
	panic("a rule for a type that has none")
}

// sized returns a string, list or map of a size.
func sized(n *node, r *awsmodel.Rule, size int64) reflect.Value {
	switch n.kind {
	case kindString:
		return text(n, strings.Repeat("é", int(size-min(size, 1)))+strings.Repeat("a", int(min(size, 1))))
	case kindList:
		l := reflect.MakeSlice(n.typ, 0, 0)
		for range size {
			l = reflect.Append(l, sample(n.elem, r.Elem))
		}
		return l
	}
	m := reflect.MakeMap(n.typ)
	grow(m, n, r, size)
	return m
}

// grow adds entries to a map up to a size, as far as there are different keys.
func grow(m reflect.Value, n *node, r *awsmodel.Rule, size int64) {
	var keys []string
	if r.Key != nil {
		keys = r.Key.Enum
	}
	for i := int64(0); int64(m.Len()) < size && (keys == nil || int(i) < len(keys)); i++ {
		key := fmt.Sprint("k", i)
		if keys != nil {
			key = keys[i]
		}
		m.SetMapIndex(reflect.ValueOf(key), sample(n.elem, r.Elem))
	}
}

func text(n *node, s string) reflect.Value { return pointed(n, reflect.ValueOf(s)) }

func number(n *node, f int64) reflect.Value {
	t := n.typ
	if n.ptr {
		t = t.Elem()
	}
	return pointed(n, reflect.ValueOf(f).Convert(t))
}

func pointed(n *node, v reflect.Value) reflect.Value {
	if !n.ptr {
		return v
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}
