package modules

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/remora-project/remora"
)

// The helper is this test program as another process, which prepares what a zip
// holds and says how that ended.
const (
	helperZip = "REMORA_TEST_MODULES_ZIP"
	helperDir = "REMORA_TEST_MODULES_DIR"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperZip) == "" {
		os.Exit(m.Run())
	}
	data, err := os.ReadFile(os.Getenv(helperZip))
	if err != nil {
		panic(err)
	}
	const uri = "s3://b/large.zip"
	stage := Stage{&envs{}, objects{uri: data}}
	_, err = stage.Prepare(context.Background(), "Ray2.60", Wants{Modules: []string{uri}}, os.Getenv(helperDir), func(string) {})
	_, err2 := Load(os.Getenv(helperDir))
	fmt.Println("ended:", err == nil, remora.KindOf(err), err, "loaded:", err2 == nil)
}

// A disk that is really full, before the object is there and after it: a small
// file system, mounted where only a process of this test sees it. With room it
// works.
func TestFullDisk(t *testing.T) {
	noise := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(noise)
	path := filepath.Join(t.TempDir(), "noise.zip")
	if err := os.WriteFile(path, packed(t, "pkg/noise", string(noise)), 0o600); err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	const script = `mount -t tmpfs -o size=256k none "$1" && "$2"; mount -o remount,size=1500k "$1" && "$2"; mount -o remount,size=4m "$1" && "$2"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", full, os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	cmd.Env = append(os.Environ(), helperZip+"="+path, helperDir+"="+filepath.Join(full, "job"))
	out, err := cmd.CombinedOutput()
	said := strings.Split(strings.TrimSpace(string(out)), "\n")
	if strings.Count(string(out), "ended:") != 3 {
		t.Skipf("cannot mount a file system here: %v %s", err, out)
	}
	for i, want := range [][]string{
		{"ended: false unavailable", "--s3-py-modules s3://b/large.zip: store s3://b/large.zip", "no space left on device", "loaded: false"},
		{"ended: false unavailable", "--s3-py-modules s3://b/large.zip: unpack a zip: the disk of " + full + "/job is full, make room there", "loaded: false"},
		{"ended: true", "loaded: true"},
	} {
		for _, w := range want {
			if !strings.Contains(said[i], w) {
				t.Errorf("it said %q, want %q", said[i], w)
			}
		}
	}
}
