package runtimes

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sharedCache is where tests of all packages find the real environments, so
// that they are built once.
func sharedCache(t testing.TB) string {
	t.Helper()
	base := os.Getenv("REMORA_CACHE_DIR")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		base = filepath.Join(cache, "remora")
	}
	return filepath.Join(base, "runtimes")
}

func TestRay260(t *testing.T) {
	c, err := Open(sharedCache(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	rt, err := c.Ensure(t.Context(), "Ray2.60", func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Log(rt.Python)
	older, err := c.Ensure(t.Context(), "Ray2.4", nil)
	if err != nil {
		t.Fatal(err)
	}
	if older.Dir != rt.Dir || older.Name != "Ray2.4" {
		t.Errorf("Ray2.4 is %s in %s, want the environment of Ray2.60, %s", older.Name, older.Dir, rt.Dir)
	}

	before := files(t, rt.Dir)
	var got map[string]string
	out := python3(t, rt, `
import importlib.util, json, sys, ray, pandas, pyarrow, numpy, boto3, fsspec, s3fs, ray.data, ray.dashboard.dashboard
print(json.dumps({
    "ray": ray.__version__, "pandas": pandas.__version__, "s3fs": s3fs.__version__, "prefix": sys.prefix,
    "rfc3987": str(importlib.util.find_spec("rfc3987_syntax")),
}))`)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got["ray"] != "2.60.0" || !strings.HasPrefix(got["pandas"], "2.3.") || strings.HasPrefix(got["s3fs"], "0.") {
		t.Errorf("versions are %v", got)
	}
	if got["rfc3987"] != "None" {
		t.Errorf("rfc3987_syntax is installed: it slows every import of jsonschema")
	}
	if got["prefix"] != rt.Dir {
		t.Errorf("sys.prefix is %s, want %s", got["prefix"], rt.Dir)
	}

	// The script was installed under another path and has to survive the move.
	script, err := exec.Command(filepath.Join(rt.Dir, "bin", "ray"), "--version").CombinedOutput()
	if err != nil || !strings.Contains(string(script), "2.60.0") {
		t.Errorf("bin/ray --version: %v, %s", err, script)
	}
	if after := files(t, rt.Dir); after != before {
		t.Errorf("using the environment has changed it: %d files, %d before", after, before)
	}
}

// files counts what is in a directory.
func files(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(string, fs.DirEntry, error) error {
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What every run pays, by a process that has just started.
func BenchmarkEnsure(b *testing.B) {
	dir := sharedCache(b)
	for b.Loop() {
		c, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Ensure(b.Context(), "Ray2.60", nil); err != nil {
			b.Fatal(err)
		}
	}
}
