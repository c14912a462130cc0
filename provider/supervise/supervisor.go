package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	remora "github.com/remora-project/remora"
	"golang.org/x/sys/unix"
)

// supervisor is the state of the process that Main runs.
type supervisor struct {
	dir      string
	spec     Spec
	log      *slog.Logger
	sink     Sink
	children *children
	assigned chan struct{} // closed once it is known where logs go

	mu       sync.Mutex
	nodes    []*node
	drivers  map[string]*driver
	lost     string    // why the cluster is lost, if it is
	stopping bool      // nothing is started any more
	contact  time.Time // when a control plane was last heard
	requests int       // being served now

	stop   chan struct{}  // closed when the cluster is to end
	remove bool           // then its directory goes too; set before stop is closed
	notes  io.WriteCloser // the run's log; nil until it is known
}

// node is a node process.
type node struct {
	Node
	proc *child
}

// Main is the life of a supervisor: it starts the node processes of the cluster
// in dir, serves the control plane, and returns when the cluster has been
// stopped and swept. open opens the log store.
//
// It must be the process's only business: it reaps all children and kills all
// descendants.
func Main(ctx context.Context, dir string, open OpenSink) error {
	// Who asks politely gets an end with all records kept; hanging up is no
	// reason. Caught, not ignored: a child would inherit that a signal is ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT)
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer cancel()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	lock, err := takeLock(ctx, dir)
	if err != nil {
		return fmt.Errorf("take the lock of %s: %w", dir, err)
	}
	defer lock.Close()
	spec, err := readSpec(dir)
	if err != nil {
		return err
	}
	sink, err := open(spec.LogStore)
	if err != nil {
		return fmt.Errorf("open the log store %s: %w", spec.LogStore, err)
	}
	s := &supervisor{dir: dir, spec: spec, sink: sink, children: newChildren(), drivers: map[string]*driver{},
		contact: time.Now(), stop: make(chan struct{}), assigned: make(chan struct{}),
		log: slog.New(slog.NewTextHandler(os.Stderr, nil)).With("cluster", spec.ID)}
	defer holdShared(spec.Locks, s.log)()
	if spec.Logs != (remora.LogTarget{}) {
		s.openLogs()
	}

	err = s.run(ctx)
	if err != nil {
		s.log.Error("supervise", "error", err)
	}
	if s.notes != nil {
		s.notes.Close()
	}
	err = errors.Join(err, sink.Close())
	if s.remove {
		// With the lock still held: whoever waits for it finds nothing.
		err = errors.Join(err, removeClusterDir(dir))
	} else {
		err = errors.Join(err, keepRecordsOnly(dir))
	}
	return err
}

// takeLock waits a little: an Attach that found the lock free may hold it.
func takeLock(ctx context.Context, dir string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		lock, err := tryLock(dir, true)
		if !errors.Is(err, errLocked) {
			return lock, err
		}
		if err := pause(ctx, lockPoll); err != nil {
			return nil, errLocked
		}
	}
}

// run is Main between opening and closing what it uses.
func (s *supervisor) run(ctx context.Context) error {
	listener, err := net.Listen("unix", filepath.Join(s.dir, socketName))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	stopTails, tailsDone := make(chan struct{}), make(chan struct{})
	go func() { s.followLogs(stopTails); close(tailsDone) }()

	srv := &http.Server{Handler: s.handler()}
	go srv.Serve(listener)
	err = s.startNodes()
	if err != nil {
		// Who asked for the cluster learns of it by its status, and stops it.
		s.clusterLost(err.Error())
	}
	if s.spec.Owner != "" {
		defer s.watchOwner(ctx)()
	} else {
		s.contacted(0) // starting the nodes may have taken a while
		go s.watchLease(ctx)
	}
	select {
	case <-s.stop:
	case <-ctx.Done():
		s.end(false)
	}

	err = sweepDescendants(s.spec.ID, s.dir)
	for _, d := range s.allDrivers() {
		<-d.ended
	}
	close(stopTails)
	<-tailsDone
	// Requests that wait for a driver are answered now; /stop is not among them,
	// its client waits for the lock.
	bound, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if srv.Shutdown(bound) != nil {
		srv.Close()
	}
	return err
}

func (s *supervisor) startNodes() error {
	for _, n := range s.spec.Nodes {
		logFile, err := os.OpenFile(filepath.Join(s.dir, n.Name+".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			logFile.Close()
			return err
		}
		env := Environ(s.spec.ID, s.spec.Env, n.Env)
		dir := n.Dir
		if dir == "" {
			dir = s.dir
		}
		s.mu.Lock()
		if s.stopping {
			s.mu.Unlock()
			return nil
		}
		p, err := s.children.start(n.Argv, env, dir, []*os.File{null, logFile, logFile})
		if err == nil {
			nd := &node{Node: n, proc: p}
			s.nodes = append(s.nodes, nd)
			go s.watchNode(nd)
		}
		s.mu.Unlock()
		null.Close()
		logFile.Close()
		if err != nil {
			return fmt.Errorf("start %s: %w", n.Name, err)
		}
	}
	return nil
}

func (s *supervisor) watchNode(n *node) {
	<-n.proc.done
	s.mu.Lock()
	stopping := s.stopping
	s.mu.Unlock()
	if stopping {
		return
	}
	why := fmt.Sprintf("node process %s ended: %s", n.Name, describe(n.proc.status))
	if n.Essential {
		s.clusterLost(why)
		return
	}
	s.log.Warn(why)
	s.note(why)
}

func describe(w syscall.WaitStatus) string {
	if w.Signaled() {
		return w.Signal().String()
	}
	return fmt.Sprintf("exit status %d", w.ExitStatus())
}

func (s *supervisor) clusterLost(why string) {
	s.log.Error("cluster lost", "reason", why)
	s.note("the cluster was lost: " + why)
	s.mu.Lock()
	if s.lost == "" {
		s.lost = why
	}
	s.mu.Unlock()
	for _, d := range s.allDrivers() {
		go d.clusterLost(why, s.spec.LostGrace)
	}
}

func (s *supervisor) allDrivers() []*driver {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*driver, 0, len(s.drivers))
	for _, d := range s.drivers {
		out = append(out, d)
	}
	return out
}

// end makes run return; remove says whether the directory goes as well.
func (s *supervisor) end(remove bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.stopping, s.remove = true, remove
	close(s.stop)
}

// watchLease ends a cluster that nobody wants any more.
func (s *supervisor) watchLease(ctx context.Context) {
	for {
		s.mu.Lock()
		busy := s.requests > 0
		for _, d := range s.drivers {
			busy = busy || d.running()
		}
		if busy {
			s.contact = time.Now()
		}
		left := s.spec.Lease - time.Since(s.contact)
		s.mu.Unlock()
		if left <= 0 {
			s.log.Warn("no driver and no control plane; the cluster ends", "after", s.spec.Lease)
			s.end(false)
			return
		}
		if pause(ctx, max(left/4, 10*time.Millisecond)) != nil {
			return
		}
	}
}

// pause waits for d or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
