package ray

import (
	"encoding/binary"
	"errors"
	"math"
)

// field is a field of a protocol buffer message: bytes for length-delimited
// ones, otherwise value.
type field struct {
	num   int
	bytes []byte
	value uint64
}

func (f field) double() float64 { return math.Float64frombits(f.value) }

var errWire = errors.New("malformed protocol buffer")

// eachField walks over the fields of a message. Fields that a later Ray adds go
// past f like all others.
func eachField(b []byte, f func(field) error) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return errWire
		}
		b = b[n:]
		fl := field{num: int(tag >> 3)}
		switch tag & 7 {
		case 0:
			fl.value, n = binary.Uvarint(b)
			if n <= 0 {
				return errWire
			}
		case 1:
			if n = 8; len(b) < n {
				return errWire
			}
			fl.value = binary.LittleEndian.Uint64(b)
		case 2:
			size, k := binary.Uvarint(b)
			if k <= 0 || size > uint64(len(b)-k) {
				return errWire
			}
			n = k + int(size)
			fl.bytes = b[k:n:n]
		case 5:
			if n = 4; len(b) < n {
				return errWire
			}
			fl.value = uint64(binary.LittleEndian.Uint32(b))
		default: // groups, which Ray does not use
			return errWire
		}
		b = b[n:]
		if err := f(fl); err != nil {
			return err
		}
	}
	return nil
}
