package awsmodel

// Structure is implemented by a pointer to every generated struct.
type Structure interface {
	// AWSMembers describes the struct's fields, in their order: element i is
	// about field i. The result is shared; do not change it.
	AWSMembers() []Member
}

// Member is a member of a structure.
type Member struct {
	Name     string // as it is spelled in JSON
	Required bool
	ISO8601  bool  // a time that travels as text and not as seconds since the epoch
	Rule     *Rule // nil: any value of the member's type
}

// Rule restricts the values of a shape that is not a structure.
type Rule struct {
	Min, Max *int64   // value of a number, characters of a string, size of a list or map; inclusive
	Pattern  *Pattern // of a string
	Enum     []string // the values that a string may have
	Key      *Rule    // of a map's keys
	Elem     *Rule    // of the elements of a list or the values of a map
}

// None is the input or output of an operation that has none. It has no members
// and is not even an empty object on the wire.
type None struct{}

// AWSMembers implements Structure.
func (*None) AWSMembers() []Member { return nil }

// Value returns what p points to, or the zero value if it is nil.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// ErrorShape describes an error of a service.
type ErrorShape struct {
	Message string // how the member with the message is spelled; empty where the model has none
	Fault   bool   // the service's fault and not the caller's: HTTP 500 and not 400
}
