package session

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// 100 MB of output that C writes, and 25 MB of Python's, for which the race
// detector makes JSON slow, neither take memory nor hold the interpreter up.
func TestMuchOutput(t *testing.T) {
	const line = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"
	for name, c := range map[string]struct {
		lines int
		print string
	}{
		"Python": {400_000, "for _ in range(%d): print(%q, end='')"},
		"raw":    {1_600_000, "import os\nfor _ in range(%d): _ = os.write(1, %q.encode())"},
	} {
		lines, code := c.lines, fmt.Sprintf(c.print, c.lines/100, strings.Repeat(line, 100))
		t.Run(name, func(t *testing.T) {
			var counted counter
			b := serve(t, real(), func(o *Options) { o.Stdout = &counted; o.TextLimit = 1 << 20 })
			b.run(1, "1")
			before := heap()
			top := before
			b.submit(2, "print('first')\n"+code+"\nprint('last')")
			s := b.until(2, "ended", func(s Snapshot) bool { top = max(top, heap()); return s.State.Ended() })
			text := s.Output.Text
			want := fmt.Sprintf("\n[%d bytes are left out here]\n", len("first\nlast\n")+lines*len(line)-1<<20)
			if name == "Python" && !(strings.HasPrefix(text, "first\n") && strings.HasSuffix(text, "last\n")) || !strings.Contains(text, want) {
				t.Errorf("the text begins with %.80q, ends with %q and does not contain %q", text, text[max(len(text)-80, 0):], want)
			}
			if len(text) > 1<<20+100 {
				t.Errorf("it has %d bytes", len(text))
			}
			if n := counted.n(); n != int64(lines*len(line)+len("first\nlast\n")) {
				t.Errorf("the log has %d bytes", n)
			}
			if grown := top - before; grown > 60<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

type counter struct {
	mu sync.Mutex
	at int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at += int64(len(p))
	return len(p), nil
}

func (c *counter) n() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Outputs that somebody has read go first, then the oldest; states stay.
func TestKeptOutputsAreBounded(t *testing.T) {
	t.Parallel()
	b := serve(t, real(), func(o *Options) { o.KeepLimit = 3500 })
	g := newGate(t)
	for id := 1; id <= 3; id++ {
		b.submit(id, fmt.Sprintf("print('%d' * 999)", id))
	}
	b.submit(4, g.wait())
	b.until(4, "running", func(s Snapshot) bool { return s.State == remora.StatementRunning })
	read := b.now(2)
	g.open(t)
	b.ended(4)
	b.submit(5, "print('5' * 999); 1/0")
	b.submit(6, "print('6' * 999)")
	b.ended(6)
	for id, want := range map[int]string{1: "[the output is", 2: "[the output is", 3: "333", 5: "555", 6: "666"} {
		s := b.now(id)
		if s.State != remora.StatementAvailable || !strings.HasPrefix(s.Output.Text, want) {
			t.Errorf("statement %d is %s and says %.40q, want %q", id, s.State, s.Output.Text, want)
		}
		if id == 5 && s.Output.ErrorName != "ZeroDivisionError" {
			t.Errorf("statement 5: %+v", s)
		}
		if id == 2 && s.Version <= read.Version {
			t.Errorf("version %d is not more than %d", s.Version, read.Version)
		}
	}
}

func TestShelf(t *testing.T) {
	t.Parallel()
	s := shelf{limit: 100}
	var all []*statement
	var fell []int
	for id := 1; id <= keepStatements+5; id++ {
		st := newStatement(id, "", Options{TextLimit: 100, PictureLimit: 100})
		if id < 20 {
			st.record.print(stdout, strings.Repeat("x", 30))
		}
		st.become(remora.StatementRunning)
		st.become(remora.StatementAvailable)
		st.told = id == 3
		all = append(all, st)
		fell = append(fell, s.add(st)...)
		if id == 4 && (all[0].weight == 0 || all[2].weight != 0) {
			t.Errorf("the read one is to go first")
		}
		if id == 5 && all[0].weight != 0 {
			t.Errorf("the oldest one is to go next")
		}
	}
	var weight int64
	for _, st := range s.ended {
		weight += st.weight
	}
	if weight != s.weight || weight > 100 || len(s.ended) != keepStatements {
		t.Errorf("%d statements with %d bytes are kept, counted %d", len(s.ended), weight, s.weight)
	}
	if fmt.Sprint(fell) != "[1 2 3 4 5]" || s.forgotten != 5 {
		t.Errorf("forgotten are %v up to %d", fell, s.forgotten)
	}
}

func TestForgottenStatement(t *testing.T) {
	t.Parallel()
	h := newHost(Options{}.withDefaults())
	h.last, h.shelf.forgotten = 20, 10
	if err := h.submit(7, "again"); err != nil || h.statements[7] != nil {
		t.Errorf("submitted again: %v", err)
	}
	if err := h.cancel(7); err == nil || !strings.Contains(err.Error(), "long ago") {
		t.Errorf("cancelled: %v", err)
	}
	if err := h.submit(12, "late"); err == nil {
		t.Error("a statement that was never there is taken for a forgotten one")
	}
}

func TestWatchEndsWithItsTime(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	g := newGate(t)
	b.submit(1, "print('in'); "+g.wait())
	s := b.says(1, "in")
	start := time.Now()
	again, err := b.c.Statement(b.ctx(), 1, s.Version, 50*time.Millisecond)
	if took := time.Since(start); err != nil || again.Version != s.Version || took < 50*time.Millisecond {
		t.Errorf("after %s: %+v, %v", took, again, err)
	}
	g.open(t)
	end := b.ended(1)
	if again, err := b.c.Statement(b.ctx(), 1, end.Version, deadline); err != nil || again.Version != end.Version {
		t.Errorf("after the end: %+v, %v", again, err)
	}
}

// Output that streams makes a version every 100 ms, not one for every line.
func TestVersionsAreFew(t *testing.T) {
	t.Parallel()
	b := serve(t, standIn(`
ready()
id = request()["id"]
for i in range(400):
    say(id, "line\n")
    time.sleep(0.001)
done(id)
request()
`))
	start := time.Now()
	b.submit(1, "")
	seen := 0
	s := b.until(1, "ended", func(s Snapshot) bool { seen++; return s.State.Ended() })
	// Submitted, running, first output, ended, and what is begun; and who asks gets the latest on top of what is due.
	most := 2*int64(time.Since(start)/publishEvery) + 5
	if s.Version > most || s.Version < 4 || seen < 2 || s.Output.Text != strings.Repeat("line\n", 400) {
		t.Errorf("there were %d versions, at most %d are due, and %d were seen", s.Version, most, seen)
	}
}

func TestLargeOutputIsPublishedRarely(t *testing.T) {
	t.Parallel()
	s := newStatement(1, "", Options{TextLimit: 4 << 20, PictureLimit: 1})
	s.become(remora.StatementRunning)
	var wait time.Duration
	later := func(d time.Duration, _ func()) *time.Timer { wait = d; return time.NewTimer(0) }
	for _, c := range []struct {
		bytes      int
		from, upTo time.Duration
	}{{10, 50 * time.Millisecond, publishEvery}, {2 << 20, 300 * time.Millisecond, 510 * time.Millisecond}, {20 << 20, 500 * time.Millisecond, 1010 * time.Millisecond}} {
		s.record.print(stdout, strings.Repeat("x", c.bytes))
		s.publish()
		published := s.published
		wait = 0
		s.touch(later)
		if passed := time.Since(published); wait+passed < c.from || wait > c.upTo {
			t.Errorf("with %d bytes the next version is due in %s", c.bytes, wait)
		}
	}
}

// Watchers whose client goes away leave nothing behind.
func TestWatchersDoNotLeak(t *testing.T) {
	b := serve(t, real())
	g := newGate(t)
	b.submit(1, "print('in'); "+g.wait())
	s := b.says(1, "in")
	before := runtime.NumGoroutine()
	ctx, leave := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if _, err := b.c.Statement(ctx, 1, s.Version, deadline); err == nil {
				t.Error("the watch ended")
			}
		})
	}
	b.check(eventually(func() error {
		if n := runtime.NumGoroutine(); n < before+300 { // of each the test's, and the connection's at both ends
			return fmt.Errorf("%d goroutines", n)
		}
		return nil
	}))
	leave()
	all.Wait()
	b.c.Close()
	b.check(eventually(func() error {
		if n := runtime.NumGoroutine(); n > before {
			return fmt.Errorf("%d goroutines of %d", n, before)
		}
		return nil
	}))
	g.open(t)
	b.ended(1)
}

func TestManyWatchersHearTheEnd(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	g := newGate(t)
	b.submit(1, g.wait()+"; 'end'")
	ctx := b.ctx()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for after := int64(0); ; {
				s, err := b.c.Statement(ctx, 1, after, deadline)
				if err != nil {
					t.Error(err)
					return
				}
				if after = s.Version; s.State.Ended() {
					b.want(s, remora.StatementAvailable, "'end'")
					return
				}
			}
		})
	}
	g.open(t)
	all.Wait()
}

