package session

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/remora-project/remora"
)

// pictures are the types that are shown as such, the best one first: a value
// that has several forms has the same picture in all of them.
var pictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"}

// maxError bounds an error's message and, separately, its traceback; the
// interpreter sends less.
const maxError = 128 << 10

// record is what a statement has said so far. A Statement has room for one
// picture, so of several the last one is kept, which is what a program that
// draws again and again ends with, and a note says how many there were.
type record struct {
	text         clip   // both streams in the order of arrival
	out, err     clip   // each by itself, for the case that there is a picture
	last         string // the stream that text ends with
	pictureLimit int

	outAgain, errAgain bool // whether a carriage return was the last of it

	mime, picture string
	pictures      int

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

// show adds a value: its picture, or else its text.
func (r *record) show(data bundle) {
	for _, mime := range pictures {
		p, ok := data[mime]
		if !ok {
			continue
		}
		if mime == "image/svg+xml" { // text in a bundle, base64 in a result
			p = base64.StdEncoding.EncodeToString([]byte(p))
		}
		if len(p) > r.pictureLimit {
			r.note("a picture is left out: it has %d bytes in base64, %d are allowed", len(p), r.pictureLimit)
			break
		}
		r.mime, r.picture = mime, p
		r.pictures++
		return
	}
	if text := data["text/plain"]; text != "" {
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
			r.print(stdout, "\n")
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
	o := remora.Output{ErrorName: r.errorName, Error: r.error, Traceback: r.traceback}
	if r.pictures == 0 {
		o.Text = r.text.String()
		return o
	}
	o.Text, o.StdErr, o.MimeType, o.Result = r.out.String(), r.err.String(), r.mime, r.picture
	if r.pictures > 1 {
		if r.out.open() {
			o.Text += "\n"
		}
		o.Text += fmt.Sprintf("[%d pictures were shown, this is the last one: a statement has room for one]\n", r.pictures)
	}
	return o
}

// size is about the number of bytes of the output.
func (r *record) size() int {
	if r.pictures == 0 {
		return r.text.size()
	}
	return r.out.size() + r.err.size() + len(r.picture)
}

// weigh is the number of bytes that a finished output takes.
func weigh(o remora.Output) int64 {
	n := len(o.Text) + len(o.StdErr) + len(o.Result) + len(o.Error) + len(o.ErrorName)
	for _, l := range o.Traceback {
		n += len(l)
	}
	return int64(n)
}
