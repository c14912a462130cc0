package supervise

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	remora "github.com/remora-project/remora"
)

// launchTimeout is how long a supervisor may take to answer: it has a file to
// read, a lock to take and processes to fork.
const launchTimeout = 20 * time.Second

// Launch starts the supervisor of a cluster that Create has prepared, by argv
// with dir appended, and returns when it answers. The supervisor starts the
// node processes by itself. If Launch fails nothing is left, dir included.
func Launch(ctx context.Context, argv []string, id, dir string) (*Cluster, error) {
	c := newCluster(id, dir)
	err := c.launch(ctx, argv)
	if err != nil {
		if err2 := c.Stop(context.WithoutCancel(ctx)); err2 != nil {
			err = fmt.Errorf("%w; and then: %w", err, err2)
		}
		return nil, err
	}
	return c, nil
}

func (c *Cluster) launch(ctx context.Context, argv []string) error {
	logFile, err := os.OpenFile(filepath.Join(c.dir, logName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return ioError("open the supervisor's log", c.id, err)
	}
	defer logFile.Close()
	cmd := exec.Command(argv[0], append(append([]string{}, argv[1:]...), c.dir)...)
	cmd.Dir = "/" // it must not keep a file system busy
	cmd.Env = []string{Marker + "=" + c.id, "PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return remora.Internalf("supervise: launch", c.id, "start the supervisor: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }() // our child as long as we live; then init's

	limit, cancel := context.WithTimeout(ctx, launchTimeout)
	defer cancel()
	for {
		_, err := c.Status(limit)
		if err == nil {
			return nil
		}
		select {
		case state := <-exited:
			return remora.Internalf("supervise: launch", c.id, "the cluster's supervisor ended at once (%v): %s",
				state, strings.Join(LastLines(c.dir, logName), "\n"))
		default:
		}
		if pause(limit, clientPoll/2) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return remora.Unavailablef("supervise: launch", c.id, "the cluster's supervisor did not answer within %v: %w", launchTimeout, err)
		}
	}
}
