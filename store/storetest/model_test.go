package storetest

import (
	"reflect"
	"testing"

	"github.com/remora-project/remora"
)

// The parts of the suite that a store for one goroutine can pass: the model is
// held to what the stores are that it is compared with.
func TestModel(t *testing.T) {
	for _, test := range []func(*testing.T, remora.Store){jobNameTaken, jobsByName, jobUpdate, tagsRoundTrip,
		runAdmission, runStates, runSuccessor, runPromotion, runsOpen} {
		test(t, &model{tags: make(map[string]map[string]string)})
	}
}

func TestSessionModel(t *testing.T) {
	for _, test := range []func(*testing.T, Sessions){sessionIDs, sessionIDTaken, sessionAdmission, sessionStates,
		sessionClosed, sessionsOpen, sessionsByTags, sessionDelete, statementMissing, statementStates, statementsOpen,
		statementLong} {
		test(t, newSessionModel())
	}
}

func TestSamplesAreComplete(t *testing.T) {
	session, statement := newSession("s"), remora.Statement{SessionID: "s", ID: 1, Code: "c", State: remora.StatementWaiting}
	session.Closed = true
	fill(&statement)
	for name, sample := range map[string]any{"Job": newJob("j"), "Run": newRun("j"),
		"Session": session, "Statement": statement} {
		if missing := zeros(reflect.ValueOf(sample), name); len(missing) > 0 {
			t.Errorf("the sample does not set %v, so that no store is tested to keep it", missing)
		}
	}
}
