package session

import (
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

// host queues statements for an interpreter and knows what became of them.
//
// Locks are taken in this order: a pipe's, the log's, mu, the process's.
type host struct {
	o     Options
	over  chan struct{} // closed when there is no interpreter any more
	heard chan struct{} // closed when its death is known, and how the statements before it ended

	log     sync.Mutex // held while the interpreter's output is copied
	midLine bool       // what was copied to stderr ends within a line

	mu          sync.Mutex
	process     *process // nil if it could not be started
	interpreter Interpreter
	changed     chan struct{} // closed when interpreter changes
	words       lastWords
	brief       string // why the interpreter died, for who is not told by an answer
	stopping    bool
	deathTold   bool

	statements map[int]*statement
	last       int          // the greatest id
	waiting    []*statement // in the order of ids
	current    *statement   // what the interpreter is busy with; it may have been reported as cancelled
	idle       time.Time    // when the last statement ended, or the interpreter got ready
	shelf      shelf
}

func newHost(o Options) *host {
	return &host{o: o, over: make(chan struct{}), heard: make(chan struct{}), changed: make(chan struct{}),
		statements: map[int]*statement{}, shelf: shelf{limit: o.KeepLimit}}
}

// start starts the interpreter; that it cannot be is a death too.
func (h *host) start() {
	p, err := h.launch()
	if err != nil {
		h.died("the Python interpreter could not be started: " + err.Error())
		return
	}
	h.after(h.o.ReadyWithin, func() {
		if !h.interpreter.Ready {
			p.kill(fmt.Sprintf("it was not ready within %s", h.o.ReadyWithin))
		}
	})
}

// launch holds the lock, so that what the interpreter says at once is heard
// when process is set.
func (h *host) launch() (*process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, err := startProcess(h.o.Argv, h)
	h.process = p
	return p, err
}

// after calls f later, with the lock, unless the interpreter has died.
func (h *host) after(wait time.Duration, f func()) *time.Timer {
	return time.AfterFunc(wait, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.dead() {
			f()
		}
	})
}

func (h *host) dead() bool { return h.interpreter.Died != "" }

// submit queues a statement.
func (h *host) submit(id int, code string) error {
	if id < 1 {
		return refusef(http.StatusBadRequest, "%d is not the id of a statement", id)
	}
	if !utf8.ValidString(code) {
		return refusef(http.StatusBadRequest, "the code of statement %d is not UTF-8", id)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.statements[id] != nil || id <= h.shelf.forgotten {
		return nil
	}
	if id < h.last {
		return refusef(http.StatusConflict, "statement %d comes too late: statement %d has been submitted", id, h.last)
	}
	s := newStatement(id, code, h.o)
	h.statements[id], h.last = s, id
	if h.dead() {
		h.lose(s)
		return nil
	}
	h.waiting = append(h.waiting, s)
	h.next()
	return nil
}

// next starts a statement if the interpreter is free.
func (h *host) next() {
	if !h.interpreter.Ready || h.stopping || h.current != nil || len(h.waiting) == 0 {
		return
	}
	s := h.waiting[0]
	h.waiting = h.waiting[1:]
	h.current = s
	h.words = lastWords{}
	h.process.send(request{Op: "run", ID: s.id, Code: s.code})
	s.become(remora.StatementRunning)
}

// cancel ends a statement.
func (h *host) cancel(id int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.statement(id)
	if err != nil {
		return err
	}
	switch s.state {
	case remora.StatementWaiting:
		for i, w := range h.waiting {
			if w == s {
				h.waiting = append(h.waiting[:i:i], h.waiting[i+1:]...)
			}
		}
		h.end(s, remora.StatementCancelled)
	case remora.StatementRunning:
		s.become(remora.StatementCancelling)
		h.interrupt(s, 0)
		h.after(h.o.CancelGrace, func() { h.giveUp(s) })
	}
	return nil
}

// interrupt sends SIGINT, and again after one second, after two more and so on:
// the statement may catch it, and the interpreter drops it before the
// statement's first instruction. From the third on it goes to the programs that
// the session has started as well, as a terminal's does: while os.system waits
// for one, Python ignores it.
func (h *host) interrupt(s *statement, times int) {
	if h.current != s || s.state != remora.StatementCancelling {
		return
	}
	h.strike(times > 1)
	times++
	h.after(time.Duration(times)*time.Second, func() { h.interrupt(s, times) })
}

// strike sends SIGINT, to all processes of the session if group is set. A signal
// that comes between the interpreter's last look and a call that blocks, or that
// another thread takes, wakes nobody: SIGURG does, and means nothing by itself.
func (h *host) strike(group bool) {
	h.process.signal(syscall.SIGINT, group)
	for _, later := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
		h.after(later, func() { h.process.signal(syscall.SIGURG, false) })
	}
}

