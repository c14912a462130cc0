package modules

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

// Which of two modules of a name is imported would depend on the order.
func TestModulesOfOneName(t *testing.T) {
	b := newBed(t)
	one, py := packed(t, "one/__init__.py", ""), []byte("one = 1")
	b.objects = objects{"s3://b/one.zip": one, "s3://c/other.zip": one, "s3://b/one.py": py, "s3://c/one.py": py, "s3://b/two.zip": packed(t, "two/x", "")}
	for _, tc := range []struct {
		args          map[string]string
		first, second string
		argument      string
	}{
		{map[string]string{"--s3-py-modules": "s3://b/one.zip,s3://b/two.zip,s3://c/other.zip"}, "s3://b/one.zip", "s3://c/other.zip", "--s3-py-modules"},
		{map[string]string{"--s3-py-modules": "s3://b/one.zip", "--extra-py-files": "s3://b/one.py"}, "s3://b/one.zip", "s3://b/one.py", "--extra-py-files"},
		{map[string]string{"--extra-py-files": "s3://b/one.py,s3://c/one.py"}, "s3://b/one.py", "s3://c/one.py", "--extra-py-files"},
		{map[string]string{"--extra-py-files": "s3://b/one.py", "--additional-python-modules": "s3://c/other.zip"}, "s3://b/one.py", "s3://c/other.zip",
			"--additional-python-modules"},
		{map[string]string{"--pip-install": "s3://b/one.zip", "--additional-python-modules": "s3://c/other.zip"}, "s3://b/one.zip", "s3://c/other.zip",
			"--additional-python-modules"},
		{map[string]string{"--extra-py-files": "s3://b/one.py", "--pip-install": "s3://c/other.zip"}, "s3://b/one.py", "s3://c/other.zip", "--pip-install"},
	} {
		b.refuses(tc.args, remora.Invalid, tc.argument+" "+tc.second+`: a module "one" comes from `+tc.first+" as well")
	}
	// The working directory is no module, whatever it is called.
	b.must(map[string]string{"--working-dir": "s3://c/other.zip", "--s3-py-modules": "s3://b/one.zip"})
}

// What a job brings along is imported before the runtime's own: none of it is
// called as that is.
func TestModulesOfTheRuntime(t *testing.T) {
	b := newBed(t)
	b.objects = objects{"s3://b/r.zip": packed(t, "ray/__init__.py", ""), "s3://b/ray.py": nil,
		"s3://b/package.zip": packed(t, "app/ray/__init__.py", ""), "s3://b/module.zip": packed(t, "app/ray.py", ""),
		"s3://b/native.zip": packed(t, "app/ray.cpython-311-x86_64-linux-gnu.so", ""),
		"s3://b/data.zip":   packed(t, "app/ray/data.csv", "", "app/ray.yaml", "", "app/rays.py", "", "app/sub/ray.py", "")}
	for _, tc := range []struct{ argument, uri, by string }{
		{"--s3-py-modules", "s3://b/r.zip", "a module ray"}, {"--pip-install", "s3://b/r.zip", "a module ray"},
		{"--extra-py-files", "s3://b/ray.py", "a module ray"}, {"--working-dir", "s3://b/package.zip", "ray/__init__.py"},
		{"--working-dir", "s3://b/module.zip", "ray.py"}, {"--working-dir", "s3://b/native.zip", "ray.cpython-311-x86_64-linux-gnu.so"},
	} {
		b.refuses(map[string]string{tc.argument: tc.uri}, remora.Invalid, tc.argument+" "+tc.uri+
			": ray is part of the runtime Ray2.60 and cannot be replaced, and "+tc.by+" would be imported instead")
	}
	b.must(map[string]string{"--working-dir": "s3://b/data.zip"})
}

// A zip is hostile until proven otherwise, by whichever argument it comes.
func TestHostileZips(t *testing.T) {
	b := newBed(t)
	link := func() []byte {
		var buf bytes.Buffer
		z := zip.NewWriter(&buf)
		h := &zip.FileHeader{Name: "pkg/l"}
		h.SetMode(fs.ModeSymlink | 0o777)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, "/etc/passwd")
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	for name, tc := range map[string]struct {
		zip  []byte
		rule string
	}{
		"parent":       {packed(t, "pkg/a.py", "", "pkg/../../../evil", "evil"), `entry "pkg/../../../evil" leads out of the archive`},
		"absolute":     {packed(t, "/etc/evil", "evil"), `entry "/etc/evil" is an absolute path`},
		"link":         {link(), `entry "pkg/l" is neither a file nor a directory but a symbolic link`},
		"two folders":  {packed(t, "pkg/a.py", "", "other/b.py", ""), `entry "other/b.py" is not in "pkg"`},
		"file beside":  {packed(t, "pkg/a.py", "", "b.py", ""), `entry "b.py" is not in a directory`},
		"nothing":      {packed(t), "no top-level directory"},
		"no zip":       {[]byte("PK, but no zip"), "it is damaged or no zip"},
		"an empty one": {nil, "it is damaged or no zip"},
		"torn":         {packed(t, "pkg/a.py", strings.Repeat("a", 1000))[:60], "it is damaged or no zip"},
		"bomb":         {packed(t, "pkg/zeros", strings.Repeat("\x00", 18<<20)), "more than 200 times its"},
	} {
		for _, argument := range []string{"--s3-py-modules", "--extra-py-files", "--additional-python-modules", "--pip-install", "--working-dir"} {
			t.Run(name+" "+argument, func(t *testing.T) {
				b.t = t
				b.objects = objects{"s3://b/good.zip": packed(t, "good/__init__.py", ""), "s3://b/evil.zip": tc.zip}
				value := "s3://b/good.zip,s3://b/evil.zip"
				if argument == "--working-dir" {
					value = "s3://b/evil.zip"
				}
				b.refuses(map[string]string{argument: value}, remora.Invalid, argument+" s3://b/evil.zip: ", tc.rule)
			})
		}
	}
	if len(b.envs.asked) > 0 {
		t.Errorf("the runtimes were asked for %+v", b.envs.asked)
	}
}

