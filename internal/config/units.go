package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time such as "90s" or "480m".
type Duration time.Duration

// UnmarshalText reads a time.ParseDuration string.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 90s or 480m", text)
	}
	*d = Duration(v)
	return nil
}

// Bytes is a size such as "64GiB"; a bare number is bytes.
type Bytes int64

var units = []struct {
	suffix string
	factor int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// UnmarshalText reads a number with a binary unit.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || v < 0 || v*float64(u.factor) > 1<<62 {
			break
		}
		*b = Bytes(v * float64(u.factor))
		return nil
	}
	return fmt.Errorf("%q is not a size such as 512MiB or 64GiB", text)
}

// String writes the size with the largest unit of which it is at least one.
func (b Bytes) String() string {
	for _, u := range units {
		if n := float64(b) / float64(u.factor); n >= 1 && u.suffix != "" {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") + " " + u.suffix
		}
	}
	return "0 B"
}
