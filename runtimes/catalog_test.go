package runtimes

import (
	"regexp"
	"strings"
	"testing"
)

var (
	requirement = regexp.MustCompile(`^([a-z0-9-]+)==(\S+)( ; .+)? \\$`)
	hash        = regexp.MustCompile(`^    --hash=sha256:[0-9a-f]{64}( \\)?$`)
)

// pins returns a lock's versions by package, and fails the test if a
// requirement lacks hashes or a line is anything else.
func pins(t *testing.T, lock []byte) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	hashes, last := 1, ""
	for line := range strings.Lines(string(lock)) {
		line = strings.TrimSuffix(line, "\n")
		if m := requirement.FindStringSubmatch(line); m != nil {
			if hashes == 0 {
				t.Errorf("%s has no hashes", last)
			}
			out[m[1]] = append(out[m[1]], m[2])
			hashes, last = 0, m[1]
			continue
		}
		if !hash.MatchString(line) {
			t.Errorf("line %q is neither a requirement nor a hash", line)
		}
		hashes++
	}
	if hashes == 0 {
		t.Errorf("%s has no hashes", last)
	}
	return out
}

func TestLocks(t *testing.T) {
	got := pins(t, ray260)
	for name, want := range map[string]string{"ray": `^2\.60\.0$`, "pandas": `^2\.3\.`, "pyarrow": `.`, "numpy": `.`,
		"boto3": `.`, "fsspec": `.`, "s3fs": `^20`, "modin": `.`, "awswrangler": `^3\.`} {
		if len(got[name]) == 0 {
			t.Errorf("%s is not in the lock", name)
		}
		for _, v := range got[name] {
			if !regexp.MustCompile(want).MatchString(v) {
				t.Errorf("%s is locked at %s, want %s", name, v, want)
			}
		}
	}
	if got["rfc3987-syntax"] != nil {
		t.Error("rfc3987-syntax is in the lock: it slows every import of jsonschema")
	}
	if v := pins(t, notebookLock)["aws-glue-sessions"]; len(v) != 1 || v[0] != "1.0.5" {
		t.Errorf("notebook.lock has aws-glue-sessions %q, want 1.0.5 only: later releases have no %%glue_ray", v)
	}
	if uv := pins(t, bootstrap); len(uv) != 1 || len(uv["uv"]) != 1 || uv["uv"][0] != uvVersion {
		t.Errorf("bootstrap.lock has %v, want uv %s only", uv, uvVersion)
	}
}

func TestKey(t *testing.T) {
	py := python{Executable: "/usr/bin/python3.11", Version: "3.11.7", ABI: "cpython-311-x86_64-linux-gnu", Platform: "linux-x86_64"}
	r := recipe{label: "tiny", lock: []byte("a==1")}
	base := r.key(py)
	if !regexp.MustCompile(`^tiny-py3\.11-[0-9a-f]{16}$`).MatchString(base) {
		t.Errorf("key is %s", base)
	}
	patched := py
	patched.Version = "3.11.9"
	if r.key(patched) != base {
		t.Error("a patch release of the interpreter changes the key")
	}
	moved, arm, newer := py, py, py
	moved.Executable = "/opt/python/bin/python3.11"
	arm.Platform = "linux-aarch64"
	newer.Version = "3.12.1"
	other := recipe{label: "tiny", lock: []byte("a==2")}
	for what, key := range map[string]string{"lock": other.key(py), "path": r.key(moved), "platform": r.key(arm), "version": r.key(newer)} {
		if key == base {
			t.Errorf("another %s gives the same key", what)
		}
	}
	if _, ok := supported[Notebook]; ok {
		t.Error("jobs may ask for the notebook's environment")
	}
	if supported["Ray2.4"].key(py) != supported["Ray2.60"].key(py) {
		t.Error("Ray2.4 and Ray2.60 are two environments, want one")
	}
}
