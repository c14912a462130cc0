package session

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What the last words have at most: a traceback and what led to it, or what
// faulthandler says, whose first lines tell most.
const (
	maxLastLines = 30
	maxLastBytes = 8 << 10
	maxDump      = 64 << 10 // of faulthandler's, with many threads
	fatal        = "Fatal Python error: "
	crashed      = "\nCurrent thread " // begins the stack of the thread that did it; others may stand before
)

// What Serve's error has at most, its sentence included. The control plane may
// know nothing but the end of what the program printed, 30 lines in 8 KiB, and
// the sentence must be in there.
const (
	maxBriefLines = 29
	maxBriefBytes = 7 << 10
)

// obituary says in a sentence why the interpreter has ended.
func (p *process) obituary() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return causeOfDeath(*p.status, p.fault, memoryKills() > p.kills)
}

// causeOfDeath is told why the host killed it, if it did, and whether the
// kernel has meanwhile ended any process for want of memory.
func causeOfDeath(status syscall.WaitStatus, fault string, memory bool) string {
	const name = "the Python interpreter "
	switch {
	case !status.Signaled():
		return fmt.Sprintf(name+"exited with status %d", status.ExitStatus())
	case status.Signal() != syscall.SIGKILL:
		return fmt.Sprintf(name+"was ended by %s (%s)", unix.SignalName(status.Signal()), status.Signal())
	case fault != "":
		return name + "was killed because " + fault
	case memory:
		return name + "was killed (SIGKILL), and meanwhile the kernel has killed for want of memory: most likely it needed too much"
	}
	return name + "was killed (SIGKILL); the usual reason is that the machine or its container ran out of memory"
}

// memoryKills is the kernel's count of processes that it has killed for want of
// memory, of the machine or of any container; 0 if it does not say.
func memoryKills() int64 {
	stat, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(stat, []byte("\noom_kill "))
	count, _, _ := bytes.Cut(after, []byte("\n"))
	n, _ := strconv.ParseInt(string(count), 10, 64)
	return n
}

// lastWords is the end of what the interpreter itself has written to stderr.
type lastWords struct{ tail []byte }

func (w *lastWords) write(s string) {
	w.tail = append(w.tail, s...)
	if len(w.tail) > 2*maxDump { // rarely, not at every write
		w.tail = append(w.tail[:0], w.tail[len(w.tail)-maxDump:]...)
	}
}

// after returns a sentence with the last lines behind it, or with all that
// faulthandler has written.
func (w *lastWords) after(sentence string) string {
	text, _ := w.text()
	if text == "" {
		return sentence
	}
	return sentence + "\n" + shorten(text, maxLastBytes)
}

// briefly is after within the bounds of a brief: of faulthandler's dump the
// error and the thread that made it.
func (w *lastWords) briefly(sentence string) string {
	text, dump := w.text()
	if text == "" {
		return sentence
	}
	room := max(maxBriefBytes-len(sentence), 0)
	lines := strings.Split(text, "\n")
	if !dump {
		text = strings.Join(lines[max(len(lines)-maxBriefLines+1, 0):], "\n")
		return sentence + "\n" + strings.ToValidUTF8(text[max(len(text)-room, 0):], "")
	}
	if n := strings.Index(text, crashed); n >= 0 {
		lines = append([]string{lines[0]}, strings.Split(text[n:], "\n")...)
	}
	text = strings.Join(lines[:min(len(lines), maxBriefLines-1)], "\n")
	return sentence + "\n" + strings.ToValidUTF8(text[:min(len(text), room)], "")
}

// text is the last lines, or faulthandler's dump.
func (w *lastWords) text() (text string, dump bool) {
	text = strings.TrimRight(strings.ToValidUTF8(string(w.tail), "\uFFFD"), "\r\n")
	if n := strings.LastIndex(text, fatal); n >= 0 {
		return text[n:], true
	}
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(len(lines)-maxLastLines, 0):], "\n"), false
}
