package archive

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plan is what to write, parents before what is in them.
type plan struct {
	top     string
	entries []entry
}

// entry is a file or directory to write.
type entry struct {
	path string // relative, clean
	dir  bool
	mode fs.FileMode
	file *zip.File
}

// The longest names: a component that Linux's file systems take, and a path
// that leaves room for whatever it is put under.
const (
	maxComponent = 255
	maxPath      = 2048
)

// hidden is the directory that macOS's archiver adds for resource forks.
const hidden = "__MACOSX"

// check holds a list of entries against all rules that need no inflating, but
// for where in the zip they are, and returns what they announce to have
// inflated.
func check(files []*zip.File, limits Limits) (entries []entry, total int64, err error) {
	if len(files) > limits.Entries {
		return nil, 0, &violation{rule: fmt.Sprintf("it has %d entries, more than %d", len(files), limits.Entries)}
	}
	t := tree{}
	for _, f := range files {
		refuse := func(format string, args ...any) error {
			return &violation{entry: f.Name, rule: fmt.Sprintf(format, args...)}
		}
		names, err := components(f.Name)
		if err != nil {
			return nil, 0, err
		}
		if len(names) > limits.Depth {
			return nil, 0, refuse("is nested %d deep, more than %d", len(names), limits.Depth)
		}
		mode := f.Mode()
		dir := mode.IsDir()
		switch {
		case mode.Type()&^fs.ModeDir != 0:
			return nil, 0, refuse("is neither a file nor a directory but %s", kind(mode))
		case f.Flags&(1|1<<6|1<<13) != 0:
			return nil, 0, refuse("is encrypted")
		case f.Method != zip.Store && f.Method != zip.Deflate:
			return nil, 0, refuse("is compressed by method %d; only stored and deflated ones can be read", f.Method)
		case dir && f.UncompressedSize64 > 0:
			return nil, 0, refuse("is a directory with contents of its own")
		case f.UncompressedSize64 > uint64(limits.EntryBytes):
			return nil, 0, refuse("has %d bytes, more than %d", f.UncompressedSize64, limits.EntryBytes)
		case f.Method == zip.Store && f.CompressedSize64 != f.UncompressedSize64:
			return nil, 0, refuse("is stored, yet has %d bytes and takes up %d", f.UncompressedSize64, f.CompressedSize64)
		}
		// It cannot overflow: both terms are within limits.
		if total += int64(f.UncompressedSize64); total > limits.TotalBytes {
			return nil, 0, &violation{rule: fmt.Sprintf("it has more than %d bytes inflated", limits.TotalBytes)}
		}
		if rule := t.add(names, dir); rule != "" {
			return nil, 0, refuse("%s", rule)
		}
		if len(t) > limits.Entries {
			return nil, 0, &violation{rule: fmt.Sprintf("it has more than %d files and directories", limits.Entries)}
		}
		entries = append(entries, entry{path: strings.Join(names, "/"), dir: dir, mode: mode, file: f})
	}
	return entries, total, nil
}

// oneDirectory refuses entries that are not in one directory, which it names.
// What macOS adds beside it is left out.
func oneDirectory(entries []entry) (plan, error) {
	var p plan
	for _, e := range entries {
		top, _, below := strings.Cut(e.path, "/")
		switch {
		case top == hidden:
			continue
		case !below && !e.dir:
			return plan{}, &violation{e.file.Name, "is not in a directory; everything must be in one top-level directory"}
		case p.top == "":
			p.top = top
		case p.top != top:
			return plan{}, &violation{e.file.Name, "is not in " + quote(p.top) + "; everything must be in one top-level directory"}
		}
		p.entries = append(p.entries, e)
	}
	if p.top == "" {
		return plan{}, &violation{rule: "it has no top-level directory"}
	}
	return p, nil
}

// components splits a name into its parts, all of which are plain file names.
func components(name string) ([]string, error) {
	refuse := func(format string, args ...any) ([]string, error) {
		return nil, &violation{entry: name, rule: fmt.Sprintf(format, args...)}
	}
	switch {
	case name == "":
		return refuse("has no name")
	case len(name) > maxPath:
		return refuse("has a name of more than %d bytes", maxPath)
	case !utf8.ValidString(name):
		return refuse("has a name that is not UTF-8")
	case strings.ContainsRune(name, 0):
		return refuse("has a NUL in its name")
	case strings.ContainsFunc(name, unicode.IsControl):
		return refuse("has a control character in its name")
	case strings.Contains(name, `\`):
		return refuse("has a backslash in its name")
	case name[0] == '/':
		return refuse("is an absolute path")
	case len(name) > 1 && name[1] == ':' && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z'):
		return refuse("starts with a drive letter")
	}
	names := strings.Split(strings.TrimSuffix(name, "/"), "/")
	for _, n := range names {
		switch {
		case n == "..":
			return refuse("leads out of the archive (..)")
		case n == "" || n == ".":
			return refuse("is not a plain path: an empty name or a dot is in it")
		case len(n) > maxComponent:
			return refuse("has a name of more than %d bytes in its path", maxComponent)
		}
	}
	return names, nil
}

// tree knows the paths so far, to find those that exclude each other. Names
// that differ in case only are different ones.
type tree map[string]node

type node uint8

const (
	implied   node = iota + 1 // a directory, by something in it
	directory                 // a directory, by an entry of its own
	file
)

// add returns the rule that a path breaks, "" if none.
func (t tree) add(names []string, dir bool) string {
	path := strings.Join(names, "/")
	for i, c := range path {
		if c != '/' {
			continue
		}
		switch t[path[:i]] {
		case file:
			return "is below " + quote(path[:i]) + ", which is a file"
		case 0:
			t[path[:i]] = implied
		}
	}
	switch before := t[path]; {
	case before == implied && dir:
		t[path] = directory
	case before == 0 && dir:
		t[path] = directory
	case before == 0:
		t[path] = file
	case (before == file) == dir || before == implied:
		return "is both a file and a directory"
	default:
		return "is there twice"
	}
	return ""
}

func kind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "something of mode " + mode.String()
}

// localHeader is the length of what precedes an entry's name and data.
const localHeader = 30

// checkOverlap refuses entries that share bytes of the zip, by which a small
// one inflates to any size.
func checkOverlap(files []*zip.File) error {
	type span struct {
		from, to int64
		name     string
	}
	spans := make([]span, 0, len(files))
	for _, f := range files {
		data, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("entry %s: %w", quote(f.Name), err)
		}
		// The compressed size was compared with nothing yet: it may be anything.
		if f.CompressedSize64 > 1<<62 || data < localHeader {
			return &violation{entry: f.Name, rule: "is not within the zip"}
		}
		spans = append(spans, span{data - localHeader, data + int64(f.CompressedSize64), f.Name})
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return &violation{entry: spans[i].name, rule: "overlaps entry " + quote(spans[i-1].name)}
		}
	}
	return nil
}
