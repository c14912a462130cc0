package awsjson

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/remora-project/remora/api/awsmodel"
)

// check is what the model's rules demand of the values of one node.
type check struct {
	tests []test
	// elem is for the elements of a list or map if they are structures or contain
	// some: then what is wrong within them is told by its own path. What is wrong
	// with other elements is told of the list as a whole, as AWS does.
	elem *check
}

// test is a constraint and how AWS words it.
type test struct {
	words string
	holds func(reflect.Value) bool
}

func checkOf(n *node, r *awsmodel.Rule) *check {
	if r == nil {
		r = new(awsmodel.Rule)
	}
	k := new(check)
	switch n.kind {
	case kindString:
		k.textTests(r)
	case kindInt32, kindInt64:
		k.bounds("value", r, func(v reflect.Value, bound int64) int { return cmp.Compare(v.Int(), bound) })
	case kindFloat:
		k.bounds("value", r, func(v reflect.Value, bound int64) int { return cmp.Compare(v.Float(), float64(bound)) })
	case kindList, kindMap:
		k.bounds("length", r, func(v reflect.Value, bound int64) int { return cmp.Compare(int64(v.Len()), bound) })
		k.elements(n, r)
	}
	return k
}

func (k *check) add(holds func(reflect.Value) bool, format string, args ...any) {
	k.tests = append(k.tests, test{words: fmt.Sprintf(format, args...), holds: holds})
}

func (k *check) textTests(r *awsmodel.Rule) {
	if p := r.Pattern; p != nil {
		k.add(func(v reflect.Value) bool { return p.MatchString(v.String()) },
			"Member must satisfy regular expression pattern: %s", p)
	}
	k.bounds("length", r, func(v reflect.Value, bound int64) int {
		return cmp.Compare(int64(utf8.RuneCountInString(v.String())), bound)
	})
	if r.Enum != nil {
		k.add(func(v reflect.Value) bool { return slices.Contains(r.Enum, v.String()) },
			"Member must satisfy enum value set: [%s]", strings.Join(r.Enum, ", "))
	}
}

// bounds adds the tests of Min and Max; compare compares a value's size with
// one of them. NaN is less than any.
func (k *check) bounds(size string, r *awsmodel.Rule, compare func(v reflect.Value, bound int64) int) {
	if r.Min != nil {
		k.add(func(v reflect.Value) bool { return compare(v, *r.Min) >= 0 },
			"Member must have %s greater than or equal to %d", size, *r.Min)
	}
	if r.Max != nil {
		k.add(func(v reflect.Value) bool { return compare(v, *r.Max) <= 0 },
			"Member must have %s less than or equal to %d", size, *r.Max)
	}
}

func (k *check) elements(n *node, r *awsmodel.Rule) {
	if n.kind == kindMap {
		keys := checkOf(&node{kind: kindString}, r.Key)
		if len(keys.tests) > 0 {
			k.add(func(v reflect.Value) bool {
				for it := v.MapRange(); it.Next(); {
					if !keys.holds(it.Key()) {
						return false
					}
				}
				return true
			}, "Map keys must satisfy constraint: [%s]", keys.words())
		}
	}
	elem := checkOf(n.elem, r.Elem)
	switch {
	case !n.elem.isPlain():
		k.elem = elem
	case len(elem.tests) == 0:
	case n.kind == kindMap:
		k.add(func(v reflect.Value) bool {
			for it := v.MapRange(); it.Next(); {
				if !elem.holds(it.Value()) {
					return false
				}
			}
			return true
		}, "Map value must satisfy constraint: [%s]", elem.words())
	default:
		k.add(func(v reflect.Value) bool {
			for i := range v.Len() {
				if !elem.holds(v.Index(i)) {
					return false
				}
			}
			return true
		}, "Member must satisfy constraint: [%s]", elem.words())
	}
}

// isPlain reports whether values of the node are free of structures.
func (n *node) isPlain() bool {
	return n.kind != kindStructure && (n.elem == nil || n.elem.isPlain())
}

func (k *check) holds(v reflect.Value) bool {
	for _, t := range k.tests {
		if !t.holds(v) {
			return false
		}
	}
	return true
}

func (k *check) words() string {
	var words []string
	for _, t := range k.tests {
		words = append(words, t.words)
	}
	return strings.Join(words, ", ")
}
