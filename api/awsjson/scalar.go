package awsjson

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"time"
)

// scalar reads a value of one of the scalar kinds into v.
func (d *decoder) scalar(v reflect.Value, k kind, iso bool) error {
	c := d.peek()
	isNumber := c == '-' || c-'0' <= 9
	switch {
	case k == kindString && c == '"':
		t, err := d.text()
		if err != nil {
			return d.inMember(err)
		}
		v.SetString(string(t))
		return nil
	case k == kindBool && d.word("true"):
		v.SetBool(true)
		return nil
	case k == kindBool && d.word("false"):
		v.SetBool(false)
		return nil
	case (k == kindInt32 || k == kindInt64) && isNumber:
		return d.integer(v)
	case k == kindFloat && (isNumber || c == '"'):
		return d.float(v, isNumber)
	case k == kindTime && iso:
		return d.isoTime(v)
	case k == kindTime && isNumber:
		return d.epochTime(v)
	}
	return d.wrongType(expected[k])
}

// inMember adds the member to a fault of the scanner, which does not know it.
func (d *decoder) inMember(err error) error {
	f := *err.(*Fault)
	f.Message = d.where() + ": " + f.Message
	return &f
}

func (d *decoder) integer(v reflect.Value) error {
	text, err := d.number()
	if err != nil {
		return d.inMember(err)
	}
	n, problem := parseInteger(text)
	if problem == "" && v.OverflowInt(n) {
		problem = outOfRange
	}
	if problem != "" {
		return d.refuse("expected an integer of " + strconv.Itoa(v.Type().Bits()) + " bits, found " +
			cut(string(text), maxShownNumber) + ", which is " + problem)
	}
	v.SetInt(n)
	return nil
}

const (
	outOfRange     = "out of range"
	maxShownNumber = 40
)

// parseInteger reads a number of JSON's grammar, exactly: 1.0, 10e-1 and 1e3 are
// integers too. The exponent may be of any length, the work is that of reading it.
func parseInteger(text []byte) (n int64, problem string) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, ""
	}
	mantissa, exponent := text, 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		mantissa = text[:i]
		e, err := strconv.Atoi(string(text[i+1:]))
		if err != nil { // larger than any int: the sign says it all
			e = math.MaxInt32
			if text[i+1] == '-' {
				e = math.MinInt32
			}
		}
		exponent = max(min(e, math.MaxInt32), math.MinInt32)
	}
	negative := mantissa[0] == '-'
	mantissa = bytes.TrimPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := append(bytes.Clone(whole), fraction...)
	exponent -= len(fraction)

	digits = bytes.TrimLeft(digits, "0")
	if len(digits) == 0 {
		return 0, ""
	}
	trimmed := bytes.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if exponent < 0 {
		return 0, "no integer"
	}
	if len(trimmed)+exponent > 19 { // the digits of the largest int64
		return 0, outOfRange
	}
	if negative {
		trimmed = append([]byte("-"), trimmed...)
	}
	trimmed = append(trimmed, bytes.Repeat([]byte("0"), exponent)...)
	n, err := strconv.ParseInt(string(trimmed), 10, 64)
	if err != nil {
		return 0, outOfRange
	}
	return n, ""
}

func (d *decoder) float(v reflect.Value, isNumber bool) error {
	if !isNumber {
		return d.namedFloat(v)
	}
	text, err := d.number()
	if err != nil {
		return d.inMember(err)
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return d.refuse("expected a number, found " + cut(string(text), maxShownNumber) + ", which is " + outOfRange)
	}
	v.SetFloat(f)
	return nil
}

// namedFloat reads the floating point numbers that JSON cannot write.
func (d *decoder) namedFloat(v reflect.Value) error {
	start := d.pos
	text, err := d.text()
	if err != nil {
		return d.inMember(err)
	}
	switch string(text) {
	case "NaN":
		v.SetFloat(math.NaN())
	case "Infinity":
		v.SetFloat(math.Inf(1))
	case "-Infinity":
		v.SetFloat(math.Inf(-1))
	default:
		d.pos = start
		return d.wrongType(expected[kindFloat])
	}
	return nil
}

// Times are kept to the millisecond, and to years of four digits.
var (
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
)

func (d *decoder) epochTime(v reflect.Value) error {
	text, err := d.number()
	if err != nil {
		return d.inMember(err)
	}
	f, err := strconv.ParseFloat(string(text), 64)
	ms := math.Round(f * 1000)
	if err != nil || ms < float64(minTime.UnixMilli()) || ms > float64(maxTime.UnixMilli()) {
		return d.refuse("expected a time in seconds, found " + cut(string(text), maxShownNumber) + ", which is " + outOfRange)
	}
	v.Set(reflect.ValueOf(time.UnixMilli(int64(ms)).UTC()))
	return nil
}

func (d *decoder) isoTime(v reflect.Value) error {
	const want = "a time such as \"2006-01-02T15:04:05Z\""
	if d.peek() != '"' {
		return d.wrongType(want)
	}
	text, err := d.text()
	if err != nil {
		return d.inMember(err)
	}
	t, err := time.Parse(time.RFC3339, string(text))
	t = t.Truncate(time.Millisecond).UTC()
	if err != nil || t.Before(minTime) || t.After(maxTime) {
		return d.refuse("expected " + want + ", found " + strconv.Quote(cut(string(text), maxShownNumber)))
	}
	v.Set(reflect.ValueOf(t))
	return nil
}
