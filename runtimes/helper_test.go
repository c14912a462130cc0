package runtimes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// The helper is this test program as another process that wants a runtime with
// packages over it. It prints the progress, then "ready" and the directory.
const (
	helperDir   = "REMORA_TEST_RUNTIMES_DIR"
	helperIndex = "REMORA_TEST_RUNTIMES_INDEX"
	helperLock  = "REMORA_TEST_RUNTIMES_LOCK"
	helperName  = "REMORA_TEST_RUNTIMES_NAME"
	helperWants = "REMORA_TEST_RUNTIMES_WANTS" // requirements, separated by blanks
)

// helperEnviron is the environment of a helper.
func helperEnviron(dir, index, lock, name string, wants ...string) []string {
	return append(os.Environ(), helperDir+"="+dir, helperIndex+"="+index, helperLock+"="+lock, helperName+"="+name,
		helperWants+"="+strings.Join(wants, " "))
}

func helper() int {
	c, err := open(os.Getenv(helperDir), Options{}, tinyCatalog(os.Getenv(helperLock)))
	if err == nil {
		c.environ = testEnviron(os.Getenv(helperIndex))
		c.beat = 50 * time.Millisecond
		var rt remora.Runtime
		rt, err = c.Overlay(context.Background(), os.Getenv(helperName), strings.Fields(os.Getenv(helperWants)),
			func(line string) { fmt.Println(line) })
		if err == nil {
			fmt.Println("ready", rt.Dir)
			return 0
		}
	}
	fmt.Println("error", remora.KindOf(err), err)
	return 1
}

// otherProcess starts the helper; its lines arrive in the channel.
func otherProcess(t *testing.T, environ []string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = environ
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1000)
	go func() {
		defer close(said)
		for s := bufio.NewScanner(out); s.Scan(); {
			said <- s.Text()
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range said {
		}
	})
	return cmd, said
}

// hear waits for a line that starts with one of the beginnings.
func hear(t *testing.T, said <-chan string, beginnings ...string) string {
	t.Helper()
	timeout := time.After(deadline)
	var heard []string
	for {
		select {
		case line, ok := <-said:
			if !ok {
				t.Fatalf("the other process ended without saying %q; it said:\n%s", beginnings, strings.Join(heard, "\n"))
			}
			heard = append(heard, line)
			for _, b := range beginnings {
				if strings.HasPrefix(line, b) {
					return line
				}
			}
		case <-timeout:
			t.Fatalf("the other process did not say %q within %s; it said:\n%s", beginnings, deadline, strings.Join(heard, "\n"))
		}
	}
}

// kill kills another process, unless it has ended, and waits until it is gone.
func kill(t *testing.T, cmd *exec.Cmd, said <-chan string) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	timeout := time.After(deadline)
	for {
		select {
		case _, ok := <-said:
			if !ok {
				return
			}
		case <-timeout:
			t.Fatalf("the process that was killed is still there after %s", deadline)
		}
	}
}
