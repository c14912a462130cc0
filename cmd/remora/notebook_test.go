package main_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/remora-project/remora/internal/testenv"
)

// JupyterLab answers at the address that is printed, with its token only; no
// command line has the server's key; the home stays empty, and after SIGTERM
// nothing is left. compat/test_notebooks.py has the kernel.
func TestNotebook(t *testing.T) {
	want(t, testenv.Run(t, testenv.Environ(t), "runtime", "build", "notebook"), 0)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	b := &runBed{t: t, tmp: t.TempDir()}
	home, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	b.env = testenv.Environ(t, "HOME="+home, "XDG_CACHE_HOME="+cache, "XDG_RUNTIME_DIR=", "TMPDIR="+b.tmp)
	cmd := exec.Command(testenv.Remora(t), "--data-dir", data, "notebook", "--no-browser", "--dir", t.TempDir())
	cmd.Env = b.env
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := b.run(cmd, pipe)
	address := regexp.MustCompile(`(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)`).FindStringSubmatch(p.await(t, "token="))
	if address == nil {
		t.Fatal("the line has no address")
	}
	for token, status := range map[string]int{address[2]: http.StatusOK, "none": http.StatusForbidden} {
		r, err := http.Get(address[1] + "/api/kernelspecs?token=" + token)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != status {
			t.Errorf("with token %s JupyterLab answers %s, want %d", token, r.Status, status)
		}
	}
	secret := variables(t, &testenv.Server{Ready: testenv.Ready{DataDir: data}, Env: b.env})["AWS_SECRET_ACCESS_KEY"]
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		if line, _ := os.ReadFile(path); secret == "" || strings.Contains(string(line), secret) {
			t.Errorf("a command line has the key: %s", path)
		}
	}
	private, _ := filepath.Glob(filepath.Join(b.tmp, "remora-notebook-*", "aws", "*"))
	if len(private) != 2 {
		t.Errorf("the private folder has %q", private)
	}
	for _, path := range private {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, %v", path, info.Mode(), err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	b.wantNothingLeft()
	if files, err := os.ReadDir(home); err != nil || len(files) > 0 {
		t.Errorf("in the home there is %v, %v", files, err)
	}
	if r := testenv.Run(t, b.env, "--data-dir", data, "env"); r.Code == 0 {
		t.Error("the server goes on")
	}
}
