// Package session keeps the Python interpreter of an interactive session, in a
// process of its own on the session's cluster, and lets the control plane talk
// to it.
//
// The process (Serve, called by the hidden command `remora interpreter`) is a
// driver of the cluster, parent of the interpreter, and outlives the control
// plane. It queues statements, knows what became of each, collects what they
// print, and answers on a unix socket (Socket). Python cannot be that process:
// native code that holds the interpreter's lock would keep it from answering,
// and what kills the interpreter would take the last words along.
package session

import (
	"time"

	"github.com/remora-project/remora"
)

// Socket is the environment variable with the path of the socket to listen on;
// see remora.Cluster.Dial.
const Socket = "REMORA_SOCKET"

// DriverID names the driver of a session's cluster.
const DriverID = "interpreter"

// The protocol is HTTP with JSON bodies:
//
//	GET  /v1/interpreter?wait=1s          Interpreter; waits until it is ready or has died
//	PUT  /v1/statements/ID                code as the body, at most MaxCode bytes; idempotent by ID
//	GET  /v1/statements/ID?after=V&wait=D Snapshot; waits until its version is more than V or it has ended
//	POST /v1/statements/ID/cancel         idempotent
//	PUT  /v1/heard/statements/ID          the client has read how it ended
//	PUT  /v1/heard/interpreter            the client has read that it died
//
// The host of a dead interpreter stays until such things have been heard.
// Errors are {"message": …} with status 404 for a statement that was never
// submitted, 400 for what makes no sense, 409 for a statement whose
// predecessor's ID is not smaller, 413 for too much code.

// MaxCode bounds a statement: Glue's 68,000 characters of 4 bytes, with room.
const MaxCode = 1 << 20

// Interpreter is the state of the Python process.
type Interpreter struct {
	Ready  bool   `json:"ready"`
	Python string `json:"python"` // version
	PID    int    `json:"pid"`
	// Idle is for how long no statement has run or waited; 0 while one does, or
	// while it is not ready.
	Idle time.Duration `json:"idle"`
	// Died says why there is no interpreter any more: a sentence, and its last
	// words in lines below. The host then ends itself once this has been heard and
	// how each statement ended before, or a little later. Of an interpreter that
	// was idle it tells by its own end, so that need not have been heard.
	Died string `json:"died"`
}

// Snapshot is a statement at a moment. Its version grows with every change.
type Snapshot struct {
	Version   int64                 `json:"version"`
	State     remora.StatementState `json:"state"`
	Output    remora.Output         `json:"output"` // so far
	Progress  float64               `json:"progress"`
	Started   time.Time             `json:"started"`   // zero until it has been
	Completed time.Time             `json:"completed"` // likewise
}

// request bodies and answers besides.
type problem struct {
	Message string `json:"message"`
}
