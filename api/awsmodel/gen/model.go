package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// model is the part of a service model that is generated from.
type model struct {
	Metadata struct {
		TargetPrefix   string
		SigningName    string
		EndpointPrefix string
	}
	Operations map[string]operation
	Shapes     map[string]*shape
}

type operation struct {
	Input, Output *ref
	Errors        []ref
}

type ref struct {
	Shape   string
	unknown []string
}

type shape struct {
	Type            string
	Members         members
	Required        []string
	Enum            []string
	Min, Max        *float64
	Pattern         string
	Member          *ref
	Key, Value      *ref
	TimestampFormat string
	Exception       bool
	Fault           bool
	unknown         []string
}

// members are in the order of the model.
type members []member

type member struct {
	name string
	ref
}

// loadModel reads service-2.json.gz or service-2.json in dir.
func loadModel(dir string) (*model, error) {
	text, err := readModel(filepath.Join(dir, "service-2.json"))
	if err != nil {
		return nil, fmt.Errorf("read service model: %w", err)
	}
	m := new(model)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("decode service model in %s: %w", dir, err)
	}
	return m, nil
}

func readModel(path string) ([]byte, error) {
	f, err := os.Open(path + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// knownTraits are those that generation follows, and those that do not change
// what travels on the wire: prose, advice to clients, what AWS keeps out of its
// own logs.
var knownTraits = []string{"type", "members", "required", "enum", "min", "max", "pattern", "member", "key", "value",
	"timestampFormat", "exception", "fault",
	"documentation", "deprecated", "deprecatedMessage", "box", "sensitive", "idempotencyToken"}

// UnmarshalJSON notes the traits that generation does not know.
func (s *shape) UnmarshalJSON(text []byte) error {
	type plain shape
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	var err error
	s.unknown, err = unknownTraits(text, knownTraits...)
	return err
}

// UnmarshalJSON notes the traits that generation does not know.
func (r *ref) UnmarshalJSON(text []byte) error {
	type plain ref
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return err
	}
	var err error
	r.unknown, err = unknownTraits(text, append([]string{"shape"}, knownTraits...)...)
	return err
}

func unknownTraits(text []byte, known ...string) ([]string, error) {
	var traits map[string]json.RawMessage
	if err := json.Unmarshal(text, &traits); err != nil {
		return nil, err
	}
	var unknown []string
	for _, t := range slices.Sorted(maps.Keys(traits)) {
		if !slices.Contains(known, t) {
			unknown = append(unknown, t)
		}
	}
	return unknown, nil
}

// UnmarshalJSON keeps the order, which a map would lose.
func (ms *members) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		m := member{name: name.(string)}
		if err := d.Decode(&m.ref); err != nil {
			return err
		}
		*ms = append(*ms, m)
	}
	return nil
}

// amend adds and changes members.
func (m *model) amend(changes []amendment) error {
	for _, c := range changes {
		s := m.Shapes[c.Structure]
		if s == nil || s.Type != "structure" {
			return fmt.Errorf("amended member %s.%s: no structure %[1]s", c.Structure, c.Member)
		}
		if m.Shapes[c.Shape] == nil {
			return fmt.Errorf("amended member %s.%s: no shape %s", c.Structure, c.Member, c.Shape)
		}
		i := slices.IndexFunc(s.Members, func(have member) bool { return have.name == c.Member })
		switch {
		case i < 0:
			s.Members = append(s.Members, member{name: c.Member, ref: ref{Shape: c.Shape}})
		case s.Members[i].Shape == c.Shape:
			return fmt.Errorf("amended member %s.%s is in the model as %s", c.Structure, c.Member, c.Shape)
		default:
			s.Members[i].Shape = c.Shape
		}
	}
	return nil
}

// reachable returns the names of all shapes that the operations' inputs and
// outputs are made of, sorted.
func (m *model) reachable(operations []string) ([]string, error) {
	seen := make(map[string]bool)
	var visit func(r *ref) error
	visit = func(r *ref) error {
		if r == nil {
			return nil
		}
		s := m.Shapes[r.Shape]
		if s == nil {
			return fmt.Errorf("no shape %s", r.Shape)
		}
		if unknown := slices.Concat(r.unknown, s.unknown); len(unknown) > 0 {
			return fmt.Errorf("shape %s: the generator does not know the traits %q", r.Shape, unknown)
		}
		if seen[r.Shape] {
			return nil
		}
		seen[r.Shape] = true
		for _, next := range s.Members {
			if err := visit(&next.ref); err != nil {
				return fmt.Errorf("%s.%s: %w", r.Shape, next.name, err)
			}
		}
		return errors.Join(visit(s.Member), visit(s.Key), visit(s.Value))
	}
	for _, name := range operations {
		op, ok := m.Operations[name]
		if !ok {
			return nil, fmt.Errorf("no operation %s", name)
		}
		if err := errors.Join(visit(op.Input), visit(op.Output)); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}
