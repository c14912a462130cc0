package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, text string, mode os.FileMode) (Config, error) {
	t.Helper()
	p := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return Load(p)
}

func TestLoad(t *testing.T) {
	c, err := load(t, `
[server]
region = "eu-west-1"
[runs]
timeout = "90s"
[logs]
stream_limit = "1.5MiB"
[worker_types."Z.2X"]
cpus = 4
memory = "16GiB"
dpu = 2
[worker_types."Z.4X"]
cpus = 16
memory = "128GiB"
dpu = 4
`, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if c.Server.Region != "eu-west-1" || c.Server.Listen != "127.0.0.1:4747" {
		t.Errorf("server: %+v", c.Server)
	}
	if time.Duration(c.Runs.Timeout) != 90*time.Second || c.Logs.StreamLimit != 3<<19 {
		t.Errorf("runs %+v, logs %+v", c.Runs, c.Logs)
	}
	if c.WorkerTypes["Z.2X"].Memory != 16<<30 || c.WorkerTypes["Z.4X"].DPU != 4 {
		t.Errorf("worker types: %+v", c.WorkerTypes)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		mode             os.FileMode
	}{
		{"unknown key", "[server]\nlisten_on = 1", "listen_on", 0o600},
		{"syntax", "[server\n", "line 1", 0o600},
		{"duration", "[runs]\ntimeout = \"soon\"", "not a duration", 0o600},
		{"size", "[logs]\ntotal_limit = \"big\"", "not a size", 0o600},
		{"account", "[server]\naccount = \"12\"", "12 digits", 0o600},
		{"region", "[server]\nregion = \"moon\"", "us-east-1", 0o600},
		{"half an s3", "[s3]\nendpoint = \"http://x\"", "access_key_id", 0o600},
		{"secret for all", "[s3]\nendpoint = \"http://x\"\naccess_key_id = \"a\"\nsecret_access_key = \"b\"", "chmod 600", 0o644},
		{"worker type", "[worker_types.\"Z.2X\"]\ncpus = 0\nmemory = \"1GiB\"\ndpu = 2", "cpus", 0o600},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := load(t, c.text, c.mode); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestDefaultPlaceMayBeEmpty(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "relative/is/ignored")
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(c.Runtime.CacheDir) || strings.Contains(c.Runtime.CacheDir, "relative") {
		t.Errorf("cache dir %q", c.Runtime.CacheDir)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent.toml")); err == nil {
		t.Error("a named file that is missing is no error")
	}
}
