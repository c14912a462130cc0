package remora

import (
	"slices"
	"testing"
)

var sessionStates = []SessionState{SessionProvisioning, SessionReady, SessionStopping, SessionStopped, SessionFailed,
	SessionTimedOut}

var statementStates = []StatementState{StatementWaiting, StatementRunning, StatementAvailable, StatementCancelling,
	StatementCancelled, StatementErrored}

// lifeState is a state of something that has a life.
type lifeState[S any] interface {
	comparable
	CanBecome(S) bool
	Ended() bool
}

// followers returns, for each state, all that can come after it. It fails t
// where a state can come again, or where Ended says otherwise than what follows.
func followers[S lifeState[S]](t *testing.T, states []S) map[S][]S {
	t.Helper()
	after := make(map[S][]S)
	var walk func(from, at S)
	walk = func(from, at S) {
		for _, s := range states {
			if at.CanBecome(s) && !slices.Contains(after[from], s) {
				after[from] = append(after[from], s)
				walk(from, s)
			}
		}
	}
	for _, s := range states {
		walk(s, s)
	}
	for _, s := range states {
		if slices.Contains(after[s], s) {
			t.Errorf("%v can come again", s)
		}
		if s.Ended() != (len(after[s]) == 0) {
			t.Errorf("%v: ended is %v, and %v can follow", s, s.Ended(), after[s])
		}
	}
	var none S
	if none.Ended() || slices.ContainsFunc(states, func(s S) bool { return none.CanBecome(s) || s.CanBecome(none) }) {
		t.Error("the empty state is one of a life")
	}
	return after
}

func TestSessionStatesOnlyGoForward(t *testing.T) {
	after := followers(t, sessionStates)
	for _, s := range sessionStates {
		first, end := s == SessionProvisioning, s == SessionStopped || s == SessionFailed || s == SessionTimedOut
		if s.Ended() != end {
			t.Errorf("%s: ended is %v", s, s.Ended())
		}
		if !first && !slices.Contains(after[SessionProvisioning], s) {
			t.Errorf("a session never comes to %s", s)
		}
		// Whatever it is doing, a session can fail.
		if !end && !s.CanBecome(SessionFailed) {
			t.Errorf("a session that is %s cannot fail", s)
		}
		// Who follows a session sees STOPPING before it has stopped, and READY before
		// its time is over.
		if s.CanBecome(SessionStopped) && s != SessionStopping || s.CanBecome(SessionTimedOut) && s != SessionReady {
			t.Errorf("%s skips a state", s)
		}
	}
	if !SessionProvisioning.CanBecome(SessionStopping) || !SessionReady.CanBecome(SessionStopping) {
		t.Error("a session cannot be stopped")
	}
}

func TestStatementStatesOnlyGoForward(t *testing.T) {
	after := followers(t, statementStates)
	for _, s := range statementStates {
		first, end := s == StatementWaiting, s == StatementAvailable || s == StatementCancelled || s == StatementErrored
		if s.Ended() != end {
			t.Errorf("%s: ended is %v", s, s.Ended())
		}
		if !first && !slices.Contains(after[StatementWaiting], s) {
			t.Errorf("a statement never comes to %s", s)
		}
		// Whatever a statement is doing, it can be cancelled, and its session can end.
		if !end && (!slices.Contains(after[s], StatementCancelled) || !s.CanBecome(StatementErrored)) {
			t.Errorf("a statement that is %s cannot be cancelled, or outlives its session", s)
		}
		// What has not run has no result.
		if s.CanBecome(StatementAvailable) && s != StatementRunning && s != StatementCancelling {
			t.Errorf("%s skips RUNNING", s)
		}
	}
	// A statement may end by itself before it is interrupted.
	if !StatementCancelling.CanBecome(StatementAvailable) {
		t.Error("a statement that is being cancelled cannot end well")
	}
}

func TestSessionPlanCapacity(t *testing.T) {
	for want, p := range map[float64]SessionPlan{0: {}, 10: {NumberOfWorkers: 5, DPUPerWorker: 2},
		0.75: {NumberOfWorkers: 3, DPUPerWorker: 0.25}} {
		if got := p.MaxCapacity(); got != want {
			t.Errorf("%d workers of %v DPU have a capacity of %v, want %v", p.NumberOfWorkers, p.DPUPerWorker, got, want)
		}
	}
}
