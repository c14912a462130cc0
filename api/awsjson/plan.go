package awsjson

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/remora-project/remora/api/awsmodel"
)

// plan is what the codec knows of a structure: made once per type.
type plan struct {
	typ    reflect.Type // the struct
	fields []field
	index  map[string]int // of fields, by member name
}

type field struct {
	awsmodel.Member
	key   []byte // `"Name":`
	node  node
	check *check
}

// node says how values of one Go type travel.
type node struct {
	kind kind
	ptr  bool         // the Go type is a pointer to a scalar
	typ  reflect.Type // the Go type; of a structure the struct, not the pointer
	elem *node        // of a list or map
}

type kind uint8

const (
	kindString kind = iota
	kindInt32
	kindInt64
	kindFloat
	kindBool
	kindTime
	kindList
	kindMap
	kindStructure
)

// expected is how messages name what a kind is in JSON.
var expected = [...]string{"a string", "an integer", "an integer", "a number", "a boolean", "a time in seconds",
	"an array", "an object", "an object"}

var (
	plans         sync.Map // reflect.Type -> *plan
	structureType = reflect.TypeFor[awsmodel.Structure]()
	timeType      = reflect.TypeFor[time.Time]()
)

// planOf returns the plan of a struct type. A type that was not generated is a
// mistake in the program, and panics.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p, _ := plans.LoadOrStore(t, newPlan(t))
	return p.(*plan)
}

func newPlan(t reflect.Type) *plan {
	if t.Kind() != reflect.Struct || !reflect.PointerTo(t).Implements(structureType) {
		panic(fmt.Sprintf("awsjson: %v is not a generated structure", t))
	}
	members := reflect.New(t).Interface().(awsmodel.Structure).AWSMembers()
	if len(members) != t.NumField() {
		panic(fmt.Sprintf("awsjson: %v has %d fields and %d members", t, t.NumField(), len(members)))
	}
	p := &plan{typ: t, index: make(map[string]int, len(members))}
	for i, m := range members {
		p.index[m.Name] = i
		f := field{Member: m, key: append(appendString(nil, m.Name), ':'), node: nodeOf(t.Field(i).Type)}
		f.check = checkOf(&f.node, m.Rule)
		p.fields = append(p.fields, f)
	}
	return p
}

func nodeOf(t reflect.Type) node {
	n := node{typ: t}
	if t.Kind() == reflect.Pointer {
		if t = t.Elem(); t != timeType && t.Kind() == reflect.Struct {
			return node{kind: kindStructure, typ: t}
		}
		n.ptr = true
	}
	switch {
	case t == timeType:
		n.kind = kindTime
	case t.Kind() == reflect.String:
		n.kind = kindString
	case t.Kind() == reflect.Int32:
		n.kind = kindInt32
	case t.Kind() == reflect.Int64:
		n.kind = kindInt64
	case t.Kind() == reflect.Float64:
		n.kind = kindFloat
	case t.Kind() == reflect.Bool:
		n.kind = kindBool
	case t.Kind() == reflect.Slice && !n.ptr:
		elem := nodeOf(t.Elem())
		n.kind, n.elem = kindList, &elem
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && !n.ptr:
		elem := nodeOf(t.Elem())
		n.kind, n.elem = kindMap, &elem
	default:
		panic(fmt.Sprintf("awsjson: the codec has no type %v", n.typ))
	}
	return n
}

// structureOf returns the struct that v, a pointer to a generated one, points to.
func structureOf(v any) (reflect.Value, *plan) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		panic(fmt.Sprintf("awsjson: %T is not a pointer to a generated structure, or nil", v))
	}
	return rv.Elem(), planOf(rv.Type().Elem())
}
