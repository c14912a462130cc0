package session

import (
	"time"

	"github.com/remora-project/remora"
)

// The output of a running statement is a new version at most every
// publishEvery, and more rarely the larger it is: each version is sent whole.
const (
	publishEvery = 100 * time.Millisecond
	publishRate  = 4 << 20 // bytes a second
	publishMost  = 2 * time.Second
)

// statement is a statement with all that is known of it. Host.mu guards it.
type statement struct {
	id    int
	code  string // until it runs
	state remora.StatementState

	started, completed time.Time

	record *record       // until it has ended
	output remora.Output // from then on
	weight int64         // of output
	told   bool          // somebody knows how it ended
	lost   bool          // it ended because the interpreter did

	version   int64
	changed   chan struct{} // closed by the next version
	published time.Time
	pending   *time.Timer // set while there is output that no version has
}

func newStatement(id int, code string, o Options) *statement {
	return &statement{id: id, code: code, state: remora.StatementWaiting, record: newRecord(o.TextLimit, o.PictureLimit),
		version: 1, changed: make(chan struct{})}
}

// become is a change of state, and a new version.
func (s *statement) become(state remora.StatementState) {
	if !s.state.CanBecome(state) {
		panic("session: a statement that is " + string(s.state) + " cannot become " + string(state))
	}
	s.state = state
	switch {
	case state == remora.StatementRunning:
		s.started = time.Now()
	case state.Ended():
		s.completed = time.Now()
		s.code = ""
		s.output, s.record = s.record.output(), nil
		s.weight = weigh(s.output)
	}
	s.publish()
}

// publish makes a new version.
func (s *statement) publish() {
	if s.pending != nil {
		s.pending.Stop()
		s.pending = nil
	}
	s.version++
	s.published = time.Now()
	close(s.changed)
	s.changed = make(chan struct{})
}

// touch is called when there is new output. later calls its argument, with the
// host locked.
func (s *statement) touch(later func(time.Duration, func()) *time.Timer) {
	if s.pending != nil {
		return
	}
	every := time.Duration(float64(s.record.size()) / publishRate * float64(time.Second))
	wait := min(max(every, publishEvery), publishMost) - time.Since(s.published)
	if wait <= 0 {
		s.publish()
		return
	}
	var timer *time.Timer
	timer = later(wait, func() {
		if s.pending == timer {
			s.publish()
		}
	})
	s.pending = timer
}

// snapshot is the statement as it is. What no version has yet becomes one.
func (s *statement) snapshot() Snapshot {
	if s.pending != nil {
		s.publish()
	}
	shot := Snapshot{Version: s.version, State: s.state, Output: s.output, Started: s.started, Completed: s.completed}
	if s.record != nil {
		shot.Output = s.record.output()
	}
	if s.state == remora.StatementAvailable {
		shot.Progress = 1
	}
	return shot
}

// drop gives the memory of the output back.
func (s *statement) drop() {
	s.output = remora.Output{ErrorName: s.output.ErrorName, Error: shorten(s.output.Error, 1<<10),
		Text: "[the output is not kept any more]\n"}
	s.weight = 0
	s.publish()
}
