package main_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/remora-project/remora/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// want checks a command's exit code and texts of its output.
func want(t *testing.T, r testenv.Result, code int, texts ...string) testenv.Result {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit code %d, want %d: %s%s", r.Code, code, r.Stdout, r.Stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.Stdout+r.Stderr, text) {
			t.Errorf("the output lacks %q:\n%s%s", text, r.Stdout, r.Stderr)
		}
	}
	return r
}

func TestHelp(t *testing.T) {
	env := testenv.Environ(t)
	r := want(t, testenv.Run(t, env, "--help"), 0, "serve", "env", "logs", "keys", "runtime", "doctor", "version", "--data-dir", "$XDG_DATA_HOME")
	if strings.Contains(r.Stdout, "supervise") {
		t.Errorf("the help shows a hidden command:\n%s", r.Stdout)
	}
	want(t, testenv.Run(t, env, "serve", "--help"), 0, "--listen", "--s3-listen", "--ready-file")
	want(t, testenv.Run(t, env, "keys", "--help"), 0, "rotate", "revoke")
}

func TestVersion(t *testing.T) {
	want(t, testenv.Run(t, testenv.Environ(t), "version"), 0, "remora ", runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
}

func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, []byte("[server]\nlisten_on = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		text string
	}{
		{nil, "expected one of"},
		{[]string{"nonsense"}, "nonsense"},
		{[]string{"serve", "--nonsense"}, "--nonsense"},
		{[]string{"logs"}, "<id>"},
		{[]string{"keys", "revoke"}, "<id>"},
		{[]string{"keys", "rotate", "--grace", "soon"}, "soon"},
		{[]string{"--config", config, "serve", "--data-dir", dir}, "listen_on"},
		{[]string{"--config", filepath.Join(dir, "missing.toml"), "doctor"}, "missing.toml"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			want(t, testenv.Run(t, testenv.Environ(t), c.args...), 2, c.text)
		})
	}
}

// What needs a server says so, and what to do.
func TestWithoutServer(t *testing.T) {
	env := testenv.Environ(t)
	dir := filepath.Join(t.TempDir(), "data")
	for _, args := range [][]string{{"env"}, {"logs", "jr_1"}} {
		r := want(t, testenv.Run(t, env, append(args, "--data-dir", dir)...), 1, "no server is running on "+dir, "remora serve", "--data-dir")
		if r.Stdout != "" {
			t.Errorf("%s without a server prints %q for eval", args[0], r.Stdout)
		}
	}
	want(t, testenv.Run(t, env, "keys", "--data-dir", dir), 1, "no keys yet", "remora serve")
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s was made by a command that only looks", dir)
	}
}

// A variable that is set and empty is one that is not set.
func TestEmptyVariables(t *testing.T) {
	home := t.TempDir()
	env := testenv.Environ(t, "REMORA_DATA_DIR=", "REMORA_CONFIG=", "XDG_DATA_HOME=", "HOME="+home)
	want(t, testenv.Run(t, env, "env"), 1, "no server is running on "+home+"/.local/share/remora:")
	want(t, testenv.Run(t, env, "runtime"), 0, "Ray2.60")
}

func TestRuntimeList(t *testing.T) {
	want(t, testenv.Run(t, testenv.Environ(t), "runtime"), 0, "Ray2.60\n")
	want(t, testenv.Run(t, testenv.Environ(t), "runtime", "build", "Ray9.9"), 1, "Ray9.9", "Ray2.60")
}

func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	set := func(listen, python string) {
		t.Helper()
		text := "[server]\nlisten = \"" + listen + "\"\ns3_listen = \"127.0.0.1:0\"\n[runtime]\npython = \"" + python + "\"\n"
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	taken := listen(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	set("127.0.0.1:0", python)
	args := []string{"doctor", "--config", config, "--data-dir", filepath.Join(dir, "not", "there")}
	// Whether the machine has enough of everything is not ours to say.
	r := testenv.Run(t, testenv.Environ(t), args...)
	for _, check := range []string{"ok    Python ", "memory ", "data directory", "environment cache", "shared memory", "open files", "ok    API port", "ok    S3 port"} {
		if !strings.Contains(r.Stdout, check) {
			t.Errorf("the output lacks %q:\n%s", check, r.Stdout)
		}
	}
	if failed := strings.Contains(r.Stdout, "FAIL"); r.Code != 0 && !failed || r.Code > 1 || r.Code == 0 && failed {
		t.Errorf("exit code %d:\n%s", r.Code, r.Stdout)
	}
	set(taken, "/nonexistent/python")
	want(t, testenv.Run(t, testenv.Environ(t), args...), 1, "FAIL  Python ", "FAIL  API port", "address already in use", "--listen", "install CPython", "checks failed")
	if _, err := os.Stat(filepath.Join(dir, "not")); err == nil {
		t.Error("doctor made the data directory")
	}

	s := testenv.Serve(t, filepath.Join(dir, "data"), testenv.Environ(t))
	r = testenv.Run(t, testenv.Environ(t), "doctor", "--data-dir", filepath.Join(dir, "data"))
	if !strings.Contains(r.Stdout, "running at "+s.Ready.Endpoint) || !strings.Contains(r.Stdout, "process "+strconv.Itoa(s.Ready.PID)) {
		t.Errorf("doctor does not see the running server:\n%s", r.Stdout)
	}
}

// listen takes a port for the time of the test.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
