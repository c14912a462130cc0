package modules

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// deadline is for whatever a test waits for.
const deadline = time.Minute

// The path begins with the working directory; then come modules and files in
// the order in which they are given, and then packages.
func TestPrepare(t *testing.T) {
	b := newBed(t)
	b.objects = objects{
		"s3://b/app.zip":                           packed(t, "app/data.txt", "data", "app/own.py", ""),
		"s3://b/mods/one.zip":                      packed(t, "one/__init__.py", "one", "one/setup.py", "of its own"),
		"s3://b/wheels/w-1.0-py3-none-any.whl":     []byte("wheel w"),
		"s3://b/util.py":                           []byte("util"),
		"s3a://b/two.zip":                          packed(t, "two/__init__.py", "two"),
		"s3://b/d/more.py":                         []byte("more"),
		"s3://b/x-1-py3-none-any.whl":              []byte("wheel x"),
		"s3://b/three.zip":                         packed(t, "three/__init__.py", "three", "three/sub/setup.py", "deeper down"),
		"s3://b/in-one-folder.zip":                 packed(t, "src-1.0/pyproject.toml", "", "src-1.0/src/__init__.py", ""),
		"s3://b/flat.zip":                          packed(t, "setup.py", "", "flat/__init__.py", ""),
		"s3://b/y-1.0.tar.gz":                      []byte("sdist y"),
		"s3://other/wheels/w-1.0-py3-none-any.whl": []byte("another wheel w"),
	}
	args := map[string]string{
		"--working-dir":    "s3://b/app.zip",
		"--s3-py-modules":  "s3://b/mods/one.zip,s3://b/wheels/w-1.0-py3-none-any.whl",
		"--extra-py-files": "s3://b/util.py, s3a://b/two.zip,s3://b/x-1-py3-none-any.whl, s3://b/d/more.py",
		"--pip-install":    "six==1.0,lib>=1,<2,s3://b/flat.zip",
		"--additional-python-modules": "s3://b/three.zip,s3://b/in-one-folder.zip,s3://b/y-1.0.tar.gz,app," +
			"s3://other/wheels/w-1.0-py3-none-any.whl",
	}
	r := b.must(args)
	wantPath := []string{"app: data.txt own.py", "one", "more.py util.py", "two", "three", "/overlay/site"}
	var path []string
	for i, dir := range r.Runtime.Path {
		switch {
		case i == 0:
			path = append(path, filepath.Base(dir)+": "+strings.Join(below(t, dir, 1), " "))
		case strings.HasPrefix(dir, b.dir+"/"):
			path = append(path, strings.Join(below(t, dir, 1), " "))
		default:
			path = append(path, dir)
		}
	}
	if !slices.Equal(path, wantPath) || r.WorkingDir != r.Runtime.Path[0] {
		t.Errorf("working directory %s, path %q with %q, want %q", r.WorkingDir, r.Runtime.Path, path, wantPath)
	}
	for name, want := range map[string]string{"1/one/__init__.py": "one", "2/util.py": "util", "2/more.py": "more", "4/three/sub/setup.py": "deeper down"} {
		i, rest, _ := strings.Cut(name, "/")
		got, err := os.ReadFile(filepath.Join(r.Runtime.Path[i[0]-'0'], rest))
		if err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}

	if len(b.envs.asked) != 1 {
		t.Fatalf("the runtimes were asked for %+v", b.envs.asked)
	}
	asked := b.envs.asked[0]
	wantRequirements := []string{"w-1.0-py3-none-any.whl", "x-1-py3-none-any.whl", "six==1.0", "lib>=1,<2", "flat.zip",
		"in-one-folder.zip", "y-1.0.tar.gz", "app", "w-1.0-py3-none-any.whl"}
	if asked.name != "Ray2.60" || !slices.Equal(asked.requirements, wantRequirements) {
		t.Errorf("the runtime %s was asked for %q, want %q", asked.name, asked.requirements, wantRequirements)
	}
	wantContents := []string{"wheel w", "wheel x", string(b.objects["s3://b/flat.zip"]), string(b.objects["s3://b/in-one-folder.zip"]),
		"sdist y", "another wheel w"}
	if !slices.Equal(asked.contents, wantContents) {
		t.Errorf("the files that were handed over hold %q", asked.contents)
	}
	for _, f := range asked.files {
		if _, err := os.Lstat(f); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", f, err)
		}
	}
	if got := below(t, b.dir, 1); len(got) != 6 || slices.Contains(got, "objects") || !slices.Contains(got, readyName) {
		t.Errorf("in the job's folder there is %q, want five folders and %s", got, readyName)
	}
	if r.Runtime.Name != "Ray2.60" || r.Runtime.Dir != "/env" || r.Runtime.Python != "/env/bin/python" ||
		r.Runtime.Env["PYTHONPATH"] != "/boot" || len(r.Runtime.Locks) != 2 {
		t.Errorf("the runtime is %+v", r.Runtime)
	}
	loaded, err := Load(b.dir)
	if err != nil || !reflect.DeepEqual(loaded, r) {
		t.Errorf("Load returned %+v, %v; want %+v", loaded, err, r)
	}
	if info, err := os.Stat(b.dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the job's folder: %v, %v", info.Mode(), err)
	}
	wantSaid := []string{"getting packages six==1.0, lib>=1,<2, s3://b/flat.zip, s3://b/three.zip, s3://b/in-one-folder.zip, s3://b/y-1.0.tar.gz, " +
		"app, s3://other/wheels/w-1.0-py3-none-any.whl; modules s3://b/mods/one.zip, s3://b/wheels/w-1.0-py3-none-any.whl; " +
		"files s3://b/util.py, s3a://b/two.zip, s3://b/x-1-py3-none-any.whl, s3://b/d/more.py; working directory s3://b/app.zip", "9 packages are ready"}
	if !slices.Equal(b.said, wantSaid) {
		t.Errorf("it said %q", b.said)
	}
}