// So are packages that are zips, but for what is at the top of them. What is no
// zip is the resolver's to judge.
func TestHostilePackages(t *testing.T) {
	b := newBed(t)
	for name, tc := range map[string]struct {
		zip  []byte
		rule string
	}{
		"bomb":   {packed(t, "pkg/zeros", strings.Repeat("\x00", 18<<20), "setup.py", ""), "more than 200 times its"},
		"parent": {packed(t, "setup.py", "", "../evil", ""), `entry "../evil" leads out of the archive`},
	} {
		for argument, uri := range map[string]string{"--s3-py-modules": "s3://b/w-1-py3-none-any.whl", "--extra-py-files": "s3://b/w-1-py3-none-any.whl",
			"--additional-python-modules": "s3://b/w-1-py3-none-any.whl", "--pip-install": "s3://b/sdist-1.zip"} {
			t.Run(name+" "+argument, func(t *testing.T) {
				b.t = t
				b.objects = objects{uri: tc.zip}
				b.refuses(map[string]string{argument: uri}, remora.Invalid, argument+" "+uri+": ", tc.rule)
			})
		}
	}
	if len(b.envs.asked) > 0 {
		t.Errorf("the runtimes were asked for %+v", b.envs.asked)
	}
	b.t, b.objects = t, objects{"s3://b/w-1-py3-none-any.whl": []byte("no zip")}
	b.must(map[string]string{"--pip-install": "s3://b/w-1-py3-none-any.whl"})
}

// The list of entries of a zip is bounded, also where it is only looked at.
func TestLongListOfEntries(t *testing.T) {
	l := &listing{strings.NewReader(strings.Repeat("x", 100)), 60}
	buf := make([]byte, 30)
	for i, want := range []bool{true, true, false} {
		if _, err := l.ReadAt(buf, 0); (err == nil) != want {
			t.Errorf("read %d: %v", i, err)
		}
	}
}

// brokenObjects fails for one of the objects.
type brokenObjects struct {
	objects
	uri string
	err error
}

func (o brokenObjects) Fetch(ctx context.Context, uri string, w io.Writer, limit int64) error {
	if uri == o.uri {
		_, _ = io.WriteString(w, "a part")
		return o.err
	}
	return o.objects.Fetch(ctx, uri, w, limit)
}

// What S3 says is passed on with its kind, and with the argument and address
// that it is about.
func TestObjectsThatCannotBeHad(t *testing.T) {
	b := newBed(t)
	b.objects = objects{"s3://b/good.zip": packed(t, "good/__init__.py", ""), "s3://b/good.py": nil}
	for argument, end := range map[string]string{"--s3-py-modules": ".zip", "--extra-py-files": ".py", "--additional-python-modules": ".whl",
		"--pip-install": ".tar.gz", "--working-dir": ".zip"} {
		uri := "s3://b/none" + end
		b.refuses(map[string]string{argument: uri}, remora.NotFound, argument+" "+uri+": "+uri+" does not exist")
		for _, err := range []*remora.Error{
			remora.Unavailablef("test", uri, "the endpoint is down"), remora.Errorf(remora.Unauthorized, "test", uri, "access denied"),
			remora.Invalidf("test", uri, "too large"),
		} {
			w, err2 := FromArguments(map[string]string{argument: uri, "--extra-py-files": "s3://b/good.py"})
			if argument == "--extra-py-files" {
				w, err2 = FromArguments(map[string]string{argument: "s3://b/good.py," + uri})
			}
			if err2 != nil {
				t.Fatal(err2)
			}
			_, got := Stage{b.envs, brokenObjects{b.objects, uri, err}}.Prepare(t.Context(), "Ray2.60", w, b.dir, func(string) {})
			if want := argument + " " + uri + ": " + err.Message(); remora.KindOf(got) != err.Kind || remora.MessageOf(got) != want {
				t.Errorf("Prepare returned %v: %v; want %v: %s", remora.KindOf(got), got, err.Kind, want)
			}
		}
	}
	if len(b.envs.asked) > 0 {
		t.Errorf("the runtimes were asked for %+v", b.envs.asked)
	}
}

// What the resolver says is passed on as it is.
func TestRuntimeFails(t *testing.T) {
	b := newBed(t)
	b.objects = objects{"s3://b/w-1-py3-none-any.whl": nil}
	for _, err := range []*remora.Error{
		remora.Invalidf("runtimes: overlay", "Ray2.60", "install nosuch over runtime Ray2.60: nosuch was not found"),
		remora.Unavailablef("runtimes: overlay", "Ray2.60", "the package index does not answer"),
	} {
		b.envs.err = err
		b.refuses(map[string]string{"--pip-install": "nosuch,s3://b/w-1-py3-none-any.whl"}, err.Kind, err.Message())
	}
	b.envs.err = nil
	b.must(map[string]string{"--pip-install": "nosuch,s3://b/w-1-py3-none-any.whl"})
}