// giveUp reports a statement as cancelled that does not react.
func (h *host) giveUp(s *statement) {
	if s.state != remora.StatementCancelling {
		return
	}
	s.record.note("the statement does not react to the interrupt: native code goes on until it returns, and later " +
		"statements wait for that; variables are kept")
	h.end(s, remora.StatementCancelled)
}

// end is the end of a statement.
func (h *host) end(s *statement, state remora.StatementState) {
	s.become(state)
	h.idle = time.Now()
	for _, id := range h.shelf.add(s) {
		delete(h.statements, id)
	}
}

// lose ends a statement because the interpreter has.
func (h *host) lose(s *statement) {
	s.lost = true
	s.record.fail("InterpreterDied", h.interpreter.Died, nil)
	h.end(s, remora.StatementErrored)
}

// event is what the interpreter says.
func (h *host) event(e event) error {
	if e.Event == "stream" {
		h.copy(e.Name, e.Text)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case e.Event == "ready":
		if h.interpreter.Ready {
			return fmt.Errorf("it is ready twice")
		}
		h.interpreter = Interpreter{Ready: true, Python: e.Python, PID: e.PID}
		h.idle = time.Now()
		h.renew()
		h.next()
	case e.Event == "done":
		s := h.current
		if s == nil || s.id != e.ID {
			return fmt.Errorf("statement %d is not running", e.ID)
		}
		h.current = nil
		if !s.state.Ended() {
			s.record.apply(e)
			state := remora.StatementAvailable
			if e.Status == "cancelled" {
				state = remora.StatementCancelled
			}
			h.end(s, state)
		}
		h.next()
	case h.current != nil && h.current.id == e.ID:
		h.say(e)
	}
	return nil
}

// died is told why the interpreter has ended.
func (h *host) died(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.brief = why
	if h.stopping {
		why = "the session was stopped"
	} else {
		why, h.brief = h.words.after(why), h.words.briefly(why)
	}
	idle := h.interpreter.Ready && len(h.waiting) == 0
	h.interpreter.Ready, h.interpreter.Died = false, why
	h.renew()
	if s := h.current; s != nil && !s.state.Ended() {
		h.lose(s)
		idle = false
	}
	for _, s := range h.waiting {
		h.lose(s)
	}
	h.current, h.waiting = nil, nil
	if idle { // nobody waits for an answer with the death in it, so the host's end is to tell
		h.deathTold = true
		h.leave()
	}
	close(h.over)
}

func (h *host) renew() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// stop asks the interpreter to end, and after grace makes it. What runs is
// interrupted, so that Python ends in order.
func (h *host) stop(grace time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead() {
		return
	}
	h.stopping = true
	h.process.send(request{Op: "shutdown"})
	if h.current != nil {
		h.strike(false)
	}
	h.after(grace/2, func() { h.process.signal(syscall.SIGTERM, true) })
	h.after(grace, func() { h.process.signal(syscall.SIGKILL, true) })
}
