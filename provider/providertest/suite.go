package providertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// Run runs the suite. newHarness is called for each test.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	tests := []struct {
		name string
		test func(b *bed)
	}{
		{"Drivers", testDrivers},
		{"Stop", testStop},
		{"StopWhileDriverRuns", testStopWhileDriverRuns},
		{"Restart", testRestart},
		{"Lost", testLost},
		{"LostAfterTheDriverEnded", testLostAfterEnd},
		{"RecordFails", testRecordFails},
		{"CancelledStart", testCancelledStart},
		{"TwoAtOnce", testTwoAtOnce},
		{"Assign", testAssign},
		{"Owner", testOwner},
		{"Dial", testDial},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(newBed(t, newHarness(t))) })
	}
}

// testStop: what a script leaves behind goes with the cluster, and Stop can be
// called by anybody at any time.
func testStop(b *bed) {
	spec := b.spec()
	c := b.start(spec)
	// Both detach: new session, parent gone, output held open.
	p := b.run(c, sh("daemons", `
		(setsid sh -c 'trap "" TERM HUP; echo daemon one; while :; do sleep 1; done' &)
		(setsid sh -c '(setsid sh -c "echo daemon two; while :; do sleep 1; done" &)' &)
		exit 4`))
	b.wantExit(b.wait(p), 4, 0)
	b.logged(spec.ID, "daemon one")
	b.logged(spec.ID, "daemon two")
	if pids, err := b.Processes(spec.ID); err != nil || len(pids) < 2 {
		b.t.Errorf("processes %v (%v): the daemons are not among them", pids, err)
	}
	b.noteSockets(spec.ID)

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := c.Stop(b.ctx); err != nil {
				b.t.Errorf("stop, four times at once: %v", err)
			}
		})
	}
	wg.Wait()
	if pids, err := b.Processes(spec.ID); err != nil || len(pids) > 0 {
		b.t.Errorf("processes %v are there after stop (%v)", pids, err)
	}
	if err := c.Stop(b.ctx); err != nil {
		b.t.Errorf("stop of a stopped cluster: %v", err)
	}
	if e, err := p.Wait(b.ctx); err != nil || e.Code != 4 {
		b.t.Errorf("wait after stop: %+v, %v; it was known before", e, err)
	}
	_, err := c.Run(b.ctx, sh("late", "true"))
	b.wantKind(err, remora.Unavailable, "run after stop")
	_, err = b.Provider().Adopt(b.ctx, c.Handle())
	b.wantKind(err, remora.NotFound, "adopt after stop")
}

func testStopWhileDriverRuns(b *bed) {
	spec := b.spec()
	c := b.start(spec)
	p := b.run(c, sh("d", "echo up; while :; do sleep 1; done"))
	b.logged(spec.ID, "up")
	ended := make(chan error, 1)
	go func() {
		e, err := p.Wait(b.ctx)
		if err == nil && e.Signal == 0 {
			err = errors.New("it seems to have ended by itself")
		}
		ended <- err
	}()
	if err := c.Stop(b.ctx); err != nil {
		b.t.Fatalf("stop: %v", err)
	}
	if err := <-ended; err != nil && remora.KindOf(err) != remora.Unavailable {
		b.t.Errorf("wait for a driver whose cluster is stopped: %v", err)
	}
}

// testRestart: the control plane dies and comes back, with a driver that has
// ended meanwhile and one that is still running.
func testRestart(b *bed) {
	spec := b.spec()
	var recorded remora.Handle
	spec.Record = func(_ context.Context, h remora.Handle) error { recorded = slices.Clone(h); return nil }
	c := b.start(spec)
	if string(recorded) != string(c.Handle()) {
		b.t.Errorf("recorded handle %s, the cluster's is %s", recorded, c.Handle())
	}
	b.run(c, sh("short", "echo a last word >&2; exit 5"))
	b.run(c, sh("long", "echo long is up; while :; do sleep 0.01; done"))
	b.logged(spec.ID, "long is up")
	b.logged(spec.ID, "a last word")

	again, err := b.Provider().Adopt(b.ctx, recorded)
	if err != nil {
		b.t.Fatalf("adopt: %v", err)
	}
	short, err := again.Process(b.ctx, "short")
	if err != nil {
		b.t.Fatalf("the driver that ended: %v", err)
	}
	e := b.wait(short)
	b.wantExit(e, 5, 0)
	if len(e.Tail) == 0 || e.Tail[len(e.Tail)-1] != "a last word" {
		b.t.Errorf("its tail is %q", e.Tail)
	}
	long := b.run(again, sh("long", "echo started twice")) // idempotent over the restart
	soon, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := long.Wait(soon); !errors.Is(err, context.DeadlineExceeded) {
		b.t.Errorf("wait with a context that ends: %v", err)
	}
	if err := long.Stop(b.ctx, deadline); err != nil {
		b.t.Errorf("stop the driver: %v", err)
	}
	if nodes, err := again.Nodes(b.ctx); err != nil || len(nodes) != 2 {
		b.t.Errorf("nodes: %v, %v", nodes, err)
	}
	if slices.Contains(b.lines(spec.ID), "started twice") {
		b.t.Error("a driver was started twice")
	}
	if err := again.Stop(b.ctx); err != nil {
		b.t.Errorf("stop the adopted cluster: %v", err)
	}
}

