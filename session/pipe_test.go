package session

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What came first is read first, whichever pipe it came through.
func TestPipesAreReadInOrder(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"012", "210", "120", "201"} {
		got := make(chan string, 3)
		var pipes []*pipe
		var ends []func(string)
		for _, name := range []string{"0", "1", "2"} {
			p, w, err := newPipe(func(b []byte) { got <- name + string(b) })
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			defer w.Close()
			pipes = append(pipes, p)
			ends = append(ends, func(s string) { w.WriteString(s) })
		}
		r, err := newReadiness(pipes[0], pipes[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range order {
			ends[c-'0']("x")
		}
		go r.run(func(*pipe) {})
		for _, c := range "0" + strings.ReplaceAll(order, "0", "") { // that of events comes first
			if s := <-got; s != string(c)+"x" {
				t.Errorf("order %s: %s came instead of %c", order, s, c)
			}
		}
		r.stop()
	}
}

// However a text is cut, characters come whole, and every byte comes.
func FuzzRaw(f *testing.F) {
	f.Add("aä€😀\xff\xe2", uint8(1))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		var got strings.Builder
		r, w, err := newRaw(func(s string) {
			got.WriteString(s)
			if utf8.ValidString(text) && !utf8.ValidString(s) {
				t.Errorf("%q has a part of a character", s)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		if len(text) > 4096 {
			return
		}
		for rest := text; rest != ""; {
			n := min(int(size)+1, len(rest))
			w.WriteString(rest[:n])
			r.catchUp()
			rest = rest[n:]
		}
		r.flush()
		if got.String() != text {
			t.Errorf("%q came as %q", text, got.String())
		}
	})
}
