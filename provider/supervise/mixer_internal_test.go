package supervise

import (
	"bytes"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

type closer struct{ bytes.Buffer }

func (*closer) Close() error { return nil }

// A line that is written in pieces stays one, whatever the other stream says in
// between; one that is left unfinished holds the other back for a moment only.
func TestMixer(t *testing.T) {
	out, errs := &os.File{}, &os.File{}
	type piece struct {
		from *os.File
		text string
		wait time.Duration // before it
	}
	for name, c := range map[string]struct {
		pieces []piece
		want   string
	}{
		"in pieces":           {[]piece{{out, "a", 0}, {errs, "log\n", 0}, {out, " ", 0}, {out, "b", 0}, {out, "\n", 0}}, "a b\nlog\n"},
		"in the order":        {[]piece{{out, "a\n", 0}, {errs, "log\n", 0}, {out, "b\n", 0}}, "a\nlog\nb\n"},
		"a prompt":            {[]piece{{out, "name? ", 0}, {errs, "log\n", 0}, {out, "x\n", time.Second}}, "name? \nlog\nx\n"},
		"both begin":          {[]piece{{out, "a", 0}, {errs, "lo", 0}, {out, "b\nc", 0}, {errs, "g\n", 0}, {out, "d\n", 0}}, "ab\nlog\ncd\n"},
		"an end without one":  {[]piece{{out, "a", 0}, {errs, "log", 0}}, "a\nlog"},
		"too much to be held": {[]piece{{out, "a", 0}, {errs, string(bytes.Repeat([]byte("x"), mixerHeld)) + "\n", 0}, {errs, "y\n", 0}, {out, "b\n", 0}}, "a\n" + string(bytes.Repeat([]byte("x"), mixerHeld)) + "\ny\nb\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &closer{}
				m := &mixer{to: log}
				for _, p := range c.pieces {
					time.Sleep(p.wait) // of the test's own clock
					m.write(p.from, []byte(p.text))
				}
				if err := m.close(); err != nil || log.String() != c.want {
					t.Errorf("the log is %q (%v), want %q", log.String(), err, c.want)
				}
			})
		})
	}
}
