package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The interpreter and its host speak in lines of JSON over two pipes: requests
// come in on descriptor 3, events go out on 4. python/remora/session is the
// other end and says what each of them means.

// request is what the host asks of the interpreter: "run", one at a time, or
// "shutdown".
type request struct {
	Op   string `json:"op"`
	ID   int    `json:"id,omitempty"`
	Code string `json:"code"`
}

// event is what the interpreter says. Which fields there are depends on Event.
type event struct {
	Event string `json:"event"` // "ready", "stream", "display" or "done"
	ID    int    `json:"id"`    // of the statement; 0 for what a thread does between two of them

	Python string `json:"python"` // ready: its version
	PID    int    `json:"pid"`    // ready

	Name string `json:"name"` // stream: "stdout" or "stderr"
	Text string `json:"text"` // stream

	Data bundle `json:"data"` // display, and done with a value

	Status    string   `json:"status"` // done: "ok", "error" or "cancelled"
	ErrorName string   `json:"ename"`
	Error     string   `json:"evalue"`
	Traceback []string `json:"traceback"`
}

// bundle is a value in several forms, by MIME type; binary ones in base64.
type bundle map[string]string

const (
	stdout = "stdout"
	stderr = "stderr"

	// maxEvent bounds a line: a bundle of several forms of 8 Mi characters each,
	// escaped.
	maxEvent = 128 << 20
)

// decodeEvent reads one line.
func decodeEvent(line []byte) (event, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return event{}, err
	}
	if e.ID < 0 {
		return event{}, fmt.Errorf("%d is not the id of a statement", e.ID)
	}
	switch e.Event {
	case "ready", "display":
	case "stream":
		if e.Name != stdout && e.Name != stderr {
			return event{}, fmt.Errorf("there is no stream %q", e.Name)
		}
	case "done":
		if e.ID == 0 {
			return event{}, errors.New("no statement is named that is done")
		}
		if e.Status != "ok" && e.Status != "error" && e.Status != "cancelled" {
			return event{}, fmt.Errorf("there is no status %q", e.Status)
		}
	default:
		return event{}, fmt.Errorf("there is no event %q", e.Event)
	}
	return e, nil
}

// lines cuts what comes in pieces into lines without their ends.
type lines struct {
	part []byte
	line func([]byte) error // an error ends it
	err  error
}

// write returns the error that ended it, again and again.
func (l *lines) write(p []byte) error {
	for l.err == nil && len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			if l.part = append(l.part, p...); len(l.part) > maxEvent {
				l.err = fmt.Errorf("a line of more than %d bytes", maxEvent)
			}
			break
		}
		line := p[:end]
		if len(l.part) > 0 {
			line = append(l.part, line...)
			l.part = nil // the next one may be of the usual size
		}
		p = p[end+1:]
		l.err = l.line(line)
	}
	return l.err
}
