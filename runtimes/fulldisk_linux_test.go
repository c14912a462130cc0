package runtimes

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	cmd.Env = helperEnviron(full, x.url(), x.lock(), "Tiny1")
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

// The same for what is put over a runtime that is there: the cache stays sound,
// and with room it works.
func TestFullDiskOverRuntime(t *testing.T) {
	x := newShelf(t)
	const large = "large-1.0-py3-none-any.whl"
	noise := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(noise)
	_, data := wheel(t, "large", "1.0")
	x.wheels[large] = withFile(t, data, "large/noise", string(noise))
	c, _ := newOverlayCache(t, x)
	for _, tc := range []struct {
		what, name string
		wants      []string
		says       []string
	}{
		{"overlay", "Tiny1", []string{"large"}, []string{"install large over runtime Tiny1: ", "No space left on device"}},
		{"layer", "Tiny0", nil, []string{"build runtime Tiny0: ", "its own modules", "o space left on device"}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			full := filepath.Join(t.TempDir(), "full")
			if err := os.Mkdir(full, 0o755); err != nil {
				t.Fatal(err)
			}
			// What is there fits, and some 100 KiB more.
			const script = `set -e; mount -t tmpfs -o size=64m none "$1"; cp -a "$2/." "$1"
				mount -o remount,size=$(($(du -sk "$1" | cut -f1) + 100))k "$1"; "$3" || true; ls "$1"; echo
				mount -o remount,size=64m "$1"; "$3"; ls "$1"`
			cmd := exec.Command("/bin/sh", "-c", script, "sh", full, c.dir, os.Args[0])
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			cmd.Env = helperEnviron(full, x.url(), x.lock(), tc.name, tc.wants...)
			out, err := cmd.CombinedOutput()
			if !strings.Contains(string(out), "error ") && err != nil {
				t.Skipf("cannot mount a file system here: %v %s", err, out)
			}
			short, enough, _ := strings.Cut(string(out), "\n\n")
			for _, want := range append(tc.says, "error unavailable ", "The disk is full: "+full+" has 0 MiB left") {
				if !strings.Contains(short, want) {
					t.Errorf("%q is not in the message:\n%s", want, short)
				}
			}
			if err != nil || !strings.Contains(enough, "ready "+full) {
				t.Errorf("with room: %v\n%s", err, enough)
			}
			whole := regexp.MustCompile("(?m)^" + tc.what + "-[0-9a-f]{16}$")
			if whole.MatchString(short) || !whole.MatchString(enough) || regexp.MustCompile("(?m)^"+tc.what+"-.*"+staging+"$").MatchString(string(out)) {
				t.Errorf("in the cache there is\n%s, and with room\n%s", short, enough)
			}
		})
	}
}

// uvDirPattern ends the name of uv's directory, not of its lock.
const uvDirPattern = "-????????????????"
