package runtimes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSettingsForUV(t *testing.T) {
	home, wheels := t.TempDir(), t.TempDir()
	configured := t.TempDir()
	if err := os.MkdirAll(filepath.Join(configured, ".config", "uv"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(configured, ".config", "uv", "uv.toml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	base := []string{"HOME=" + home}
	const files = `global.cert='/etc/ssl/corp.pem'
global.extra-index-url='\nhttps://a.example/simple\nhttps://b.example/simple'
global.index-url='https://global.example/simple'
install.index-url='https://install.example/simple'
:env:.timeout='9'
`
	cases := []struct {
		name   string
		env    []string
		config string
		want   []string
		args   []string
	}{
		{name: "nothing", env: base, want: base},
		{name: "pip's files", env: base, config: files, want: append(base, "UV_DEFAULT_INDEX=https://install.example/simple",
			"UV_INDEX=https://a.example/simple https://b.example/simple", "SSL_CERT_FILE=/etc/ssl/corp.pem",
			"UV_INDEX_STRATEGY=unsafe-best-match")},
		{name: "pip's variables go first", env: append(base, "PIP_INDEX_URL=https://env.example/simple"),
			config: "global.index-url='https://global.example/simple'\n",
			want:   append(base, "PIP_INDEX_URL=https://env.example/simple", "UV_DEFAULT_INDEX=https://env.example/simple")},
		{name: "uv's own index", env: append(base, "UV_INDEX_URL=https://uv.example/simple"), config: files,
			want: append(base, "UV_INDEX_URL=https://uv.example/simple", "SSL_CERT_FILE=/etc/ssl/corp.pem")},
		{name: "uv's own file", env: []string{"HOME=" + configured}, config: files,
			want: []string{"HOME=" + configured, "SSL_CERT_FILE=/etc/ssl/corp.pem"}},
		{name: "uv's own certificates", env: append(base, "SSL_CERT_FILE=/mine", "PIP_CERT=/pips"),
			want: append(base, "SSL_CERT_FILE=/mine", "PIP_CERT=/pips")},
		{name: "no network at all", env: append(base, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+wheels+" /nonexistent https://l.example/"),
			want: append(base, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+wheels+" /nonexistent https://l.example/",
				"UV_FIND_LINKS="+wheels+",https://l.example/"), args: []string{"--no-index"}},
		{name: "what changes the content is dropped", env: append(base, "UV_OVERRIDE=/o", "PYTHONPATH=/x", "UV_OFFLINE=1", "VIRTUAL_ENV=/v"),
			want: append(base, "UV_OFFLINE=1")},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got := settingsForUV(tc.env, tc.config)
			if !slices.Equal(got.env, tc.want) || !slices.Equal(got.args, tc.args) {
				t.Errorf("got\n%s\n%v, want\n%s\n%v", strings.Join(got.env, "\n"), got.args, strings.Join(tc.want, "\n"), tc.args)
			}
		})
	}
}

// A host whose only setting is pip's, and no network: pip's directory of wheels
// feeds uv.
func TestBuildFromPipsDirectory(t *testing.T) {
	x := openIndex(t, tinyCode)
	wheels := t.TempDir()
	if err := os.WriteFile(filepath.Join(wheels, "tiny-1.0-py3-none-any.whl"), x.wheel, 0o644); err != nil {
		t.Fatal(err)
	}
	c := newCache(t, x)
	c.environ = append(without(os.Environ(), "UV_DEFAULT_INDEX"), "HOME="+t.TempDir(), "UV_NO_CACHE=1", "PIP_NO_INDEX=true",
		"PIP_FIND_LINKS="+wheels)
	rt, err := c.Ensure(t.Context(), "Tiny1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := x.fetched.Load(); n != 0 {
		t.Errorf("the index was asked %d times", n)
	}
	python3(t, rt, "import tiny")
}

func FuzzPipSettings(f *testing.F) {
	f.Add("global.index-url='https://a.example'\n", "PIP_CERT=/c")
	f.Add("install.x='\n=", "PIP_=")
	f.Fuzz(func(t *testing.T, list, variable string) {
		for name := range pipSettings([]string{variable}, list) {
			if strings.Contains(name, "=") {
				t.Errorf("name %q", name)
			}
		}
	})
}
