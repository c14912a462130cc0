package supervise

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"

	remora "github.com/remora-project/remora"
)

// assignment is where the logs of a cluster go that was started without a target.
type assignment struct {
	Logs  remora.LogTarget `json:"logs"`
	Tails []Tail           `json:"tails"`
}

// openLogs opens the run's log; who waits for assigned goes on. s.mu is held,
// or nobody else knows s yet.
func (s *supervisor) openLogs() {
	s.notes = s.sink.Writer(s.spec.Logs.Prefix+"/"+remora.ScriptLog, s.spec.Logs.Stream)
	close(s.assigned)
}

// note writes a line into the run's log, if there is one yet.
func (s *supervisor) note(line string) {
	s.mu.Lock()
	notes := s.notes
	s.mu.Unlock()
	if notes != nil {
		fmt.Fprintf(notes, "remora: %s\n", line)
	}
}

// followLogs copies log files from their beginning once it is known where to.
func (s *supervisor) followLogs(stop <-chan struct{}) {
	select {
	case <-s.assigned:
	case <-stop:
		return
	}
	s.mu.Lock()
	tails := s.spec.Tails
	s.mu.Unlock()
	newTailer(s.dir, tails, s.sink).follow(stop)
}

// postAssign is written to disk first: a control plane that dies after it finds
// a cluster that goes on without its owner.
func (s *supervisor) postAssign(w http.ResponseWriter, r *http.Request) {
	var a assignment
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		refuse(w, remora.Internalf("supervise: assign", "", "read the request: %w", err))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.spec.Logs == a.Logs:
	case s.spec.Logs != remora.LogTarget{}:
		refuse(w, remora.Errorf(remora.WrongState, "supervise: assign", s.spec.ID, "the cluster's logs go to %s already", s.spec.Logs.Stream))
		return
	case s.stopping || s.lost != "":
		refuse(w, remora.Unavailablef("supervise: assign", s.spec.ID, "the cluster has ended"))
		return
	default:
		spec := s.spec
		spec.Logs, spec.Tails, spec.Owner = a.Logs, a.Tails, ""
		body, err := json.Marshal(spec)
		if err == nil {
			err = writeDurably(filepath.Join(s.dir, specName), body)
		}
		if err != nil {
			refuse(w, ioError("write the spec", s.spec.ID, err))
			return
		}
		s.spec = spec
		s.openLogs()
	}
	answer(w, struct{}{})
}
