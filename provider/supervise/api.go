package supervise

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	remora "github.com/remora-project/remora"
)

// Status is what a supervisor says about its cluster.
type Status struct {
	ID    string       `json:"id"`
	PID   int          `json:"pid"`  // the supervisor's own
	Lost  string       `json:"lost"` // why the cluster is lost; empty if it is not
	Nodes []NodeStatus `json:"nodes"`

	Ending bool `json:"ending"` // it is being stopped
	Owned  bool `json:"owned"`  // it ends with its owner
}

// NodeStatus is a node process.
type NodeStatus struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Ended string `json:"ended"` // how, empty while it runs
}

// problem is an error on the wire.
type problem struct {
	Kind    remora.Kind `json:"kind"`
	Message string      `json:"message"`
}

type stopRequest struct {
	Grace time.Duration `json:"grace"`
}

// handler serves the control socket. The directory's mode is the access control.
func (s *supervisor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.getStatus)
	mux.HandleFunc("GET /v1/memory", func(w http.ResponseWriter, r *http.Request) {
		answer(w, Memory(s.spec.ID, s.dir)+proportional(os.Getpid()))
	})
	mux.HandleFunc("POST /v1/assign", s.postAssign)
	mux.HandleFunc("POST /v1/driver", s.postDriver)
	mux.HandleFunc("GET /v1/driver", s.getDriver)
	mux.HandleFunc("GET /v1/driver/end", s.getEnd)
	mux.HandleFunc("POST /v1/driver/stop", s.stopDriver)
	mux.HandleFunc("POST /v1/stop", func(w http.ResponseWriter, r *http.Request) {
		s.end(true)
		w.WriteHeader(http.StatusAccepted)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.contacted(+1)
		defer s.contacted(-1)
		mux.ServeHTTP(w, r)
	})
}

func (s *supervisor) contacted(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests += n
	s.contact = time.Now()
}

func (s *supervisor) getStatus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	st := Status{ID: s.spec.ID, PID: os.Getpid(), Lost: s.lost, Nodes: []NodeStatus{}, Ending: s.stopping, Owned: s.spec.Owner != ""}
	for _, n := range s.nodes {
		ns := NodeStatus{Name: n.Name, PID: n.proc.pid}
		if n.proc.ended() {
			ns.Ended = describe(n.proc.status)
		}
		st.Nodes = append(st.Nodes, ns)
	}
	s.mu.Unlock()
	answer(w, st)
}

// postDriver starts a driver, once.
func (s *supervisor) postDriver(w http.ResponseWriter, r *http.Request) {
	var d remora.Driver
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		refuse(w, remora.Internalf("supervise: run", "", "read the driver: %w", err))
		return
	}
	rec, err := s.ensureDriver(d)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, rec)
}

func (s *supervisor) ensureDriver(d remora.Driver) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if dr := s.drivers[d.ID]; dr != nil {
		return dr.snapshot(), nil
	}
	// A supervisor is never restarted over its directory, so a record that is not
	// in memory is one that should not be there; still, it is not run again.
	switch rec, err := readRecord(s.dir, d.ID); {
	case err == nil:
		return rec, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Record{}, ioError("read the driver's record", d.ID, err)
	case s.stopping:
		return Record{}, remora.Unavailablef("supervise: run", d.ID, "the cluster is being stopped")
	case s.lost != "":
		return Record{}, remora.Unavailablef("supervise: run", d.ID, "the cluster was lost: %s", s.lost)
	}
	dr, err := s.startDriver(d)
	if err != nil {
		return Record{}, err
	}
	s.drivers[d.ID] = dr
	return dr.snapshot(), nil
}

func (s *supervisor) driver(w http.ResponseWriter, r *http.Request) *driver {
	id := r.URL.Query().Get("id")
	s.mu.Lock()
	dr := s.drivers[id]
	s.mu.Unlock()
	if dr == nil {
		refuse(w, remora.NotFoundf("supervise: driver", id, "no driver %q was started in this cluster", id))
	}
	return dr
}

func (s *supervisor) getDriver(w http.ResponseWriter, r *http.Request) {
	if dr := s.driver(w, r); dr != nil {
		answer(w, dr.snapshot())
	}
}

// getEnd answers when the driver has ended.
func (s *supervisor) getEnd(w http.ResponseWriter, r *http.Request) {
	dr := s.driver(w, r)
	if dr == nil {
		return
	}
	select {
	case <-dr.ended:
		answer(w, dr.snapshot())
	case <-r.Context().Done():
	}
}

func (s *supervisor) stopDriver(w http.ResponseWriter, r *http.Request) {
	var req stopRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		refuse(w, remora.Internalf("supervise: stop driver", "", "read the request: %w", err))
		return
	}
	if dr := s.driver(w, r); dr != nil {
		dr.stop(req.Grace) // to its end, also if the client goes away
		answer(w, dr.snapshot())
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, err error) {
	p := problem{Kind: remora.KindOf(err), Message: err.Error()}
	var e *remora.Error
	if errors.As(err, &e) {
		p.Message = e.Message()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	json.NewEncoder(w).Encode(p)
}
