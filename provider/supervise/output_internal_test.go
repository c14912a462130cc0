package supervise

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What stdout held when stderr spoke comes first, however late the readers are.
func TestOutputInOrder(t *testing.T) {
	for i := range 200 {
		log := &closer{}
		tail := &LineTail{}
		out, stdout, stderr, err := openOutput(&mixer{to: log}, tail)
		if err != nil {
			t.Fatal(err)
		}
		out.reading.Lock() // both are written before either is read
		fmt.Fprint(stdout, "before\n")
		fmt.Fprint(stderr, "Traceback\n")
		out.reading.Unlock()
		stdout.Close()
		stderr.Close()
		out.drain()
		if log.String() != "before\nTraceback\n" {
			t.Fatalf("time %d: the log is %q", i, log.String())
		}
		if got := strings.Join(tail.Lines(), "|"); got != "Traceback" {
			t.Fatalf("time %d: the tail is %q", i, got)
		}
	}
}

// Nothing is lost or doubled of what both say at once.
func TestOutputOfBothAtOnce(t *testing.T) {
	log := &closer{}
	out, stdout, stderr, err := openOutput(&mixer{to: log}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const lines = 20_000
	done := make(chan struct{}, 2)
	for name, w := range map[string]*os.File{"out": stdout, "err": stderr} {
		go func() {
			for i := range lines {
				fmt.Fprintf(w, "%s %d\n", name, i)
			}
			w.Close()
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	out.drain()
	next := map[string]int{}
	for line := range strings.Lines(log.String()) {
		var name string
		var i int
		if _, err := fmt.Sscanf(line, "%s %d\n", &name, &i); err != nil || i != next[name] {
			t.Fatalf("line %q where %v are next (%v)", line, next, err)
		}
		next[name]++
	}
	if next["out"] != lines || next["err"] != lines {
		t.Fatalf("%v lines arrived, of %d each", next, lines)
	}
}
