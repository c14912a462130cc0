package main_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora/internal/testenv"
	"github.com/remora-project/remora/provider/supervise"
	"github.com/remora-project/remora/session"
)

// The cluster keeps the last lines of what its driver prints, and from them the
// control plane tells why an interpreter died.
func TestInterpreterTellsWhyItDied(t *testing.T) {
	dir, err := os.MkdirTemp("", "remora") // t's own may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	crash := `echo; echo Fatal Python error: Segmentation fault
for thread in 1 2 3 4 5 6 7 8 9; do echo; echo Thread $thread; for frame in 1 2 3 4 5 6 7 8 9; do echo "  frame $frame"; done; done
printf '\nCurrent thread 0 (most recent call first):\n  the cell'
kill -SEGV $$`
	host := exec.Command(testenv.Remora(t), "interpreter", "--", "/bin/sh", "-c", "exec >&2\n"+crash)
	host.Env = append(testenv.Environ(t), session.Socket+"="+socket)
	var kept supervise.LineTail
	host.Stderr = &kept
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		host.Wait()
	}()
	client := session.NewClient("s", func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", socket) })
	defer client.Close()
	eventually(t, func() bool { // it waits to be asked
		i, err := client.Interpreter(t.Context(), 0)
		select {
		case <-ended:
			return true
		default:
			return err == nil && i.Died != ""
		}
	}, "the host does not say that its interpreter died")
	select {
	case <-ended:
	case <-time.After(testenv.Deadline):
		host.Process.Kill()
		t.Fatalf("the host has not ended after %s", testenv.Deadline)
	}
	lines := kept.Lines()
	n := slices.IndexFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "remora: the Python interpreter was ended by SIGSEGV")
	})
	if n < 0 || !slices.Equal(lines[n+1:], []string{"Fatal Python error: Segmentation fault", "", "Current thread 0 (most recent call first):", "  the cell"}) {
		t.Errorf("the cluster keeps:\n%s", strings.Join(lines, "\n"))
	}
	if code := host.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}
