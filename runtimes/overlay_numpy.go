package runtimes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// suitNumpy puts a numpy below 2 beside packages that were built for one. They
// do not import with a later one ("numpy.dtype size changed", "_ARRAY_API not
// found"), and of those that are older than it, few say so in what they require:
// neither pandas 1.5 nor pyarrow 11 does. What was built for numpy 2 works with
// numpy 1 as well.
func (b *overlayAssembly) suitNumpy(ctx context.Context) error {
	numpy := b.has["numpy"]
	for _, m := range b.missing {
		if name, version := missing(m); name == "numpy" {
			numpy = version
		}
	}
	if major, _, _ := strings.Cut(numpy, "."); numpy == "" || major == "0" || major == "1" {
		return nil
	}
	built, err := builtForNumpy1(filepath.Join(b.dir, site))
	if err != nil || len(built) == 0 {
		return err
	}
	list := strings.Join(built, ", ")
	before := b.missing
	b.numpy1 = true
	if err := b.resolve(ctx); err != nil {
		if !unsatisfiable(err) {
			return err
		}
		b.missing = before
		b.notices = append(b.notices, list+" was built for numpy 1 and may not import: what the job asks for does not go with a numpy below 2")
		return nil
	}
	b.notices = append(b.notices, list+" was built for numpy 1, which is why numpy is replaced")
	gone := func(m string) bool { return !slices.Contains(b.missing, m) }
	if slices.ContainsFunc(before, gone) {
		target := filepath.Join(b.dir, site)
		if err := errors.Join(os.RemoveAll(target), os.Mkdir(target, 0o755)); err != nil {
			return err
		}
		before = nil
	}
	there := func(m string) bool { return slices.Contains(before, m) }
	return b.install(ctx, slices.DeleteFunc(slices.Clone(b.missing), there))
}

// builtForNumpy1 lists the packages and modules in a directory with a native
// module that looks for numpy's C interface where it was before numpy 2, and
// there alone: what is built for numpy 2 looks in both places.
func builtForNumpy1(dir string) ([]string, error) {
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(d.Name(), ".so") {
			return err
		}
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		top, _, _ := strings.Cut(below, string(filepath.Separator))
		top, _, _ = strings.Cut(top, ".")
		if found[top] || top == "numpy" {
			return nil
		}
		has, err := contains(path, "numpy.core._multiarray_umath", "numpy.core.multiarray", "numpy._core")
		if err == nil && (has[0] || has[1]) && !has[2] {
			found[top] = true
		}
		return err
	})
	return slices.Sorted(maps.Keys(found)), err
}

// contains says which of the words are in a file.
func contains(path string, words ...string) ([]bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	longest := 0
	for _, w := range words {
		longest = max(longest, len(w))
	}
	has := make([]bool, len(words))
	buf := make([]byte, 1<<20)
	kept := 0 // bytes of the last piece, in which a word may begin
	for {
		n, err := io.ReadFull(f, buf[kept:])
		piece := buf[:kept+n]
		for i, w := range words {
			has[i] = has[i] || bytes.Contains(piece, []byte(w))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return has, nil
		}
		if err != nil {
			return nil, err
		}
		kept = copy(buf, piece[len(piece)-longest+1:])
	}
}
