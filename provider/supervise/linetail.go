package supervise

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// What Exit.Tail holds at most: a Python traceback and what led to it.
const (
	maxTailLines = 30
	maxTailBytes = 8 << 10
)

// LineTail keeps the last lines of what is written to it, for Exit.Tail. Its zero
// value is ready.
type LineTail struct {
	mu  sync.Mutex
	buf []byte
	cut bool // buf is not all that was written
}

func (t *LineTail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if len(p) > maxTailBytes {
		p, t.cut = p[len(p)-maxTailBytes:], true
	}
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*maxTailBytes { // rarely, not at every write
		t.trim()
	}
	return n, nil
}

func (t *LineTail) trim() {
	if len(t.buf) > maxTailBytes {
		t.buf, t.cut = append(t.buf[:0], t.buf[len(t.buf)-maxTailBytes:]...), true
	}
}

// Lines returns the last lines, oldest first. If the bound falls into a line,
// that line is given from there.
func (t *LineTail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim()
	b := t.buf
	for t.cut && len(b) > 0 && !utf8.RuneStart(b[0]) {
		b = b[1:]
	}
	text := strings.TrimRight(strings.ToValidUTF8(string(b), "\uFFFD"), "\r\n")
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	if len(all) > maxTailLines {
		all = all[len(all)-maxTailLines:]
	}
	for i, l := range all {
		all[i] = strings.TrimSuffix(l, "\r")
	}
	return all
}
