package session

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
	"golang.org/x/sys/unix"
)

// wantToldByEnd checks that the sentence is in what the cluster keeps of the
// output when the program has printed the error.
func wantToldByEnd(b *bed) {
	b.t.Helper()
	var kept supervise.LineTail
	fmt.Fprintf(&kept, "%sremora: %s\n", b.err, remora.MessageOf(b.end))
	lines := kept.Lines()
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "remora: the Python interpreter ") }) {
		b.t.Errorf("why it died is not in the last %d lines of the output:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

// A program's crash, a dump of many threads, in its bounds.
func TestBriefWords(t *testing.T) {
	t.Parallel()
	thread := func(name string, frames int) string {
		return "\n" + name + " 0x1 (most recent call first):\n" + strings.Repeat("  File \"é.py\", line 1 in f\n", frames)
	}
	const crash = "noise\n" + fatal + "Aborted\n"
	for name, c := range map[string]struct{ words, begins, ends string }{
		"nothing":         {"", "why", "why"},
		"a few lines":     {"a\n\nb\n", "why\na\n\nb", "b"},
		"a dump":          {crash + thread("Current thread", 1), "why\n" + fatal + "Aborted\n\nCurrent thread", "in f"},
		"others first":    {crash + strings.Repeat(thread("Thread", 10), 9) + thread("Current thread", 2), "why\n" + fatal + "Aborted\n\nCurrent thread", "in f"},
		"nobody's":        {crash + strings.Repeat(thread("Thread", 10), 9), "why\n" + fatal + "Aborted\n\nThread", "in f"},
		"a deep stack":    {crash + thread("Current thread", 100), "why\n" + fatal + "Aborted\n\nCurrent thread", "in f"},
		"long lines":      {strings.Repeat(strings.Repeat("é", 999)+"\n", 9) + "end", "why\n", "éé\nend"},
		"a dump, at that": {crash + strings.Repeat("é", 9999), "why\n" + fatal + "Aborted\nééé", "ééé"},
	} {
		var w lastWords
		w.write(c.words)
		got := w.briefly("why")
		if !strings.HasPrefix(got, c.begins) || !strings.HasSuffix(got, c.ends) || !utf8.ValidString(got) {
			t.Errorf("%s: %q", name, got)
		}
		if n := strings.Count(got, "\n") + 1; n > maxBriefLines || len(got) > maxBriefBytes+1 {
			t.Errorf("%s: %d lines, %d bytes", name, n, len(got))
		}
	}
}

func TestCauseOfDeath(t *testing.T) {
	t.Parallel()
	killed := syscall.WaitStatus(unix.SIGKILL)
	for _, c := range []struct {
		status syscall.WaitStatus
		fault  string
		memory bool
		says   string
	}{
		{0x0300, "", false, "exited with status 3"},
		{0x0300, "it is bad", true, "exited with status 3"},
		{killed, "it is bad", true, "killed because it is bad"},
		{killed, "", false, "the usual reason"},
		{killed, "", true, "the kernel has killed for want of memory"},
		{syscall.WaitStatus(unix.SIGTERM), "", true, "ended by SIGTERM (terminated)"},
	} {
		if got := causeOfDeath(c.status, c.fault, c.memory); !strings.Contains(got, c.says) {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if data, err := os.ReadFile("/proc/vmstat"); err == nil && strings.Contains(string(data), "oom_kill") {
		var want int64
		_, after, _ := strings.Cut(string(data), "\noom_kill ")
		fmt.Sscan(after, &want)
		if got := memoryKills(); got < want {
			t.Errorf("the kernel has killed %d, not %d", want, got)
		}
	}
}
