package logstore

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

// progressEvery is how often a line that a lone \r starts again and again, a
// progress bar, gives an event before it ends.
const progressEvery = time.Second

// lines cuts a stream of bytes into lines. A line ends with \n or \r\n. A lone
// \r begins a new version of the line; of the versions the last one is kept,
// and one every progressEvery, so that a bar is seen to move. A line that is
// longer than a message may be comes in pieces.
type lines struct {
	emit func(line string, at time.Time)

	text    []byte    // the line's current version
	cr      bool      // a \r came: what follows decides what it was
	begun   bool      // part of the line is out, an empty rest is not worth an event
	version time.Time // when a version of the line was last emitted
}

// write takes the next bytes of the stream.
func (l *lines) write(p []byte, now time.Time) {
	for len(p) > 0 {
		if l.cr && p[0] != '\n' && p[0] != '\r' {
			l.restart(now)
		}
		end := bytes.IndexByte(p, '\n')
		text := p
		if end >= 0 {
			text = p[:end]
		}
		if cr := bytes.IndexByte(text, '\r'); cr >= 0 {
			l.add(text[:cr], now)
			l.cr = true
			p = p[cr+1:]
			continue
		}
		l.add(text, now)
		if end < 0 {
			return
		}
		l.end(now)
		p = p[end+1:]
	}
}

// restart drops the line's version for the one that begins now.
func (l *lines) restart(now time.Time) {
	l.cr = false
	if l.version.IsZero() {
		l.version = now
	}
	if len(l.text) > 0 && now.Sub(l.version) >= progressEvery {
		l.out(l.text, now)
		l.version = now
	}
	l.text = l.text[:0]
}

// add appends to the line, which goes out in pieces where it is too long.
func (l *lines) add(text []byte, now time.Time) {
	for len(l.text)+len(text) > remora.MaxMessageBytes {
		n := remora.MaxMessageBytes - len(l.text)
		l.text = append(l.text, text[:n]...)
		text = text[n:]
		whole := wholeRunes(l.text)
		l.out(l.text[:whole], now)
		l.text = append(l.text[:0], l.text[whole:]...)
		l.begun = true
	}
	l.text = append(l.text, text...)
}

func (l *lines) end(now time.Time) {
	if len(l.text) > 0 || !l.begun {
		l.out(l.text, now)
	}
	l.text, l.cr, l.begun, l.version = l.text[:0], false, false, time.Time{}
}

// pending reports whether flush would give an event.
func (l *lines) pending() bool { return wholeRunes(l.text) > 0 }

// flush emits what there is of an unfinished line, for instance a prompt; the
// rest of the line becomes an event of its own.
func (l *lines) flush(now time.Time) {
	if n := wholeRunes(l.text); n > 0 {
		l.out(l.text[:n], now)
		l.text = append(l.text[:0], l.text[n:]...)
		l.begun = true
	}
}

// close emits what is left.
func (l *lines) close(now time.Time) {
	if len(l.text) > 0 {
		l.out(l.text, now)
		l.text = l.text[:0]
	}
}

// out emits a line as UTF-8, which may be longer than the bytes that it is made
// from.
func (l *lines) out(text []byte, now time.Time) {
	if utf8.Valid(text) {
		l.emit(string(text), now)
		return
	}
	s := strings.ToValidUTF8(string(text), "\uFFFD")
	for len(s) > remora.MaxMessageBytes {
		piece := cutMessage(s)
		l.emit(piece, now)
		s = s[len(piece):]
	}
	l.emit(s, now)
}

// wholeRunes is the length of b without a rune at its end that is not complete
// yet.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if utf8.FullRune(b[i:]) {
				return len(b)
			}
			return i
		}
	}
	return len(b)
}
