package modules

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

// objects is an S3 in memory.
type objects map[string][]byte

func (o objects) Fetch(ctx context.Context, uri string, w io.Writer, limit int64) error {
	body, ok := o[uri]
	switch {
	case ctx.Err() != nil:
		return remora.Unavailablef("test", uri, "reading %s was given up: %w", uri, ctx.Err())
	case !ok:
		return remora.NotFoundf("test", uri, "%s does not exist", uri)
	case int64(len(body)) > limit:
		return remora.Invalidf("test", uri, "%s is too large", uri)
	}
	if _, err := w.Write(body); err != nil {
		return remora.Unavailablef("test", uri, "store %s: %w", uri, err)
	}
	return nil
}

// packed makes a zip of names and contents in turn.
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for f := range slices.Chunk(files, 2) {
		w, err := z.Create(f[0])
		if err == nil {
			_, err = io.WriteString(w, f[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// envs are the runtimes of a test. They note what they are asked for.
type envs struct {
	asked []request
	err   error                     // what Overlay fails with, if it is set
	wait  func(ctx context.Context) // called by Overlay, if it is set
}

// request is one call of Overlay.
type request struct {
	name         string
	requirements []string // of files their base names
	files        []string // whole, as they were given
	contents     []string // of those files, then
}

func (e *envs) Names() []string { return []string{"Ray2.60"} }

func (e *envs) Ensure(context.Context, string, func(string)) (remora.Runtime, error) {
	return remora.Runtime{}, remora.Internalf("test", "", "Overlay does what Ensure does")
}

func (e *envs) Overlay(ctx context.Context, name string, requirements []string, progress func(string)) (remora.Runtime, error) {
	r := request{name: name}
	for _, req := range requirements {
		if filepath.IsAbs(req) {
			body, err := os.ReadFile(req)
			if err != nil {
				return remora.Runtime{}, remora.Invalidf("test", req, "%w", err)
			}
			r.files, r.contents = append(r.files, req), append(r.contents, string(body))
			req = filepath.Base(req)
		}
		r.requirements = append(r.requirements, req)
	}
	e.asked = append(e.asked, r)
	if e.wait != nil {
		e.wait(ctx)
	}
	if ctx.Err() != nil {
		return remora.Runtime{}, remora.Unavailablef("test", name, "install packages: %w", ctx.Err())
	}
	if e.err != nil {
		return remora.Runtime{}, e.err
	}
	progress(fmt.Sprintf("%d packages are ready", len(requirements)))
	return remora.Runtime{Name: name, Dir: "/env", Python: "/env/bin/python", Env: map[string]string{"PYTHONPATH": "/boot"},
		Path: []string{"/overlay/site"}, Locks: []string{"/env.used", "/overlay.used"}}, nil
}

// bed is a stage with what it works on.
type bed struct {
	t       *testing.T
	envs    *envs
	objects objects
	dir     string // to prepare in
	said    []string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, envs: &envs{}, objects: objects{}, dir: filepath.Join(t.TempDir(), "job", "modules")}
	t.Cleanup(func() { // whatever the job brings along, it stays in its folder
		if left := below(t, filepath.Dir(filepath.Dir(b.dir)), 2); !slices.Equal(left, []string{"job", "job/modules"}) {
			t.Errorf("outside the job's folder there is %q", left)
		}
	})
	return b
}

// below lists what is in a directory, so many levels deep.
func below(t *testing.T, dir string, levels int) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		names = append(names, name)
		if d.IsDir() && strings.Count(name, "/") == levels-1 {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (b *bed) prepare(ctx context.Context, w Wants) (Ready, error) {
	b.t.Helper()
	return Stage{b.envs, b.objects}.Prepare(ctx, "Ray2.60", w, b.dir, func(line string) { b.said = append(b.said, line) })
}

// must prepares what a job's arguments say.
func (b *bed) must(args map[string]string) Ready {
	b.t.Helper()
	w, err := FromArguments(args)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := b.prepare(b.t.Context(), w)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// refuses prepares what cannot be had.
func (b *bed) refuses(args map[string]string, kind remora.Kind, words ...string) {
	b.t.Helper()
	w, err := FromArguments(args)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := b.prepare(b.t.Context(), w)
	if err == nil || remora.KindOf(err) != kind {
		b.t.Errorf("Prepare(%q) returned %+v, %v: %v; want %v", args, r, remora.KindOf(err), err, kind)
		return
	}
	for _, want := range words {
		if !strings.Contains(remora.MessageOf(err), want) {
			b.t.Errorf("Prepare(%q): message %q lacks %q", args, remora.MessageOf(err), want)
		}
	}
	if _, err := Load(b.dir); remora.KindOf(err) != remora.NotFound {
		b.t.Errorf("Load afterwards: %v", err)
	}
}
