package supervise

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

// How long, and how much, one of the two is held back while the other one has
// begun a line. Unbuffered Python writes a line in several pieces, within
// microseconds; a prompt is left unfinished on purpose.
const (
	mixerPatience = 20 * time.Millisecond
	mixerHeld     = 64 << 10
)

// mixer brings stdout and stderr into one log in the order in which they
// arrive: two writers of their own would sort a traceback before the line that
// was printed ahead of it. A line that one of them has begun is finished before
// the other one speaks, unless it takes too long: then it ends there.
type mixer struct {
	to io.WriteCloser

	mu    sync.Mutex
	open  *os.File // whose line is unfinished; nil if none is
	held  []byte   // of the other one
	from  *os.File // the other one
	timer *time.Timer
}

func (m *mixer) write(from *os.File, p []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(from, p)
}

func (m *mixer) take(from *os.File, p []byte) {
	if m.open != nil && m.open != from {
		m.hold(from, p)
		return
	}
	if end := bytes.LastIndexByte(p, '\n') + 1; len(m.held) > 0 && end > 0 {
		m.put(from, p[:end])
		m.release()
		if end < len(p) {
			m.take(from, p[end:])
		}
		return
	}
	m.put(from, p)
}

func (m *mixer) hold(from *os.File, p []byte) {
	if len(m.held) == 0 {
		m.timer = time.AfterFunc(mixerPatience, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.release()
		})
	}
	m.held, m.from = append(m.held, p...), from
	if len(m.held) > mixerHeld {
		m.release()
	}
}

// release writes what is held, on a line of its own.
func (m *mixer) release() {
	if len(m.held) == 0 {
		return
	}
	m.timer.Stop()
	held := m.held
	m.held = nil
	m.put(m.from, held)
}

func (m *mixer) put(from *os.File, p []byte) {
	if m.open != nil && m.open != from {
		m.to.Write([]byte{'\n'})
	}
	m.to.Write(p)
	m.open = from
	if p[len(p)-1] == '\n' {
		m.open = nil
	}
}

func (m *mixer) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release()
	return m.to.Close()
}
