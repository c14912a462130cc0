package control_test

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/remora-project/remora"
)

// Steps of a run, in their order. A gate passes each of them twice: before it is
// done, and after.
const (
	accepted       = "accepted"
	promoted       = "promoted"
	scriptFetched  = "script fetched"
	handleRecorded = "handle recorded"
	clusterStarted = "cluster started"
	runningStored  = "RUNNING stored"
	driverStarted  = "driver started"
	driverEnded    = "driver ended"
	driverStopped  = "driver stopped"
	stopStored     = "STOPPING stored"
	outcomeStored  = "outcome stored"
	clusterStopped = "cluster stopped"
	endStored      = "end stored"
)

var steps = []string{accepted, scriptFetched, handleRecorded, clusterStarted, runningStored, driverStarted, driverEnded,
	outcomeStored, clusterStopped, endStored}

// gate stands between one control plane and everything else. It can do to the
// control plane what kill -9 does: from that moment no call gets through, in
// whatever goroutine, and the goroutine that tries ends.
type gate struct {
	mu     sync.Mutex
	killAt string // "before accepted", "after accepted" …
	dead   bool
	killed chan struct{} // closed with it
	older  time.Duration // by which drivers have run longer than they have
	faults map[string]int
	hung   string        // the step at which calls hang until their context ends
	thaw   chan struct{} // closed when they are not to hang any more

	hold    string        // the step to wait at
	held    chan struct{} // closed when it is reached
	release chan struct{} // to be closed by the test
}

func newGate() *gate { return &gate{killed: make(chan struct{}), faults: map[string]int{}} }

// fault lets a step fail the next n times.
func (g *gate) fault(at string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults[at] = n
}

// killAtMoment kills the control plane when it comes to a step.
func (g *gate) killAtMoment(at string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.killAt = at
}

// holdAt lets the first that comes to a step wait there for release.
func (g *gate) holdAt(at string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold, g.held, g.release = at, make(chan struct{}), make(chan struct{})
}

func (g *gate) wait(at string) {
	g.mu.Lock()
	here := g.hold == at
	if here {
		g.hold = ""
		close(g.held)
	}
	g.mu.Unlock()
	if here {
		<-g.release
	}
}

// hangAt lets calls at a step hang until their context ends, or it is called
// again; "": none.
func (g *gate) hangAt(step string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hung != "" {
		close(g.thaw)
	}
	g.hung, g.thaw = step, make(chan struct{})
}

func (g *gate) hang(ctx context.Context, step string) error {
	g.mu.Lock()
	here, thaw := g.hung == step, g.thaw
	g.mu.Unlock()
	if !here {
		return nil
	}
	select {
	case <-thaw:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass lets the control plane do a step, or be killed at it, or returns the
// error that the step fails with.
func (g *gate) pass(when, step string) error {
	at := when + " " + step
	if !g.alive(at) {
		runtime.Goexit()
	}
	return g.failure(at)
}

func (g *gate) failure(at string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.faults[at] > 0 {
		g.faults[at]--
		return remora.Unavailablef("test", at, "the disk is full %s", at)
	}
	return nil
}

// alive reports whether the control plane gets beyond a step.
func (g *gate) alive(at string) bool {
	g.wait(at)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.killAt == at {
		g.dieLocked()
	}
	return !g.dead
}

// open is pass for calls that are no step.
func (g *gate) open() { g.pass("at", "no step") }

func (g *gate) die() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dieLocked()
}

func (g *gate) dieLocked() {
	if !g.dead {
		g.dead = true
		close(g.killed)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// store passes the gate; a fault "after" a step is an answer that was lost.
type store struct {
	remora.Store
	*gate
}

func (s store) Job(ctx context.Context, name string) (remora.Job, error) {
	if err := s.pass("at", "job read"); err != nil {
		return remora.Job{}, err
	}
	return s.Store.Job(ctx, name)
}

func (s store) Run(ctx context.Context, job, id string) (remora.Run, error) {
	if err := s.pass("at", "run read"); err != nil {
		return remora.Run{}, err
	}
	return s.Store.Run(ctx, job, id)
}

func (s store) OpenRuns(ctx context.Context) ([]remora.Run, error) {
	s.open()
	return s.Store.OpenRuns(ctx)
}

func (s store) CreateRun(ctx context.Context, r remora.Run, admit func(int, int) (remora.RunState, error)) (remora.Run, error) {
	if err := s.pass("before", accepted); err != nil {
		return r, err
	}
	r, err := s.Store.CreateRun(ctx, r, admit)
	if err == nil {
		err = s.pass("after", accepted)
	}
	return r, err
}

func (s store) PromoteRun(ctx context.Context, job string, limit int) (remora.Run, bool, error) {
	if err := s.pass("before", promoted); err != nil {
		return remora.Run{}, false, err
	}
	r, ok, err := s.Store.PromoteRun(ctx, job, limit)
	if ok {
		err = s.pass("after", promoted)
	}
	return r, ok, err
}

func (s store) ChangeRun(ctx context.Context, id string, change func(*remora.Run) (*remora.Run, error)) (remora.Run, error) {
	s.open()
	step := ""
	r, err := s.Store.ChangeRun(ctx, id, func(r *remora.Run) (*remora.Run, error) {
		before := *r
		next, err := change(r)
		if step = stepOf(before, *r); step != "" && err == nil {
			err = s.pass("before", step)
		}
		return next, err
	})
	if err == nil && step != "" {
		if err := s.pass("after", step); err != nil {
			return remora.Run{}, err
		}
	}
	return r, err
}

func stepOf(before, after remora.Run) string {
	switch {
	case before.State != after.State && after.State.Ended():
		return endStored
	case before.State != after.State && after.State == remora.Stopping:
		return stopStored
	case before.State != after.State && after.State == remora.Running:
		return runningStored
	case before.Outcome == nil && after.Outcome != nil:
		return outcomeStored
	case before.Handle == nil && after.Handle != nil:
		return handleRecorded
	}
	return ""
}