// testLost: everything is killed while a driver runs.
func testLost(b *bed) {
	spec := b.spec()
	c := b.start(spec)
	p := b.run(c, sh("d", `(setsid sh -c 'echo daemon; while :; do sleep 1; done' &); echo up; while :; do sleep 1; done`))
	b.logged(spec.ID, "daemon")
	b.logged(spec.ID, "up")
	waited := make(chan error, 1)
	go func() { _, err := p.Wait(b.ctx); waited <- err }()
	b.noteSockets(spec.ID)
	b.Lose(b.t, c.Handle())
	b.wantKind(<-waited, remora.Unavailable, "wait for a driver whose cluster died")
	_, err := b.Provider().Adopt(b.ctx, c.Handle())
	b.wantKind(err, remora.NotFound, "adopt a cluster that died")
	if pids, err := b.Processes(spec.ID); err != nil || len(pids) > 0 {
		b.t.Errorf("processes %v are there after adopt (%v)", pids, err)
	}
	if exists(b.Dir) {
		b.t.Errorf("%s is there after adopt", b.Dir)
	}
}

// testLostAfterEnd: how a driver ended is not forgotten.
func testLostAfterEnd(b *bed) {
	spec := b.spec()
	c := b.start(spec)
	p := b.run(c, sh("d", "exit 3"))
	b.wait(p)
	b.noteSockets(spec.ID)
	b.Lose(b.t, c.Handle())
	again, err := b.Provider().Adopt(b.ctx, c.Handle())
	if err != nil {
		b.t.Fatalf("adopt a cluster that died after its driver ended: %v", err)
	}
	d, err := again.Process(b.ctx, "d")
	if err != nil {
		b.t.Fatalf("its driver: %v", err)
	}
	b.wantExit(b.wait(d), 3, 0)
	if _, err := d.Elapsed(b.ctx); err != nil {
		b.t.Errorf("elapsed: %v", err)
	}
	b.wantExit(b.wait(b.run(again, sh("d", "exit 0"))), 3, 0)
	_, err = again.Run(b.ctx, sh("other", "true"))
	b.wantKind(err, remora.Unavailable, "run in a cluster that died")
	if err := again.Stop(b.ctx); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	_, err = b.Provider().Adopt(b.ctx, c.Handle())
	b.wantKind(err, remora.NotFound, "adopt after stop")
}

func testRecordFails(b *bed) {
	spec := b.spec()
	broken := errors.New("the disk is full")
	spec.Record = func(context.Context, remora.Handle) error {
		if pids, _ := b.Processes(spec.ID); len(pids) > 0 || exists(b.Dir) {
			b.t.Errorf("processes %v or files are there before the handle is recorded", pids)
		}
		return broken
	}
	if _, err := b.provider.Start(b.ctx, spec); !errors.Is(err, broken) {
		b.t.Errorf("start: %v, want what Record returned", err)
	}
}

func testCancelledStart(b *bed) {
	for _, after := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, 500 * time.Millisecond} {
		spec := b.spec()
		ctx, cancel := context.WithCancel(b.ctx)
		spec.Record = func(context.Context, remora.Handle) error {
			if after == 0 {
				cancel()
			} else {
				time.AfterFunc(after, cancel)
			}
			return nil
		}
		c, err := b.provider.Start(ctx, spec)
		if err == nil { // it was faster
			if err := c.Stop(b.ctx); err != nil {
				b.t.Errorf("stop: %v", err)
			}
		} else if !errors.Is(err, context.Canceled) {
			b.t.Errorf("start, cancelled after %v: %v", after, err)
		}
		cancel()
		b.checkNothingLeft()
	}
}

func testTwoAtOnce(b *bed) {
	var wg sync.WaitGroup
	for range 2 {
		spec := b.spec()
		wg.Go(func() {
			c, err := b.provider.Start(b.ctx, spec)
			if err != nil {
				b.t.Errorf("start: %v", err)
				return
			}
			defer func() {
				b.noteSockets(spec.ID)
				if err := c.Stop(b.ctx); err != nil {
					b.t.Errorf("stop: %v", err)
				}
			}()
			p, err := c.Run(b.ctx, sh("d", "echo this is $OF_CLUSTER $HOME"))
			if err != nil {
				b.t.Errorf("run: %v", err)
				return
			}
			if e, err := p.Wait(b.ctx); err != nil || e.Code != 0 {
				b.t.Errorf("driver: %+v, %v", e, err)
			}
			nodes, err := c.Nodes(b.ctx)
			if err != nil || len(nodes) != spec.Workers+1 {
				b.t.Errorf("nodes: %v, %v", nodes, err)
			}
			if !until(func() bool { return strings.Contains(strings.Join(b.lines(spec.ID), "\n"), "this is cluster") }) {
				b.t.Errorf("the log of %s is %q", spec.ID, b.lines(spec.ID))
			}
		})
	}
	wg.Wait()
}
