package archive

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
)

// What somebody else unpacks may have any layout, and keeps the other rules.
func TestInspect(t *testing.T) {
	inspect := func(data []byte, limits Limits) error {
		return Inspect(t.Context(), bytes.NewReader(data), int64(len(data)), "x.whl", limits)
	}
	wheel := []item{{name: "pkg/a.py", data: "a"}, {name: "beside.py", data: "b"}, {name: "pkg-1.dist-info/RECORD", data: "c"}}
	zeros := item{name: "pkg/zeros", data: strings.Repeat("\x00", 18<<20)}
	for _, ok := range [][]byte{pack(t, wheel...), pack(t), pack(t, item{name: "pkg/zeros", data: zeros.data[:free]})} {
		if err := inspect(ok, Limits{}); err != nil {
			t.Errorf("a zip of %d bytes: %v", len(ok), err)
		}
	}
	for name, tc := range map[string]struct {
		zip    []byte
		limits Limits
		rule   string
	}{
		"parent": {pack(t, append(wheel, item{name: "../evil"})...), Limits{}, `entry "../evil" leads out of the archive`},
		"ratio":  {pack(t, append(wheel, zeros)...), Limits{}, "it has 18874371 bytes inflated, more than 200 times its"},
		"large":  {pack(t, wheel...), Limits{TotalBytes: 2}, "more than 2 bytes inflated"},
		"many":   {pack(t, wheel...), Limits{Entries: 2}, "it has 3 entries, more than 2"},
		"overlap": {central(pack(t, wheel...), 1, func(e []byte) { binary.LittleEndian.PutUint32(e[42:], 0) }), Limits{},
			"overlaps entry"},
		"no zip": {[]byte("no zip"), Limits{}, "it is damaged or no zip"},
	} {
		if err := inspect(tc.zip, tc.limits); remora.KindOf(err) != remora.Invalid || !strings.Contains(err.Error(), tc.rule) {
			t.Errorf("%s: %v; want %s", name, err, tc.rule)
		}
	}
}
