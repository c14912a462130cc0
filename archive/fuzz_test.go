package archive

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
)

// Whatever the bytes: nothing outside dst, nothing above a limit, no panic, and
// all or nothing.
func FuzzUnpack(f *testing.F) {
	good := pack(f, item{name: "pkg/", mode: fs.ModeDir | 0o755}, item{name: "pkg/a.py", data: "a"},
		item{name: "pkg/b/c", data: strings.Repeat("c", 500), mode: 0o755})
	f.Add(good)
	for _, name := range []string{"../evil", "/evil", `..\evil`, "pkg/../../evil", "pkg/\x00", "__MACOSX/a", "dst"} {
		f.Add(pack(f, item{name: "pkg/a", data: "a"}, item{name: name, data: "evil"}))
	}
	f.Add(pack(f, item{name: "pkg/l", data: "../..", mode: fs.ModeSymlink | 0o777}, item{name: "pkg/l/evil", data: "evil"}))
	f.Add(pack(f, item{name: "pkg/zeros", data: strings.Repeat("\x00", 5000)}))
	f.Add(central(append([]byte{}, good...), 1, func(e []byte) { binary.LittleEndian.PutUint32(e[42:], 0) }))
	f.Add(append([]byte("#!/bin/sh\n"), good...))
	limits := Limits{Entries: 8, EntryBytes: 1000, TotalBytes: 1500, Ratio: 50, Depth: 4}
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		dst := filepath.Join(parent, "in", "dst")
		canary := filepath.Join(parent, "canary")
		if err := os.Mkdir(filepath.Join(parent, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(canary, []byte("alive"), 0o600); err != nil {
			t.Fatal(err)
		}
		top, err := unpack(t, data, dst, limits)
		if err != nil && remora.KindOf(err) != remora.Invalid {
			t.Errorf("%v: %v", remora.KindOf(err), err)
		}
		var files, total int
		for name, data := range contents(t, parent) {
			switch {
			case name == "canary -rw-------" && data == "alive", name == "in drwxr-xr-x":
			case err != nil:
				t.Errorf("it failed (%v) and left %s", err, name)
			case name == "in/dst drwxr-xr-x", name == "in/dst/"+top+" drwxr-xr-x":
			case !strings.HasPrefix(name, "in/dst/"+top+"/"):
				t.Errorf("it made %s", name)
			case strings.HasSuffix(name, " drwxr-xr-x"), strings.HasSuffix(name, " -rw-r--r--"), strings.HasSuffix(name, " -rwxr-xr-x"):
				files++
				total += len(data)
				if int64(len(data)) > limits.EntryBytes {
					t.Errorf("%s has %d bytes", name, len(data))
				}
			default:
				t.Errorf("mode of %s", name)
			}
		}
		if files > limits.Entries || int64(total) > limits.TotalBytes {
			t.Errorf("%d files of %d bytes", files, total)
		}
	})
}
