package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remora-project/remora/internal/testenv"
)

// runBed is a place for scripts to run in that sees what they leave.
type runBed struct {
	t   *testing.T
	tmp string // short: sockets are below it
	env []string
}

func newRunBed(t *testing.T) *runBed {
	t.Helper()
	want(t, testenv.Run(t, testenv.Environ(t), "runtime", "build", "Ray2.60"), 0)
	tmp, err := os.MkdirTemp("/tmp", "rr-")
	if err != nil {
		t.Fatal(err)
	}
	b := &runBed{t: t, tmp: tmp, env: testenv.Environ(t, "TMPDIR="+tmp, "GREETING=hello")}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	return b
}

func (b *runBed) script(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// left lists processes of this bed's clusters and files in its folder.
func (b *runBed) left() []string {
	var left []string
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, e := range environs {
		env, _ := os.ReadFile(e)
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(e), "cmdline"))
		if bytes.Contains(env, []byte("REMORA_CLUSTER=local_")) && bytes.Contains(append(env, line...), []byte(b.tmp)) {
			left = append(left, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	files, err := os.ReadDir(b.tmp)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range files {
		left = append(left, f.Name())
	}
	return left
}

func (b *runBed) wantNothingLeft() {
	b.t.Helper()
	if left := b.left(); len(left) > 0 {
		b.t.Errorf("left behind: %q", left)
	}
}

func TestRun(t *testing.T) {
	b := newRunBed(t)
	script := b.script("job.py", `
import os, subprocess, sys
import humanize, ray

@ray.remote(runtime_env={"env_vars": {"OWN": "1"}})
def task():
    return os.getcwd(), os.environ["GREETING"], os.environ["in-put"], humanize.intcomma(1234567), os.environ["OWN"]

ray.init()
assert ray.get(task.remote()) == (os.getcwd(), "hello", "x=y", "1,234,567", "1"), ray.get(task.remote())
subprocess.Popen(["sleep", "3600"], start_new_session=True)  # a daemon
print("arguments", sys.argv[1:])
print("an error", file=sys.stderr)
sys.exit(7)
`)
	r := testenv.Run(t, b.env, "run", "--pip", "humanize==4.9.0", "--env", "in-put=x=y", script, "--config", "-x", "--", "run")
	if r.Code != 7 || r.Stdout != "arguments ['--config', '-x', '--', 'run']\n" || !strings.Contains(r.Stderr, "an error\n") {
		t.Errorf("exit code %d, output %q, errors:\n%s", r.Code, r.Stdout, r.Stderr)
	}
	b.wantNothingLeft()
}

func TestRunFailures(t *testing.T) {
	b := newRunBed(t)
	syntax := b.script("syntax.py", "def f(:\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"no command", nil, 2, "script.py"},
		{"nothing behind the dashes", []string{"--"}, 2, "expected a script"},
		{"an unknown flag", []string{"--bogus", syntax}, 2, "unknown flag --bogus"},
		{"a flag for a script", []string{"--", "-x.py"}, 2, "./-x.py"},
		{"no script", []string{filepath.Join(b.tmp, "missing.py")}, 2, "no such file"},
		{"a folder", []string{t.TempDir()}, 2, "is a folder"},
		{"no such runtime", []string{"--runtime", "Ray1", syntax}, 1, "Runtime Ray1 is not supported; supported: Ray2.4, Ray2.60"},
		{"no such engine", []string{"--engine", "warp", syntax}, 2, "--engine"},
		{"another ray", []string{"--pip", "ray==2.9", syntax}, 1, "cannot be replaced"},
		{"a syntax error", []string{"--runtime", "Ray2.4", syntax}, 1, "SyntaxError"},
		{"killed", []string{b.script("killed.py", "import os\nos.kill(os.getpid(), 9)\n")}, 128 + 9, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			want(t, testenv.Run(t, b.env, append([]string{"run"}, c.args...)...), c.code, c.text)
			b.wantNothingLeft()
		})
	}
}

// What a run writes is in its user's cache, also if environments are elsewhere.
func TestRunFolder(t *testing.T) {
	dir := t.TempDir()
	script, config, own := filepath.Join(dir, "x.py"), filepath.Join(dir, "c.toml"), filepath.Join(dir, "own")
	text := fmt.Sprintf("[runtime]\ncache_dir = %q\n", filepath.Join(dir, "shared", "runtimes"))
	for path, text := range map[string]string{script: "", config: text} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := testenv.Run(t, testenv.Environ(t, "XDG_CACHE_HOME="+own), "--config", config, "run", "--runtime", "Ray1", script)
	want(t, r, 1, "Runtime Ray1 is not supported")
	if runs, err := os.ReadDir(filepath.Join(own, "remora", "local")); err != nil || len(runs) > 0 {
		t.Errorf("the user's own folder: %v, %v", runs, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "shared", "local")); err == nil {
		t.Error("there is a folder beside the shared one")
	}
	if err := os.RemoveAll(own); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r = testenv.Run(t, testenv.Environ(t, "XDG_CACHE_HOME="+own), "--config", config, "run", script)
	want(t, r, 1, "make a folder for the run", "XDG_CACHE_HOME")
}