// An object that is named more than once is brought once.
func TestPrepareRepeated(t *testing.T) {
	b := newBed(t)
	b.objects = objects{"s3://b/one.zip": packed(t, "one/__init__.py", ""), "s3://b/two.py": nil,
		"s3://b/w-1-py3-none-any.whl": packed(t, "w.py", "")}
	r := b.must(map[string]string{"--s3-py-modules": "s3://b/one.zip,s3://b/one.zip,s3://b/w-1-py3-none-any.whl",
		"--extra-py-files": "s3a://b/one.zip,s3://b/two.py,s3://b/two.py", "--pip-install": "s3://b/w-1-py3-none-any.whl,s3://b/one.zip,a,a"})
	if len(r.Runtime.Path) != 3 { // one, the folder of two.py, packages
		t.Errorf("the path is %q", r.Runtime.Path)
	}
	if got, want := b.envs.asked[0].requirements, []string{"w-1-py3-none-any.whl", "a", "a"}; !slices.Equal(got, want) {
		t.Errorf("the runtime was asked for %q, want %q", got, want)
	}
}

// A job that brings nothing along needs no S3.
func TestPrepareNothing(t *testing.T) {
	b := newBed(t)
	r, err := Stage{Runtimes: b.envs}.Prepare(t.Context(), "Ray2.60", Wants{}, b.dir, func(line string) { b.said = append(b.said, line) })
	if err != nil || r.WorkingDir != "" || !slices.Equal(r.Runtime.Path, []string{"/overlay/site"}) {
		t.Errorf("Prepare returned %+v, %v", r, err)
	}
	if loaded, err := Load(b.dir); err != nil || !reflect.DeepEqual(loaded, r) {
		t.Errorf("Load returned %+v, %v; want %+v", loaded, err, r)
	}
	if len(b.envs.asked) != 1 || b.envs.asked[0].requirements != nil || !slices.Equal(b.said, []string{"0 packages are ready"}) {
		t.Errorf("the runtimes were asked for %+v; it said %q", b.envs.asked, b.said)
	}
}

// slow is an S3 that does not answer.
type slow struct{ asked chan struct{} }

func (s slow) Fetch(ctx context.Context, uri string, _ io.Writer, _ int64) error {
	s.asked <- struct{}{}
	<-ctx.Done()
	return remora.Unavailablef("test", uri, "reading %s was given up: %w", uri, ctx.Err())
}

