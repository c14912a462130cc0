package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk that is really full: a small file system, mounted where only a process
// of this test sees it.
func TestFullDisk(t *testing.T) {
	x := openIndex(t, "__version__ = '1.0'\n"+"# "+strings.Repeat("a long comment ", 200_000)+"\n")
	c := newCache(t, x)
	full := filepath.Join(t.TempDir(), "full")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	link, err := filepath.Glob(filepath.Join(c.dir, "uv-*"+uvDirPattern))
	if err != nil || len(link) == 0 {
		t.Fatalf("where is uv? %v %v", link, err)
	}
	script := `set -e; mount -t tmpfs -o size=1m none "$1"; cp -P "$2" "$1"; exec "$3"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", full, link[0], os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	cmd.Env = append(os.Environ(), helperDir+"="+full, helperIndex+"="+x.url(), helperLock+"="+x.lock())
	out, err := cmd.CombinedOutput()
	said := string(out)
	if !strings.Contains(said, "error ") && err != nil {
		t.Skipf("cannot mount a file system here: %v %s", err, said)
	}
	for _, want := range []string{"No space left on device", "The disk is full: " + full + " has 0 MiB left"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in the message:\n%s", want, said)
		}
	}
}

// uvDirPattern ends the name of uv's directory, not of its lock.
const uvDirPattern = "-????????????????"
