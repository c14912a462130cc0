package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func parse(t *testing.T, args ...string) runCmd {
	t.Helper()
	parser, err := kong.New(&cli)
	if err == nil {
		_, err = parser.Parse(append([]string{"run"}, args...))
	}
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return cli.Run
}

// What stands behind the script is the script's, also where it looks like ours.
func TestRunArguments(t *testing.T) {
	script := filepath.Join(t.TempDir(), "x.py")
	if err := os.WriteFile(script, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"", "a", "--config c.toml a", "--env A=1 b", "--pip p", "--runtime r", "--data-dir d", "--engine x",
		"--help", "-h", "--flag -x", "-x", "-- a", "a --", "x.py --env A=1"} {
		for _, before := range []string{"", "--runtime Ray2.4 ", "-- "} {
			c := parse(t, strings.Fields(before+script+" "+args)...)
			got, rest, err := c.script()
			if err != nil || got != script || !slices.Equal(rest, strings.Fields(args)) {
				t.Errorf("%q, %q: %q %q, %v", before, args, got, rest, err)
			}
			if c.Env != nil || c.Pip != nil || cli.Config != "" || cli.DataDir != "" || c.Engine != "ray" {
				t.Errorf("%q, %q: we have taken %+v", before, args, c)
			}
		}
	}
}

func TestRunPackages(t *testing.T) {
	t.Chdir(t.TempDir())
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ given, want string }{
		{"foo", "foo"},
		{"foo[a,b]>=1,<2", "foo[a,b]>=1,<2"},
		{"x.whl", "CWD/x.whl"},
		{"./foo.tar.gz", "CWD/foo.tar.gz"},
		{"../foo-1.0.zip", filepath.Dir(cwd) + "/foo-1.0.zip"},
		{"/abs/x.whl", "/abs/x.whl"},
		{"foo @ ./x.whl", "foo @ CWD/x.whl"},
		{"foo[extra] @ ./x.whl", "foo[extra] @ CWD/x.whl"},
		{"foo[a,b]@dist/x.zip", "foo[a,b]@ CWD/dist/x.zip"},
		{"foo @ /abs/x.whl", "foo @ /abs/x.whl"},
		{"./a@b/x.whl", "CWD/a@b/x.whl"},
		{"file:///abs/x.whl", "file:///abs/x.whl"},
		{"foo @ file:/abs/x.whl", "foo @ file:/abs/x.whl"},
		{"https://example.com/x.whl", "https://example.com/x.whl"},
		{"foo.tar", "foo.tar"},
	} {
		got, err := runCmd{Pip: []string{c.given}}.packages()
		if want := strings.ReplaceAll(c.want, "CWD", cwd); err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, %v, want %s", c.given, got, err, want)
		}
	}
}
