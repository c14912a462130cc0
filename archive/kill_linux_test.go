package archive

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	remora "github.com/remora-project/remora"
)

// The helper is this test program as another process, which unpacks a zip and
// says how that ended. With helperStall it says "stalled" in the middle, and
// waits there to be killed.
const (
	helperZip   = "REMORA_TEST_ARCHIVE_ZIP"
	helperDst   = "REMORA_TEST_ARCHIVE_DST"
	helperStall = "REMORA_TEST_ARCHIVE_STALL"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperZip) == "" {
		os.Exit(m.Run())
	}
	data, err := os.ReadFile(os.Getenv(helperZip))
	if err != nil {
		panic(err)
	}
	var src io.ReaderAt = bytes.NewReader(data)
	if os.Getenv(helperStall) != "" {
		src = stalling{src, int64(len(data)) / 2}
	}
	_, err = Unpack(context.Background(), src, int64(len(data)), os.Getenv(helperDst), Limits{})
	fmt.Println("ended:", remora.KindOf(err), err)
}

// stalling never returns from a read of the middle.
type stalling struct {
	io.ReaderAt
	at int64
}

func (s stalling) ReadAt(b []byte, off int64) (int, error) {
	if off <= s.at && s.at < off+int64(len(b)) && off > 0 {
		fmt.Println("stalled")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the pipe is closed, or for ever
	}
	return s.ReaderAt.ReadAt(b, off)
}

// noise is a zip of two files that deflate cannot make smaller.
func noise(t *testing.T) (data []byte, path string) {
	t.Helper()
	bytes := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(bytes)
	data = pack(t, item{name: "pkg/a", data: "a"}, item{name: "pkg/b", data: string(bytes)}, item{name: "pkg/c", data: "c"})
	path = filepath.Join(t.TempDir(), "noise.zip")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return data, path
}

// kill -9 in the middle: dst is not there, and the next one clears up, but not
// while the first is alive.
func TestKill(t *testing.T) {
	data, path := noise(t)
	parent := t.TempDir()
	dst := filepath.Join(parent, "dst")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperZip+"="+path, helperDst+"="+dst, helperStall+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "stalled\n" {
		t.Errorf("the other process said %q, %v", line, err)
	}
	stages := func() []string {
		found, err := filepath.Glob(filepath.Join(parent, ".dst.*.tmp"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	// A living process's work is left alone.
	if _, err := unpack(t, data[:100], dst, Limits{}); remora.KindOf(err) != remora.Invalid {
		t.Errorf("half a zip: %v", err)
	}
	sweep(parent, ".dst.")
	if n := len(stages()); n != 1 {
		t.Errorf("%d unfinished directories while it is at work, want 1", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Stat(dst); !os.IsNotExist(err) || len(stages()) != 1 {
		t.Errorf("after the kill: %v, %v", err, stages())
	}
	if _, err := unpack(t, data, dst, Limits{}); err != nil {
		t.Error(err)
	}
	if left := stages(); len(left) > 0 {
		t.Errorf("nobody cleared up %v", left)
	}
}

// A disk that is really full: a small file system, mounted where only a process
// of this test sees it.
func TestFullDisk(t *testing.T) {
	_, path := noise(t)
	full := t.TempDir()
	const script = `set -e; mount -t tmpfs -o size=256k none "$1"; "$2"; ls -A "$1"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", full, os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	cmd.Env = append(os.Environ(), helperZip+"="+path, helperDst+"="+filepath.Join(full, "dst"))
	out, err := cmd.CombinedOutput()
	said := string(out)
	if !strings.Contains(said, "ended:") {
		t.Skipf("cannot mount a file system here: %v %s", err, said)
	}
	if !strings.HasPrefix(said, "ended: unavailable") || !strings.Contains(said, "the disk of "+full+" is full") {
		t.Errorf("on a full disk: %s", said)
	}
	if strings.Count(said, "\n") != 1 {
		t.Errorf("it left something: %s", said)
	}
}
