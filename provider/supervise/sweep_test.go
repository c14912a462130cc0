package supervise_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/remora-project/remora/provider/supervise"
)

// A process whose first thread has ended looks like a zombie and is none: the
// others hold its files and go on.
func TestSweepWithoutTheFirstThread(t *testing.T) {
	id := "jr_" + t.Name()
	cmd := exec.Command("python3", "-c", `
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).pthread_exit(None)`)
	cmd.Env = []string{supervise.Marker + "=" + id}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	b := &bed{t: t, ctx: t.Context()}
	b.eventually("the first thread has not ended", func() bool {
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat")
		_, fields, _ := strings.Cut(string(stat), ") ")
		return strings.HasPrefix(fields, "Z")
	})
	if pids, err := supervise.Processes(id, ""); err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
		t.Errorf("the processes are %v, %v; want %d", pids, err, cmd.Process.Pid)
	}
	if err := supervise.Sweep(id, ""); err != nil {
		t.Error(err)
	}
	if pids, err := supervise.Processes(id, ""); err != nil || len(pids) > 0 {
		t.Errorf("processes %v are left, %v", pids, err)
	}
	if err := <-ended; cmd.ProcessState.Exited() {
		t.Errorf("it ended by itself: %v", err)
	}
}
