package session

import (
	"io"
	"strings"
)

// printed is what comes out of the interpreter's own descriptors.
func (h *host) printed(stream, text string) {
	h.copy(stream, text)
	h.mu.Lock()
	defer h.mu.Unlock()
	if stream == stderr {
		h.words.write(text)
	}
	h.say(event{Event: "stream", Name: stream, Text: text})
}

// say adds to the output of the statement that runs.
func (h *host) say(e event) {
	if s := h.current; s != nil && !s.state.Ended() {
		s.record.apply(e)
		s.touch(h.after)
	}
}

// copy copies output to the host's own, which is the session's log.
func (h *host) copy(stream, text string) {
	h.log.Lock()
	defer h.log.Unlock()
	to := h.o.Stdout
	if stream == stderr {
		to = h.o.Stderr
		if text != "" {
			h.midLine = !strings.HasSuffix(text, "\n")
		}
	}
	io.WriteString(to, text)
}

// endLine lets what is written to stderr next, which is not the interpreter's,
// begin a line.
func (h *host) endLine() {
	h.log.Lock()
	defer h.log.Unlock()
	if h.midLine {
		io.WriteString(h.o.Stderr, "\n")
	}
}
