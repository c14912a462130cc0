package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	remora "github.com/remora-project/remora"
)

// driver is a driver that this supervisor has started.
type driver struct {
	spec         remora.Driver
	cluster, dir string // the cluster's id and directory
	proc         *child // nil if it could not be executed
	tail         *LineTail
	ended        chan struct{} // closed when the exit is on disk

	mu     sync.Mutex
	record Record
	lost   string // why the cluster died under it
}

// startDriver records the driver and executes it. An error means that there is
// no record and nothing was started; whatever fails later is its Exit.
func (s *supervisor) startDriver(d remora.Driver) (*driver, error) {
	dr := &driver{spec: d, cluster: s.spec.ID, dir: s.dir, record: newRecord(d.ID), tail: &LineTail{}, ended: make(chan struct{})}
	if err := dr.record.write(s.dir); err != nil {
		return nil, ioError("record the driver", d.ID, err)
	}
	output, err := dr.exec(s)
	if err != nil {
		dr.finish(remora.Exit{Code: -1, Error: "the driver could not be started: " + err.Error()})
		return dr, nil
	}
	go dr.wait(output)
	return dr, nil
}

// exec starts the process, with its output going to the script log.
func (dr *driver) exec(s *supervisor) (*output, error) {
	d := dr.spec
	if len(d.Argv) == 0 || !filepath.IsAbs(d.Argv[0]) {
		return nil, fmt.Errorf("%q does not begin with an absolute path", d.Argv)
	}
	dir := d.Dir
	if dir == "" {
		dir = filepath.Join(s.dir, workName, shortHash(d.ID)[:24])
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()

	log := &mixer{to: s.sink.Writer(s.spec.Logs.Prefix+"/"+remora.ScriptLog, s.spec.Logs.Stream)}
	out, stdout, stderr, err := openOutput(log, dr.tail)
	if err != nil {
		log.close()
		return nil, err
	}
	defer stdout.Close()
	defer stderr.Close()

	env := Environ(s.spec.ID, s.spec.Env, d.Env, map[string]string{SocketVariable: DriverSocket(s.dir, d.ID)})
	dr.proc, err = s.children.start(d.Argv, env, dir, []*os.File{null, stdout, stderr})
	if err != nil {
		stdout.Close()
		stderr.Close()
		out.drain()
		return nil, err
	}
	return out, nil
}

// wait sees a started driver to its end.
func (dr *driver) wait(out *output) {
	<-dr.proc.done
	took := bootTime() - dr.record.Started
	out.drain()
	exit := remora.Exit{Elapsed: took, Tail: dr.tail.Lines(), Notes: out.notes}
	if dr.proc.status.Signaled() {
		exit.Code, exit.Signal = -1, int(dr.proc.status.Signal())
	} else {
		exit.Code = dr.proc.status.ExitStatus()
	}
	dr.mu.Lock()
	if exit.Code != 0 && dr.lost != "" {
		exit.Error = "the cluster was lost: " + dr.lost
	}
	dr.mu.Unlock()
	dr.finish(exit)
}

// finish stores how the driver ended and only then lets it be known.
func (dr *driver) finish(exit remora.Exit) {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	dr.record.Exit = &exit
	if err := dr.record.write(dr.dir); err != nil {
		fmt.Fprintf(os.Stderr, "record the end of driver %s: %v\n", dr.spec.ID, err)
	}
	close(dr.ended)
}

func (dr *driver) snapshot() Record {
	dr.mu.Lock()
	defer dr.mu.Unlock()
	return dr.record
}

func (dr *driver) running() bool {
	select {
	case <-dr.ended:
		return false
	default:
		return true
	}
}

// stop asks the driver to end, and after grace makes it and its group.
func (dr *driver) stop(grace time.Duration) {
	if dr.proc == nil {
		return
	}
	dr.proc.signalGroup(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-dr.proc.done:
	case <-timer.C:
		dr.proc.signalGroup(syscall.SIGKILL)
		<-dr.proc.done
	}
	if err := SweepGroup(dr.cluster, dr.dir, dr.proc.pid); err != nil {
		fmt.Fprintf(os.Stderr, "stop driver %s: %v\n", dr.spec.ID, err)
	}
	<-dr.ended
}

// clusterLost is called when an essential node has died.
func (dr *driver) clusterLost(why string, grace time.Duration) {
	dr.mu.Lock()
	dr.lost = why
	dr.mu.Unlock()
	if dr.proc == nil {
		return
	}
	select {
	case <-dr.ended:
	case <-time.After(grace):
		dr.proc.signalGroup(syscall.SIGKILL)
	}
}

func logNote(err error) string {
	var e *remora.Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return err.Error()
}
