package control_test

import (
	"testing"

	"github.com/remora-project/remora"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	p.eval("s", "x = 41", "")
	running := p.submit("s", "x += 1\nprint('said')\n"+holding("begun"))
	waiting := p.submit("s", appending("never"))
	last := p.submit("s", "x")
	b.begun("begun")

	p.cancel("s", waiting)
	b.wantStatement("s", waiting, remora.StatementCancelled) // at once
	p.cancel("s", running)
	p.cancel("s", running)
	if st := p.result("s", running); st.State != remora.StatementCancelled || st.Output == nil || st.Output.Text != "said\n" {
		t.Errorf("the statement that ran is %s with %+v", st.State, st.Output)
	}
	if got := b.watch.statement(t, "s", running); got != "WAITING RUNNING CANCELLING CANCELLED" {
		t.Errorf("the statement that ran was %s", got)
	}
	if st := p.result("s", last); st.State != remora.StatementAvailable || st.Output.Text != "42" {
		t.Errorf("the one after it is %s with %+v; variables are kept", st.State, st.Output)
	}
	for _, n := range []int{running, waiting, last} { // they have ended
		before := b.statement("s", n)
		p.cancel("s", n)
		if after := b.statement("s", n); after.State != before.State || !after.CompletedOn.Equal(before.CompletedOn) {
			t.Errorf("statement %d, which had ended, is %s after a cancel", n, after.State)
		}
	}
	if b.executions("never") != 0 {
		t.Error("the statement that was cancelled in time was run")
	}
	p.end("s")
}

// A statement that ends by itself although it was to be cancelled has ended in
// order.
func TestCancelIsCaught(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", "try:\n    import time\n    "+"open(__import__('os').environ['out'] + '/begun', 'w').write('ran\\n')\n    time.sleep(600)\n"+
		"except KeyboardInterrupt:\n    print('caught')\n")
	b.begun("begun")
	p.cancel("s", n)
	if st := p.result("s", n); st.State != remora.StatementAvailable || st.Output.Text != "caught\n" {
		t.Errorf("the statement is %s with %+v", st.State, st.Output)
	}
	p.end("s")
}

// A cancel can meet a statement on its way to the interpreter at any point; it
// is not lost.
func TestCancelAtEachStep(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"after " + statementStored, "after " + statementFound, "before " + statementRunning, "after " + statementRunning,
		"before " + submitted, "after " + submitted} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.plane()
			p.open("s")
			p.holdAt(moment)
			done := make(chan bool)
			go func() {
				defer close(done)
				p.trySubmit("s", holding("begun"))
			}()
			<-p.held
			cancelled := make(chan bool)
			go func() {
				defer close(cancelled)
				p.cancel("s", 1)
			}()
			if moment != "before "+statementRunning { // there its transaction is in the way
				<-cancelled
			}
			close(p.release)
			<-done
			<-cancelled
			p.result("s", 1)
			b.wantStatement("s", 1, remora.StatementCancelled)
			p.eval("s", "7", "7")
			p.end("s")
		})
	}
}

// What is submitted while another is being cancelled is not cancelled with it.
func TestSubmitWhileCancelling(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	for range 10 {
		first := p.submit("s", "while True: pass")
		b.becomes("s", first, remora.StatementRunning)
		next := make(chan int)
		go func() {
			st, _ := p.trySubmit("s", "'not cancelled'")
			next <- st.ID
		}()
		p.cancel("s", first)
		if st := p.result("s", first); st.State != remora.StatementCancelled {
			t.Errorf("the first is %s", st.State)
		}
		if st := p.result("s", <-next); st.State != remora.StatementAvailable || st.Output.Text != "'not cancelled'" {
			t.Errorf("the next is %s with %+v", st.State, st.Output)
		}
	}
	p.end("s")
}

// The interpreter's host did not hear of it: the client asks again.
func TestCancelTwiceAfterAFailure(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	p.open("s")
	n := p.submit("s", holding("begun"))
	b.begun("begun")
	p.fault("at cancel", 10) // also of a second try of the HTTP client's
	p.cancel("s", n)
	b.wantStatement("s", n, remora.StatementCancelling)
	p.fault("at cancel", 0)
	p.cancel("s", n)
	p.result("s", n)
	b.wantStatement("s", n, remora.StatementCancelled)
	p.end("s")
}

// The control plane has just been restarted and has not found the interpreter.
func TestCancelBeforeTheTakeOver(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.plane()
	n, waiting := p.busy("s", holding("begun"))
	p.kill()
	p = b.newPlane()
	p.holdAt("at adoption")
	if err := p.resume(); err != nil {
		t.Fatal(err)
	}
	<-p.held
	p.cancel("s", n)
	p.cancel("s", waiting)
	close(p.release)
	p.result("s", n)
	b.wantStatement("s", n, remora.StatementCancelled)
	b.wantStatement("s", waiting, remora.StatementCancelled)
	p.end("s")
}
