package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	remora "github.com/remora-project/remora"
)

// item is an entry of a zip in the making.
type item struct {
	name string
	data string
	mode fs.FileMode // 0: 0644
	raw  func(*zip.FileHeader)
}

// pack makes a zip.
func pack(t testing.TB, items ...item) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		if strings.HasSuffix(i.name, "/") {
			h.Method = zip.Store
		}
		mode := i.mode
		if mode == 0 {
			mode = 0o644
		}
		h.SetMode(mode)
		var w io.Writer
		var err error
		if i.raw != nil {
			h.Method = zip.Store
			h.CRC32 = crc32.ChecksumIEEE([]byte(i.data))
			h.CompressedSize64, h.UncompressedSize64 = uint64(len(i.data)), uint64(len(i.data))
			i.raw(h)
			w, err = z.CreateRaw(h)
		} else {
			w, err = z.CreateHeader(h)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func unpack(t testing.TB, data []byte, dst string, limits Limits) (string, error) {
	t.Helper()
	return Unpack(t.Context(), bytes.NewReader(data), int64(len(data)), dst, limits)
}

// contents lists what is below a directory: paths with modes, and contents of files.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/") + " " + info.Mode().String()
		if !d.Type().IsRegular() {
			out[name] = ""
			return nil
		}
		data, err := os.ReadFile(path)
		out[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnpack(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	parent := t.TempDir()
	dst := filepath.Join(parent, "dst")
	data := pack(t,
		item{name: "pkg/sub/deep/x.py", data: "x = 1\n"}, // before its directories
		item{name: "pkg/", mode: fs.ModeDir | 0o700},
		item{name: "pkg/sub/", mode: fs.ModeDir | 0o1777},
		item{name: "pkg/run.sh", data: "#!/bin/sh\n", mode: fs.ModeSetuid | 0o4711},
		item{name: "pkg/Run.sh", data: "another", mode: 0o600},
		item{name: "pkg/empty", mode: 0o666},
		item{name: "pkg/größe 大.txt", data: strings.Repeat("0", 100_000)},
		item{name: "__MACOSX/", mode: fs.ModeDir | 0o755},
		item{name: "__MACOSX/._pkg", data: "resource fork"},
	)
	top, err := unpack(t, data, dst, Limits{})
	if err != nil || top != "pkg" {
		t.Fatalf("Unpack returned %q, %v", top, err)
	}
	want := map[string]string{
		"dst drwxr-xr-x":                   "",
		"dst/pkg drwxr-xr-x":               "",
		"dst/pkg/sub drwxr-xr-x":           "",
		"dst/pkg/sub/deep drwxr-xr-x":      "",
		"dst/pkg/sub/deep/x.py -rw-r--r--": "x = 1\n",
		"dst/pkg/run.sh -rwxr-xr-x":        "#!/bin/sh\n",
		"dst/pkg/Run.sh -rw-r--r--":        "another",
		"dst/pkg/empty -rw-r--r--":         "",
		"dst/pkg/größe 大.txt -rw-r--r--":   strings.Repeat("0", 100_000),
	}
	got := contents(t, parent)
	for name, data := range want {
		if have, ok := got[name]; !ok || have != data {
			t.Errorf("%s is not there or holds something else", name)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("there is also %v", got)
	}

	if _, err := unpack(t, data, dst, Limits{}); remora.KindOf(err) != remora.AlreadyExists {
		t.Errorf("over what is there: %v", err)
	}
	if _, err := unpack(t, data, filepath.Join(dst, "pkg/empty"), Limits{}); remora.KindOf(err) != remora.AlreadyExists {
		t.Errorf("over a file: %v", err)
	}
	if _, err := unpack(t, data, filepath.Join(parent, "none/dst"), Limits{}); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("into a directory that is not there: %v", err)
	}
}

// central changes the list's entry number n, counted from 0.
func central(data []byte, n int, change func(entry []byte)) []byte {
	at := 0
	for range n + 1 {
		at += bytes.Index(data[at+1:], []byte("PK\x01\x02")) + 1
	}
	change(data[at:])
	return data
}

// What breaks a rule is refused with the rule, and leaves nothing behind.
func TestRules(t *testing.T) {
	small := Limits{Entries: 5, EntryBytes: 1000, TotalBytes: 2000, Depth: 4}
	py := item{name: "pkg/a.py", data: "a"}
	one := func(name string) []byte { return pack(t, item{name: name, data: "a"}) }
	raw := func(change func(*zip.FileHeader)) []byte {
		return pack(t, py, item{name: "pkg/b.py", data: "b", raw: change})
	}
	cases := []struct {
		name string
		zip  []byte
		want string
	}{
		{"parent", one("pkg/../../evil"), `entry "pkg/../../evil" leads out of the archive`},
		{"parent first", one("../evil"), "leads out of the archive"},
		{"absolute", one("/etc/passwd"), `entry "/etc/passwd" is an absolute path`},
		{"backslash", one(`pkg\..\evil`), "backslash"},
		{"drive", one("C:/evil"), "drive letter"},
		{"nul", one("pkg/a\x00b"), `entry "pkg/a\x00b" has a NUL`},
		{"control", one("pkg/a\nb\x1b[31m"), `entry "pkg/a\nb\x1b[31m" has a control character`},
		{"not utf-8", one("pkg/\xff\xfe"), `"pkg/\xff\xfe" has a name that is not UTF-8`},
		{"no name", one(""), "has no name"},
		{"dot", one("./pkg/a"), "not a plain path"},
		{"empty component", one("pkg//a"), "not a plain path"},
		{"long component", one("pkg/" + strings.Repeat("n", 256)), "more than 255 bytes in its path"},
		{"long path", one("p" + strings.Repeat("/nnn", 1000)), "… (4001 bytes) has a name of more than 2048 bytes"},
		{"deep", one("pkg/1/2/3/4"), "is nested 5 deep, more than 4"},
		{"symlink", pack(t, item{name: "pkg/l", data: "/etc/passwd", mode: fs.ModeSymlink | 0o777}), "a symbolic link"},
		{"device", pack(t, item{name: "pkg/d", mode: fs.ModeDevice | 0o666}), "a device"},
		{"pipe", pack(t, item{name: "pkg/p", mode: fs.ModeNamedPipe | 0o666}), "a named pipe"},
		{"socket", pack(t, item{name: "pkg/s", mode: fs.ModeSocket | 0o666}), "a socket"},
		{"twice", pack(t, py, py), `entry "pkg/a.py" is there twice`},
		{"directory twice", pack(t, item{name: "pkg/"}, item{name: "pkg/"}), "is there twice"},
		{"file, then directory", pack(t, py, item{name: "pkg/a.py/"}), "both a file and a directory"},
		{"file, then below it", pack(t, py, item{name: "pkg/a.py/b"}), `is below "pkg/a.py", which is a file`},
		{"below it, then file", pack(t, item{name: "pkg/a/b", data: "b"}, item{name: "pkg/a", data: "a"}), "both a file and a directory"},
		{"directory, then file", pack(t, item{name: "pkg/a/"}, item{name: "pkg/a", data: "a"}), "both a file and a directory"},
		{"encrypted", raw(func(h *zip.FileHeader) { h.Flags |= 1 }), `entry "pkg/b.py" is encrypted`},
		{"strongly encrypted", raw(func(h *zip.FileHeader) { h.Flags |= 1 << 6 }), "is encrypted"},
		{"method", raw(func(h *zip.FileHeader) { h.Method = 12 }), "compressed by method 12"},
		{"two tops", pack(t, py, item{name: "other/b.py", data: "b"}), `entry "other/b.py" is not in "pkg"`},
		{"two empty tops", pack(t, item{name: "pkg/"}, item{name: "other/"}), `entry "other/" is not in "pkg"`},
		{"file beside it", pack(t, py, item{name: "setup.py", data: "b"}), `entry "setup.py" is not in a directory`},
		{"nothing", pack(t), "no top-level directory"},
		{"macOS's only", one("__MACOSX/._a"), "no top-level directory"},
		{"no zip", []byte("PK, but no zip"), "it is damaged or no zip"},
		{"torn", pack(t, py)[:60], "it is damaged or no zip"},
		{"checksum", raw(func(h *zip.FileHeader) { h.CRC32++ }), `damaged or no zip at entry "pkg/b.py": zip: checksum error`},
		{"not deflated", raw(func(h *zip.FileHeader) { h.Method = zip.Deflate }), `damaged or no zip at entry "pkg/b.py"`},
		{"stored with another size", raw(func(h *zip.FileHeader) { h.UncompressedSize64 = 7 }), "is stored, yet has 7 bytes and takes up 1"},
		{"directory with contents", central(pack(t, item{name: "pkg/"}), 0,
			func(e []byte) { binary.LittleEndian.PutUint32(e[24:], 10) }), "a directory with contents"},
		{"too many", pack(t, item{name: "p/1"}, item{name: "p/2"}, item{name: "p/3"}, item{name: "p/4"}, item{name: "p/5"},
			item{name: "p/6"}), "it has 6 entries, more than 5"},
		{"too many directories", pack(t, item{name: "p/1/2/3"}, item{name: "p/2/2/3"}), "more than 5 files and directories"},
		{"large", pack(t, item{name: "pkg/a", data: strings.Repeat("a", 1001)}), `entry "pkg/a" has 1001 bytes, more than 1000`},
		{"large together", pack(t, item{name: "pkg/a", data: strings.Repeat("a", 900)}, item{name: "pkg/b", data: strings.Repeat("b", 900)},
			item{name: "pkg/c", data: strings.Repeat("c", 900)}), "more than 2000 bytes inflated"},
		{"larger than announced", central(pack(t, item{name: "pkg/a", data: strings.Repeat("a", 1001)}), 0,
			func(e []byte) { binary.LittleEndian.PutUint32(e[24:], 10) }), `damaged or no zip at entry "pkg/a"`},
		{"overlap", central(pack(t, py, item{name: "pkg/b.py", data: "b"}), 1,
			func(e []byte) { binary.LittleEndian.PutUint32(e[42:], 0) }), `overlaps entry "pkg/`},
		{"beyond the end", central(pack(t, py), 0,
			func(e []byte) { binary.LittleEndian.PutUint32(e[42:], 1<<30) }), "damaged or no zip"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := unpack(t, tc.zip, filepath.Join(parent, "dst"), small)
			if remora.KindOf(err) != remora.Invalid || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Unpack returned %v: %v; want %s", remora.KindOf(err), err, tc.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x00\n\x1b") {
				t.Errorf("the message has control characters: %q", err)
			}
			if left := contents(t, parent); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// Bombs that only show when they go off: the counting ends them.
func TestBombs(t *testing.T) {
	zeros := strings.Repeat("\x00", 18<<20)
	bomb := pack(t, item{name: "pkg/zeros", data: zeros})
	parent := t.TempDir()
	_, err := unpack(t, bomb, filepath.Join(parent, "dst"), Limits{Ratio: 100})
	if remora.KindOf(err) != remora.Invalid || !strings.Contains(err.Error(), "more than 100 times its") {
		t.Errorf("ratio: %v", err)
	}
	if left := contents(t, parent); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	if _, err := unpack(t, pack(t, item{name: "pkg/zeros", data: zeros[:free]}), filepath.Join(parent, "dst"),
		Limits{Ratio: 100}); err != nil {
		t.Errorf("a small file of zeros: %v", err)
	}

	b := &budget{limits: Limits{EntryBytes: 10, TotalBytes: 15, Ratio: 100}, archive: 1000}
	var out bytes.Buffer
	if err := fill(&out, strings.NewReader("0123456789"), "a", b); err != nil || out.Len() != 10 {
		t.Errorf("up to the limit: %v, %d bytes", err, out.Len())
	}
	if err := fill(&out, strings.NewReader("012345"), "b", b); err == nil || !strings.Contains(err.Error(), "more than 15 bytes inflated") {
		t.Errorf("above the total: %v", err)
	}
	b.total = 0
	if err := fill(&out, strings.NewReader("0123456789A"), "c", b); err == nil || !strings.Contains(err.Error(), `"c" has more than 10`) {
		t.Errorf("above the limit of an entry: %v", err)
	}
	if out.Len() != 10 {
		t.Errorf("%d bytes were written, want 10", out.Len())
	}
}

// The list of entries is bounded before it is in memory.
func TestLongList(t *testing.T) {
	var items []item
	for i := range 1000 {
		items = append(items, item{name: "pkg/" + strings.Repeat("n", 200) + string(rune('a'+i%26)) + strings.Repeat("m", i%50)})
	}
	_, err := unpack(t, pack(t, items...), filepath.Join(t.TempDir(), "dst"), Limits{Entries: 10})
	if remora.KindOf(err) != remora.Invalid || !strings.Contains(err.Error(), "list of entries is too long") {
		t.Errorf("Unpack returned %v", err)
	}
}

type failing struct{ io.ReaderAt }

var errDisk = errors.New("disk on fire")

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off < 100 {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(b, off)
}

func TestUnreadable(t *testing.T) {
	data := pack(t, item{name: "pkg/a", data: strings.Repeat("some text ", 100)})
	src := failing{bytes.NewReader(data)}
	parent := t.TempDir()
	_, err := Unpack(t.Context(), src, int64(len(data)), filepath.Join(parent, "dst"), Limits{})
	if !errors.Is(err, errDisk) || remora.KindOf(err) != remora.Unavailable {
		t.Errorf("Unpack returned %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = Unpack(ctx, bytes.NewReader(data), int64(len(data)), filepath.Join(parent, "dst"), Limits{})
	if remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), "enough") {
		t.Errorf("with a context that has ended: %v", err)
	}
	if left := contents(t, parent); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}
