package session

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]event{
		`{"event":"ready","python":"3.11.7","pid":12}`:                {Event: "ready", Python: "3.11.7", PID: 12},
		`{"event":"stream","id":3,"name":"stderr","text":"\u00e4\n"}`: {Event: "stream", ID: 3, Name: "stderr", Text: "ä\n"},
		`{"event":"stream","id":null,"name":"stdout","text":"x"}`:     {Event: "stream", Name: "stdout", Text: "x"},
		`{"event":"display","id":3,"data":{"text/plain":"x"}}`:        {Event: "display", ID: 3, Data: bundle{"text/plain": "x"}},
		`{"event":"done","id":3,"status":"ok","data":null}`:           {Event: "done", ID: 3, Status: "ok"},
		`{"event":"done","id":3,"status":"error","ename":"E","evalue":"v","traceback":["a"]}`: {Event: "done", ID: 3, Status: "error",
			ErrorName: "E", Error: "v", Traceback: []string{"a"}},
	} {
		if got, err := decodeEvent([]byte(line)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{``, `x`, `[]`, `{}`, `{"event":"done","id":3}`, `{"event":"done","status":"ok"}`,
		`{"event":"done","id":-3,"status":"ok"}`, `{"event":"stream","id":1,"name":"stdin"}`, `{"event":"ready"} {}`,
		`{"event":"other"}`, `{"event":"display","data":{"a":1}}`, `{"event":"done","id":1e99,"status":"ok"}`} {
		if got, err := decodeEvent([]byte(line)); err == nil {
			t.Errorf("%s is %+v", line, got)
		}
	}
}

// What is decoded is a valid event, and encoding it loses nothing.
func FuzzDecodeEvent(f *testing.F) {
	f.Add([]byte(`{"event":"ready","python":"3.11.7","pid":12}`))
	f.Add([]byte(`{"event":"stream","id":1,"name":"stdout","text":"\ud800"}`))
	f.Add([]byte(`{"event":"done","id":3,"status":"error","ename":"E","evalue":"v","traceback":["a"]}`))
	f.Add([]byte(`{"event":"display","id":3,"data":{"image/png":"iVBO","text/plain":"<Figure>"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := decodeEvent(line)
		if err != nil {
			return
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeEvent(again); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s is %+v, then %+v, %v", line, e, got, err)
		}
		r := newRecord(1<<10, 1<<10)
		r.apply(e)
		if o := r.output(); len(o.Text)+len(o.StdErr)+len(o.Result) > 4<<10 {
			t.Errorf("the output has %d bytes", weigh(o))
		}
	})
}

// However the bytes come, the lines are the same.
func FuzzLines(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var got [][]byte
		l := lines{line: func(p []byte) error { got = append(got, bytes.Clone(p)); return nil }}
		for p := text; len(p) > 0; {
			n := min(int(size)+1, len(p))
			if err := l.write(p[:n]); err != nil {
				t.Fatal(err)
			}
			p = p[n:]
		}
		want := bytes.Split(text, []byte("\n"))
		if len(got) != len(want)-1 || len(got) > 0 && !bytes.Equal(bytes.Join(got, []byte("\n")), bytes.Join(want[:len(got)], []byte("\n"))) {
			t.Errorf("%q has the lines %q", text, got)
		}
	})
}

func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	l := lines{line: func([]byte) error { return nil }}
	piece := bytes.Repeat([]byte("x"), 1<<20)
	var err error
	n := 0
	for ; err == nil && n <= maxEvent+len(piece); n += len(piece) {
		err = l.write(piece)
	}
	if err == nil || !strings.Contains(err.Error(), "a line of more than") {
		t.Errorf("after %d bytes: %v", n, err)
	}
}
