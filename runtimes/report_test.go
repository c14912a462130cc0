package runtimes

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What uv 0.13.9 printed when it installed a runtime without a terminal.
const recorded = `Using Python 3.11.7 environment at: env
Resolved 71 packages in 323ms
Downloading pyarrow (52.5MiB)
Downloading ray (75.6MiB)
Downloading tiny (512.0KiB)
 Downloaded tiny
 Downloaded pyarrow
warning: Failed to hardlink files; falling back to full copy.
 Downloaded ray
Prepared 71 packages in 2.28s
Installed 71 packages in 182ms
Bytecode compiled 6506 files in 7.52s
 + aiobotocore==3.10.0
`

func TestUVOutput(t *testing.T) {
	var u uvOutput
	var said, status []string
	for line := range strings.Lines(recorded) {
		if s := u.read(strings.TrimSuffix(line, "\n")); s != "" {
			said = append(said, s)
		}
		if s := u.status(); len(status) == 0 || status[len(status)-1] != s {
			status = append(status, s)
		}
	}
	wantSaid := []string{"resolved 71 packages", "uv: warning: Failed to hardlink files; falling back to full copy.",
		"downloaded 71 packages in 2.28s, 129 MiB in 3 large ones", "installed 71 packages", "compiled 6506 files"}
	if !slices.Equal(said, wantSaid) {
		t.Errorf("said %q", said)
	}
	wantStatus := []string{"resolving packages", "downloading packages", "downloading packages: 0 of 52 MiB, 0 of 1 large ones",
		"downloading packages: 0 of 128 MiB, 0 of 2 large ones", "downloading packages: 0 of 129 MiB, 0 of 3 large ones",
		"downloading packages: 0 of 129 MiB, 1 of 3 large ones", "downloading packages: 53 of 129 MiB, 2 of 3 large ones",
		"downloading packages: 129 of 129 MiB, 3 of 3 large ones", "installing packages", "compiling to bytecode"}
	if !slices.Equal(status, wantStatus) {
		t.Errorf("status was %q", status)
	}
}

// While nothing happens the person hears that it is still going on.
func TestReportBeats(t *testing.T) {
	heard := make(chan string, 1000)
	r := newReport(func(line string) { heard <- line }, time.Millisecond)
	stop := r.during(func() string { return "waiting" })
	for _, want := range []string{`^waiting$`, `^waiting \(\d+ s\)$`, `^waiting \(\d+ s\)$`} {
		select {
		case got := <-heard:
			if !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("heard %q, want %q", got, want)
			}
		case <-time.After(deadline):
			t.Fatalf("%q was not said within %s", want, deadline)
		}
	}
	stop()
	n := len(heard)
	r.line("done")
	if len(heard) != n+1 {
		t.Error("it goes on after it was stopped")
	}
}

func FuzzUVOutput(f *testing.F) {
	for line := range strings.Lines(recorded) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var u uvOutput
		for line := range strings.Lines(text) {
			if s := u.read(line); strings.Contains(s, "%!") {
				t.Errorf("%q gives %q", line, s)
			}
		}
		_ = u.status()
	})
}

// However the output of a process is cut into writes, its lines are the same.
func FuzzLines(f *testing.F) {
	f.Add("a\nb\r\n\nc", uint8(2))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		read := func(size int) (out []string) {
			l := &lines{each: func(line string) { out = append(out, line) }}
			for rest := []byte(text); len(rest) > 0; {
				n := min(size, len(rest))
				if _, err := l.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			l.end()
			if len(l.tail) > tailLines {
				t.Errorf("%d lines are kept", len(l.tail))
			}
			return out
		}
		if whole, cut := read(len(text)), read(max(int(size), 1)); !slices.Equal(whole, cut) {
			t.Errorf("whole %q, cut %q", whole, cut)
		}
	})
}
