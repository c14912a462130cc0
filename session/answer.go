package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/remora-project/remora"
)

const (
	maxWait     = 10 * time.Minute // of one request
	writeWithin = time.Minute      // for a client that does not read
)

// refusal is an answer that is an error.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

func refusef(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// handler answers the protocol's requests.
func (h *host) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/interpreter", answer(h.getInterpreter))
	mux.HandleFunc("PUT /v1/statements/{id}", answer(h.putStatement))
	mux.HandleFunc("GET /v1/statements/{id}", answer(h.getStatement))
	mux.HandleFunc("POST /v1/statements/{id}/cancel", answer(h.cancelStatement))
	mux.HandleFunc("PUT /v1/heard/statements/{id}", answer(h.heardStatement))
	mux.HandleFunc("PUT /v1/heard/interpreter", answer(h.heardInterpreter))
	mux.HandleFunc("/", answer(func(r *http.Request) (any, error) {
		return nil, refusef(http.StatusNotFound, "there is no %s %s", r.Method, r.URL.Path)
	}))
	return mux
}

// answer sends what f returns, nil as no content.
func answer(f func(*http.Request) (out any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWithin)) // the connection keeps it
		status := http.StatusOK
		var refused *refusal
		switch {
		case r.Context().Err() != nil:
			return // nobody is there
		case errors.As(err, &refused):
			status, out = refused.status, problem{refused.message}
		case err != nil:
			status, out = http.StatusInternalServerError, problem{err.Error()}
		case out == nil:
			w.WriteHeader(http.StatusNoContent)
			return
		}
		send(w, status, out)
	}
}

// send writes an answer; that nobody reads it is no failure of ours.
func send(w http.ResponseWriter, status int, out any) {
	var body bytes.Buffer
	to := json.NewEncoder(&body)
	to.SetEscapeHTML(false)
	if to.Encode(out) != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	body.Truncate(body.Len() - 1) // a client closes the connection when it has the object's last byte
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

func (h *host) putStatement(r *http.Request) (any, error) {
	id, err := statementID(r)
	if err != nil {
		return nil, err
	}
	code, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxCode))
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return nil, refusef(http.StatusRequestEntityTooLarge, "the code of statement %d has more than %d bytes", id, MaxCode)
	} else if err != nil {
		return nil, refusef(http.StatusBadRequest, "the code of statement %d did not arrive whole: %v", id, err)
	}
	return nil, h.submit(id, string(code))
}

func (h *host) cancelStatement(r *http.Request) (any, error) {
	id, err := statementID(r)
	if err != nil {
		return nil, err
	}
	return nil, h.cancel(id)
}

func (h *host) getStatement(r *http.Request) (any, error) {
	id, err := statementID(r)
	if err != nil {
		return nil, err
	}
	after := int64(0)
	if text := r.FormValue("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, refusef(http.StatusBadRequest, "after=%.40s is not a version", text)
		}
	}
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	return h.watch(r.Context(), id, after, wait)
}

func (h *host) getInterpreter(r *http.Request) (any, error) {
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	return h.watchInterpreter(r.Context(), wait), nil
}

func (h *host) heardStatement(r *http.Request) (any, error) {
	id, err := statementID(r)
	if err != nil {
		return nil, err
	}
	h.told(id)
	return nil, nil
}

func (h *host) heardInterpreter(*http.Request) (any, error) {
	h.told(0)
	return nil, nil
}

func statementID(r *http.Request) (int, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || id < 1 {
		return 0, refusef(http.StatusBadRequest, "%.40q is not the id of a statement", r.PathValue("id"))
	}
	return id, nil
}

func waitOf(r *http.Request) (time.Duration, error) {
	text := r.FormValue("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, refusef(http.StatusBadRequest, "wait=%.40s is not a duration such as 10s", text)
	}
	return min(wait, maxWait), nil
}

// statement finds one. The lock is held.
func (h *host) statement(id int) (*statement, error) {
	if s := h.statements[id]; s != nil {
		return s, nil
	}
	if id <= h.shelf.forgotten {
		return nil, refusef(http.StatusNotFound, "statement %d ended so long ago that it is not known any more", id)
	}
	return nil, refusef(http.StatusNotFound, "statement %d has not been submitted", id)
}

// watch returns a statement once its version is more than after, it has ended,
// or wait is over.
func (h *host) watch(ctx context.Context, id int, after int64, wait time.Duration) (Snapshot, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for waiting := wait > 0; ; {
		h.mu.Lock()
		s, err := h.statement(id)
		if err != nil {
			h.mu.Unlock()
			return Snapshot{}, err
		}
		if s.version > after || s.state.Ended() || !waiting {
			defer h.mu.Unlock()
			return s.snapshot(), nil
		}
		changed := s.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			waiting = false
		case <-ctx.Done():
			return Snapshot{}, ctx.Err()
		}
	}
}

// watchInterpreter returns its state, once it is ready or has died or wait is
// over.
func (h *host) watchInterpreter(ctx context.Context, wait time.Duration) Interpreter {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for waiting := wait > 0; ; {
		h.mu.Lock()
		i, changed := h.interpreter, h.changed
		if i.Ready && (h.current == nil || h.current.state.Ended()) && len(h.waiting) == 0 {
			i.Idle = time.Since(h.idle)
		}
		h.mu.Unlock()
		if i.Ready || i.Died != "" || !waiting {
			return i
		}
		select {
		case <-changed:
		case <-timer.C:
			waiting = false
		case <-ctx.Done():
			return i
		}
	}
}

// told notes that somebody knows how a statement ended, 0 for the interpreter.
// That an answer was sent does not do: its reader may learn of this process's
// end first, and give up. Once the death is known, and how each statement ended
// before it, there is nothing more to tell.
func (h *host) told(id int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.statements[id]; s != nil && s.state.Ended() {
		s.told = true
	}
	if !h.dead() {
		return
	}
	h.deathTold = h.deathTold || id == 0 || h.statements[id] != nil && h.statements[id].state == remora.StatementErrored
	h.leave()
}

// leave lets the host of a dead interpreter go if there is nothing more to tell.
func (h *host) leave() {
	if !h.deathTold {
		return
	}
	for _, s := range h.shelf.ended {
		if !s.told && !s.lost {
			return
		}
	}
	select {
	case <-h.heard:
	default:
		close(h.heard)
	}
}
