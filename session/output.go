package session

import (
	"fmt"
	"strings"

	"github.com/remora-project/remora"
)

// maxError bounds an error's message and, separately, its traceback; the
// interpreter sends less.
const maxError = 128 << 10

// record is what a statement has said so far. What clients see that have no
// room for a picture or a table is text; out and err are what was printed, for
// those who show the result itself beside it.
type record struct {
	text         clip // both streams and values as text, in the order of arrival
	out, err     clip
	last         string // the stream that text ends with
	pictureLimit int

	outAgain, errAgain bool // whether a carriage return was the last of it

	rich     []rich
	richSize int

	errorName, error string
	traceback        []string
}

func newRecord(textLimit, pictureLimit int) *record {
	c := clip{limit: textLimit}
	return &record{text: c, out: c, err: c, pictureLimit: pictureLimit}
}

// print adds to a stream. What follows a carriage return replaces the stream's
// unfinished line, unless it is the line's end: a progress bar is drawn over
// and over.
func (r *record) print(stream, text string) {
	own, again := &r.out, &r.outAgain
	if stream == stderr {
		own, again = &r.err, &r.errAgain
	}
	for text != "" {
		piece, rest, returned := strings.Cut(text, "\r")
		text = rest
		if piece != "" {
			if *again && piece[0] != '\n' {
				own.rewind()
				if r.last == stream {
					r.text.rewind()
				} else if r.text.open() {
					r.text.write("\n")
				}
			}
			*again = false
			own.write(piece)
			r.text.write(piece)
			r.last = stream
		}
		*again = *again || returned
	}
}

// line adds to stdout, on a line of its own. Its end is still open.
func (r *record) line(text string) {
	if r.out.open() {
		r.out.write("\n")
	}
	if r.text.open() {
		r.text.write("\n")
	}
	r.out.write(text)
	r.text.write(text)
	r.last, r.outAgain = stdout, false
}

// note adds a remark of the host's.
func (r *record) note(format string, args ...any) {
	r.line("[" + fmt.Sprintf(format, args...) + "]\n")
}

// show adds a value. One that is more than text is text for who has no room for
// the rest.
func (r *record) show(data bundle) {
	text := data["text/plain"]
	value, ok := best(data)
	switch {
	case ok && r.richSize+len(value.data) > r.pictureLimit:
		r.note("%s is left out: it has %d bytes, and %d are left", value.mime, len(value.data), r.pictureLimit-r.richSize)
	case ok:
		r.rich = append(r.rich, value)
		r.richSize += len(value.data)
		if text != "" {
			if r.text.open() {
				r.text.write("\n")
			}
			r.text.write(text)
			r.last = stdout
		}
		return
	}
	if text != "" {
		r.line(text)
	}
}

// apply adds what an event says: a stream's text, what is displayed, the value
// or the error at the end.
func (r *record) apply(e event) {
	switch e.Event {
	case "stream":
		r.print(e.Name, e.Text)
	case "display":
		r.show(e.Data)
		if r.text.open() {
			r.text.write("\n")
		}
		if r.out.open() {
			r.out.write("\n")
		}
	case "done":
		if e.Status == "ok" {
			r.show(e.Data)
		} else {
			r.fail(e.ErrorName, e.Error, e.Traceback)
		}
	}
}

func (r *record) fail(name, message string, traceback []string) {
	r.errorName, r.error = shorten(name, maxError), shorten(message, maxError)
	if whole := strings.Join(traceback, "\n"); len(whole) > maxError {
		traceback = strings.Split(shorten(whole, maxError), "\n")
	}
	r.traceback = traceback
}

// output is the record in Glue's form.
func (r *record) output() remora.Output {
	o := remora.Output{Text: r.text.String(), ErrorName: r.errorName, Error: r.error, Traceback: r.traceback}
	if len(r.rich) > 0 {
		o.StdOut, o.StdErr = r.out.String(), r.err.String()
		o.MimeType, o.Result = result(r.rich)
	}
	return o
}

// size is about the number of bytes of the output.
func (r *record) size() int {
	if len(r.rich) == 0 {
		return r.text.size()
	}
	return r.text.size() + r.out.size() + r.err.size() + r.richSize
}

// weigh is the number of bytes that a finished output takes.
func weigh(o remora.Output) int64 {
	n := len(o.Text) + len(o.StdOut) + len(o.StdErr) + len(o.Result) + len(o.Error) + len(o.ErrorName)
	for _, l := range o.Traceback {
		n += len(l)
	}
	return int64(n)
}