// A new control plane finds everything as the old one, which was killed, has
// left it.
func TestNewControlPlane(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	g := newGate(t)
	b.submit(1, "print('in'); "+g.wait()+"; 'end'")
	s := b.says(1, "in")
	old, err := net.Dial("unix", b.socket) // with a statement half sent, and a watch
	b.check(err)
	io.WriteString(old, "PUT /v1/statements/2 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of")
	watch, err := net.Dial("unix", b.socket)
	b.check(err)
	fmt.Fprintf(watch, "GET /v1/statements/1?after=%d&wait=1m HTTP/1.1\r\nHost: x\r\n\r\n", s.Version)
	old.Close()
	watch.Close()
	b.c.Close()

	b.c = b.client()
	if i := b.interpreter(); !i.Ready {
		t.Errorf("the interpreter is %+v", i)
	}
	b.submit(1, "again")
	b.submit(2, "2")
	g.open(t)
	b.want(b.ended(1), remora.StatementAvailable, "in\n'end'")
	b.want(b.ended(2), remora.StatementAvailable, "2")
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	b.run(5, "1")
	http := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", b.socket)
	}}}
	for _, c := range []struct {
		method, path string
		body         []byte
		status       int
		says         string
	}{
		{"GET", "/v1/statements/6", nil, 404, "has not been submitted"},
		{"POST", "/v1/statements/6/cancel", nil, 404, "has not been submitted"},
		{"PUT", "/v1/statements/4", nil, 409, "comes too late"},
		{"PUT", "/v1/statements/0", nil, 400, "not the id"},
		{"PUT", "/v1/statements/-1", nil, 400, "not the id"},
		{"PUT", "/v1/statements/x", nil, 400, "not the id"},
		{"PUT", "/v1/statements/99999999999999999999", nil, 400, "not the id"},
		{"PUT", "/v1/statements/6", []byte("\xff"), 400, "not UTF-8"},
		{"PUT", "/v1/statements/6", bytes.Repeat([]byte("#"), MaxCode+1), 413, "more than"},
		{"GET", "/v1/statements/5?after=x", nil, 400, "not a version"},
		{"GET", "/v1/statements/5?wait=5", nil, 400, "not a duration"},
		{"GET", "/v1/statements/5?wait=-5s", nil, 400, "not a duration"},
		{"GET", "/v1/interpreter?wait=x", nil, 400, "not a duration"},
		{"GET", "/v2", nil, 404, "there is no"},
		{"DELETE", "/v1/statements/5", nil, 404, "there is no"},
		{"PUT", "/v1/statements/6", bytes.Repeat([]byte("#"), MaxCode), 204, ""},
	} {
		req, _ := newRequest(c.method, "http://x"+c.path, c.body)
		res, err := http.Do(req)
		b.check(err)
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s: %s %s, want %d %s", c.method, c.path, res.Status, body, c.status, c.says)
		}
	}
	b.want(b.ended(6), remora.StatementAvailable, "")
	if _, err := b.c.Statement(b.ctx(), 7, 0, 0); remora.KindOf(err) != remora.NotFound {
		t.Errorf("statement 7: %v", err)
	}
	if err := b.c.Submit(b.ctx(), 7, strings.Repeat("#", MaxCode+1)); remora.KindOf(err) != remora.Invalid {
		t.Errorf("too much code: %v", err)
	}
}

func newRequest(method, url string, body []byte) (*http.Request, error) {
	return http.NewRequest(method, url, bytes.NewReader(body))
}

// BenchmarkStatement is the way of a statement from the control plane to Python
// and of its answer back.
func BenchmarkStatement(b *testing.B) {
	bed := serve(b, real())
	bed.interpreter()
	id := 0
	for b.Loop() {
		id++
		if s := bed.run(id, "1+1"); s.Output.Text != "2" {
			b.Fatalf("it is %+v", s)
		}
	}
}
