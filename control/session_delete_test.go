package control_test

import (
	"context"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

func TestDeletion(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	remove := func() error { return p.sessions.Delete(t.Context(), "s", "arn:session/s") }
	if err := remove(); remora.KindOf(err) != remora.NotFound {
		t.Errorf("of a session that is not there: %v", err)
	}
	p.open("s")
	p.eval("s", "x = 1; x", "1")
	if err := remove(); remora.KindOf(err) != remora.WrongState || !strings.Contains(remora.MessageOf(err), "is READY") {
		t.Errorf("of a session that is ready: %v", err)
	}
	p.holdAt("before " + clusterStopped)
	p.askToStop("s")
	<-p.held
	if err := remove(); remora.KindOf(err) != remora.WrongState || !strings.Contains(remora.MessageOf(err), "is STOPPING") {
		t.Errorf("of a session that is stopping: %v", err)
	}
	close(p.release)
	b.wantSession("s", remora.SessionStopped)
	if err := remove(); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{"the session": errorOf(p.sessions.Session(t.Context(), "s", deadline)),
		"the statement": errorOf(p.sessions.Statement(t.Context(), "s", 1, deadline)), "stop": p.sessions.Stop(t.Context(), "s"),
		"cancel": p.sessions.CancelStatement(t.Context(), "s", 1), "submit": errorOf(p.trySubmit("s", "1"))} {
		if remora.KindOf(err) != remora.NotFound {
			t.Errorf("%s of a session that was deleted: %v", what, err)
		}
	}
}

// A session that has ended can be deleted: what is left of its cluster is
// waited for.
func TestDeletionWhileTheClusterGoes(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.holdAt("before " + clusterStopped)
	p.submit("s", "import os\nos._exit(3)")
	<-p.held
	if s := b.session("s"); s.State != remora.SessionFailed || s.Closed {
		t.Errorf("the session is %s, closed: %v", s.State, s.Closed)
	}
	remove := func(ctx context.Context) chan error {
		removed := make(chan error, 1)
		go func() { removed <- p.sessions.Delete(ctx, "s", "arn:session/s") }()
		return removed
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := remove(ctx)
	cancel()
	if err := <-gone; err == nil {
		t.Error("a session is deleted that is not gone")
	}
	removed := remove(t.Context())
	close(p.release)
	if err := <-removed; err != nil {
		t.Error(err)
	}
	if _, err := b.store.Session(t.Context(), "s"); remora.KindOf(err) != remora.NotFound {
		t.Errorf("the session is there: %v", err)
	}
}

func errorOf[T any](_ T, err error) error { return err }

// An id may be used again as soon as it is free, even before whoever drove the
// former session has let go of it.
func TestIDIsUsedAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.eval("s", "x = 1; x", "1")
	p.holdAt("after " + sessionClosed)
	p.askToStop("s")
	<-p.held
	if err := p.sessions.Delete(t.Context(), "s", "arn:session/s"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.create("s"); err != nil {
		t.Fatal(err)
	}
	close(p.release)
	p.ready("s")
	p.eval("s", "'x' in globals()", "False")
	p.end("s")
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	replace := func(ctx context.Context) error {
		return errorOf(p.sessions.Replace(ctx, sessionRequest(b, "s")))
	}
	if err := replace(t.Context()); err != nil { // of nothing
		t.Fatal(err)
	}
	for range 5 {
		p.ready("s")
		p.eval("s", "'x' in globals()", "False")
		p.eval("s", "x = 1", "")
		p.holdAt("before " + clusterStopped)
		p.askToStop("s")
		<-p.held
		ctx, cancel := context.WithCancel(t.Context())
		gone, replaced := make(chan error), make(chan error)
		go func() { gone <- replace(ctx) }()
		cancel()
		if err := <-gone; err == nil {
			t.Error("a session is replaced that is not gone")
		}
		go func() { replaced <- replace(t.Context()) }()
		close(p.release)
		if err := <-replaced; err != nil {
			t.Fatal(err)
		}
	}
	p.ready("s")
	p.end("s")
}
