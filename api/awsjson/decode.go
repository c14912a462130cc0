package awsjson

import (
	"reflect"
	"strconv"
	"strings"
)

// Limits of what Decode takes, so that a small body cannot take much of the
// stack or of memory. The length of the body is for the HTTP front to limit.
const (
	maxDepth  = 64      // arrays and objects within each other
	maxValues = 1 << 17 // values that are kept; real requests have at most some 30,000
)

// Decode reads a request into a pointer to a generated structure, which it
// overwrites. An empty body is an empty object.
//
// Member names are case-sensitive; unknown ones are skipped, null is the same
// as absent (but refused as an element of an array), and of a name that is
// there twice the last one counts. Values of another type than the model's are
// refused, save that an integer may be written as 1.0 or 1e3. Text must be
// UTF-8 with whole surrogate pairs in its escapes.
//
// Errors are *Fault with CodeSerialization; they name the member, or the byte.
func Decode(data []byte, into any) error {
	v, p := structureOf(into)
	v.SetZero()
	d := decoder{scanner: scanner{data: data}}
	d.space()
	if d.pos == len(data) {
		return nil
	}
	if err := d.structure(v, p); err != nil {
		return err
	}
	d.space()
	if d.pos < len(data) {
		return d.malformed("the end")
	}
	return nil
}

type decoder struct {
	scanner
	path   []step
	values int
}

// step is a part of the path to a value: a member, a map's key or an element.
type step struct {
	name  string
	index int  // of an array's element, if name is empty
	key   bool // name is a map's key
}

func (d *decoder) value(v reflect.Value, n *node, iso bool) error {
	if d.values++; d.values > maxValues {
		return d.refuse("more than " + strconv.Itoa(maxValues) + " values in one request")
	}
	switch n.kind {
	case kindStructure:
		s := reflect.New(n.typ)
		if err := d.structure(s.Elem(), planOf(n.typ)); err != nil {
			return err
		}
		v.Set(s)
		return nil
	case kindList:
		return d.list(v, n)
	case kindMap:
		return d.mapping(v, n)
	}
	if n.ptr {
		p := reflect.New(n.typ.Elem())
		if err := d.scalar(p.Elem(), n.kind, iso); err != nil {
			return err
		}
		v.Set(p)
		return nil
	}
	return d.scalar(v, n.kind, iso)
}

func (d *decoder) structure(v reflect.Value, p *plan) error {
	return d.object(func(key []byte) error {
		i, ok := p.index[string(key)]
		if !ok {
			return d.skip()
		}
		f := &p.fields[i]
		if d.null() {
			v.Field(i).SetZero()
			return nil
		}
		d.path = append(d.path, step{name: f.Name})
		if err := d.value(v.Field(i), &f.node, f.ISO8601); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
		return nil
	})
}

// object reads an object and calls member at the value of each member. key is
// good until member reads on.
func (d *decoder) object(member func(key []byte) error) error {
	if d.peek() != '{' {
		return d.wrongType(expected[kindStructure])
	}
	if err := d.open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.next('}', first)
		if err != nil || !more {
			return err
		}
		key, err := d.memberName()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
	}
}

func (d *decoder) list(v reflect.Value, n *node) error {
	if d.peek() != '[' {
		return d.wrongType(expected[kindList])
	}
	if err := d.open(); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(n.typ, 0, 0))
	for i := 0; ; i++ {
		more, err := d.next(']', i == 0)
		if err != nil || !more {
			return err
		}
		d.path = append(d.path, step{index: i})
		if i == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(i + 1)
		v.Index(i).SetZero()
		if err := d.value(v.Index(i), n.elem, false); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
}

func (d *decoder) mapping(v reflect.Value, n *node) error {
	m := reflect.MakeMap(n.typ)
	v.Set(m)
	texts, _ := m.Interface().(map[string]string) // by far the most common
	elem := reflect.New(n.typ.Elem()).Elem()
	return d.object(func(key []byte) error {
		name := string(key)
		if d.null() {
			m.SetMapIndex(reflect.ValueOf(name), reflect.Value{})
			return nil
		}
		d.path = append(d.path, step{name: name, key: true})
		elem.SetZero()
		if err := d.value(elem, n.elem, false); err != nil {
			return err
		}
		if texts != nil {
			texts[name] = elem.String()
		} else {
			m.SetMapIndex(reflect.ValueOf(name), elem)
		}
		d.path = d.path[:len(d.path)-1]
		return nil
	})
}

// where names the value that is being read.
func (d *decoder) where() string {
	if len(d.path) == 0 {
		return "the request's body"
	}
	var b strings.Builder
	for i, s := range d.path {
		switch {
		case s.key:
			b.WriteString("[" + strconv.Quote(cut(s.name, maxShownKey)) + "]")
		case s.name == "":
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		}
	}
	return b.String()
}

const maxShownKey = 64

func (d *decoder) refuse(problem string) error {
	return &Fault{Code: CodeSerialization, Message: d.where() + ": " + problem, Status: 400}
}

// wrongType is about a value that begins at the current byte.
func (d *decoder) wrongType(want string) error {
	found := d.found()
	if found == "" {
		return d.malformed(want)
	}
	return d.refuse("expected " + want + ", found " + found)
}
