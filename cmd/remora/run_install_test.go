package main_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/remora-project/remora/internal/testenv"
)

// slowBackend builds its package when a file is there, and says so in another.
const slowBackend = `
import os, time, zipfile
def build_wheel(directory, *_):
    with open(%[1]q + "/building.tmp", "w") as f:
        f.write(str(os.getpid()))
    os.rename(f.name, %[1]q + "/building")
    end = time.monotonic() + 300
    while not os.path.exists(%[1]q + "/go") and time.monotonic() < end:
        time.sleep(0.01)
    name = "remora_slow-1.0-py3-none-any.whl"
    info = "remora_slow-1.0.dist-info/"
    files = {"remora_slow.py": "", info + "METADATA": "Metadata-Version: 2.1\nName: remora-slow\nVersion: 1.0\n",
             info + "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[info + "RECORD"] = "".join(f + ",,\n" for f in [*files, info + "RECORD"])
    with zipfile.ZipFile(directory + "/" + name, "w") as z:
        for f, text in files.items():
            z.writestr(f, text)
    return name
`

// slowBed is a bed whose folder work has the source distribution of a package
// that nobody has installed before, by that backend.
type slowBed struct {
	*runBed
	work   string
	script string // prints where the package is
}

func newSlowBed(t *testing.T) *slowBed {
	t.Helper()
	b := &slowBed{newRunBed(t), t.TempDir(), ""}
	b.env = append(b.env, "UV_CACHE_DIR="+t.TempDir())
	b.script = b.runBed.script("where.py", "import remora_slow\nprint(remora_slow.__file__)\n")
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for name, text := range map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"remora-slow\"\nversion = \"1.0\"\n",
		"backend.py":     fmt.Sprintf(slowBackend, b.work),
	} {
		if err := archive.WriteHeader(&tar.Header{Name: "remora_slow-1.0/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.work, "remora_slow-1.0.tar.gz"), out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.release)
	return b
}

// release lets builds go on.
func (b *slowBed) release() {
	if err := os.WriteFile(filepath.Join(b.work, "go"), nil, 0o600); err != nil {
		b.t.Error(err)
	}
}

// install starts a run that installs the package.
func (b *slowBed) install(out *bytes.Buffer) *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command(testenv.Remora(b.t), "run", "--pip", "remora_slow @ ./remora_slow-1.0.tar.gz", b.script)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.work, b.env, out, out
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

// building waits until the package is being built, and returns by what process.
func (b *slowBed) building() (pid string) {
	b.t.Helper()
	file := filepath.Join(b.work, "building")
	eventually(b.t, func() bool { _, err := os.Stat(file); return err == nil }, "nothing is built")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// wantEnd waits until a process has ended.
func wantEnd(t *testing.T, pid string) {
	t.Helper()
	eventually(t, func() bool { // a zombie has no command line
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		return err != nil || len(line) == 0
	}, "process %s has not ended", pid)
}

// A signal ends an installation too, and the exit status says which it was.
func TestRunInterruptedInstalling(t *testing.T) {
	b := newSlowBed(t)
	// Under nohup SIGHUP is ignored; what is caught is not so in a child.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		var out bytes.Buffer
		cmd := b.install(&out)
		pid := b.building()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("after %v the exit code is %d, want %d:\n%s", sig, got, code, &out)
		}
		wantEnd(t, pid)
		b.wantNothingLeft()
	}
}

// A run that was killed while it installed a package is in nobody's way, nor are
// two that want the same one at the same time.
func TestRunKilledInstalling(t *testing.T) {
	b := newSlowBed(t)
	var out [3]bytes.Buffer
	killed := b.install(&out[0])
	pid := b.building()
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	first, second := b.install(&out[1]), b.install(&out[2])
	b.release()
	wantEnd(t, pid)
	_, _ = first.Wait(), second.Wait()
	paths := map[string]bool{}
	for i, cmd := range []*exec.Cmd{first, second} {
		lines := strings.Split(strings.TrimSpace(out[i+1].String()), "\n")
		paths[lines[len(lines)-1]] = true
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, &out[i+1])
		}
	}
	b.wantNothingLeft()
	for path := range paths {
		overlay := filepath.Dir(filepath.Dir(path))
		if len(paths) != 1 || !strings.HasPrefix(filepath.Base(overlay), "overlay-") {
			t.Fatalf("the package is at %v", paths)
		}
		left, _ := filepath.Glob(overlay + "*")
		for _, l := range left {
			if strings.HasSuffix(l, ".tmp") {
				t.Errorf("%s is left", l)
			}
			if err := os.RemoveAll(l); err != nil { // nobody else asks for it
				t.Error(err)
			}
		}
	}
}