// Who gives up does not wait, whatever is under way, and may come again.
func TestPrepareCancelled(t *testing.T) {
	wants := Wants{Packages: []string{"a"}, Modules: []string{"s3://b/one.zip"}}
	one := objects{"s3://b/one.zip": packed(t, "one/__init__.py", "")}
	under := make(chan struct{}, 1)
	for name, tc := range map[string]struct {
		objects remora.Blobs
		wait    func(context.Context)
	}{
		"S3":       {slow{under}, nil},
		"runtimes": {one, func(ctx context.Context) { under <- struct{}{}; <-ctx.Done() }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.envs.wait = tc.wait
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := Stage{b.envs, tc.objects}.Prepare(ctx, "Ray2.60", wants, b.dir, func(string) {})
				ended <- err
			}()
			select {
			case <-under:
			case err := <-ended:
				t.Fatalf("Prepare returned %v before it was cancelled", err)
			case <-time.After(deadline):
				t.Fatalf("%s was not asked for anything within %s", name, deadline)
			}
			cancel()
			select {
			case err := <-ended:
				if remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), context.Canceled.Error()) {
					t.Errorf("Prepare returned %v", err)
				}
			case <-time.After(deadline):
				t.Fatalf("Prepare did not return within %s", deadline)
			}
			if _, err := Load(b.dir); remora.KindOf(err) != remora.NotFound {
				t.Errorf("Load afterwards: %v", err)
			}
			b.envs.wait, b.objects = nil, one
			if _, err := b.prepare(t.Context(), wants); err != nil {
				t.Errorf("Prepare afterwards: %v", err)
			}
		})
	}
	b := newBed(t)
	b.objects = one
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.prepare(ctx, wants); remora.KindOf(err) != remora.Unavailable || len(b.envs.asked) > 0 {
		t.Errorf("with a context that has ended: %v; the runtimes were asked for %+v", err, b.envs.asked)
	}
}

// Each Prepare starts from scratch, also after one that failed or was killed.
func TestPrepareAgain(t *testing.T) {
	b := newBed(t)
	b.objects = objects{"s3://b/one.zip": packed(t, "one/__init__.py", ""), "s3://b/two.zip": packed(t, "two/__init__.py", "")}
	if _, err := Load(b.dir); remora.KindOf(err) != remora.NotFound {
		t.Errorf("Load before: %v", err)
	}
	first := b.must(map[string]string{"--s3-py-modules": "s3://b/two.zip", "--working-dir": "s3://b/one.zip"})
	for _, left := range []string{"1", "objects/1/one.zip", ".1.123.tmp/one"} { // of one that was killed
		if err := os.MkdirAll(filepath.Join(b.dir, left), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	second := b.must(map[string]string{"--s3-py-modules": "s3://b/two.zip"})
	if second.WorkingDir != "" || len(second.Runtime.Path) != 2 {
		t.Errorf("it is ready with %+v", second)
	}
	for _, dir := range []string{first.WorkingDir, filepath.Join(first.Runtime.Path[1], "two"), filepath.Join(b.dir, "objects"), filepath.Join(b.dir, ".1.123.tmp")} {
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", dir, err)
		}
	}
	if loaded, err := Load(b.dir); err != nil || !reflect.DeepEqual(loaded, second) {
		t.Errorf("Load returned %+v, %v; want %+v", loaded, err, second)
	}
	b.refuses(map[string]string{"--s3-py-modules": "s3://b/none.zip"}, remora.NotFound) // what was ready before is not any more
}

// What a power cut has torn is not taken for an environment.
func TestLoadTorn(t *testing.T) {
	b := newBed(t)
	b.must(nil)
	path := filepath.Join(b.dir, readyName)
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%s: %v, %v", readyName, info.Mode(), err)
	}
	for n := range body {
		if err := os.WriteFile(path, body[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := Load(b.dir); err == nil || remora.KindOf(err) != remora.Internal || !strings.Contains(err.Error(), "read the job's environment") {
			t.Errorf("of %d bytes: Load returned %+v, %v", n, r, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(b.dir); remora.KindOf(err) != remora.Unavailable {
		t.Errorf("Load of a folder: %v", err)
	}
}
