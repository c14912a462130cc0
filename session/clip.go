package session

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// clip keeps the beginning and the end of a text, limit bytes in all.
type clip struct {
	limit      int
	head, tail []byte // tail is unused while head has room
	left       int64  // bytes left out between them
}

func (c *clip) write(s string) {
	if len(c.tail) == 0 && c.left == 0 {
		n := min(len(s), c.limit/2-len(c.head))
		for 0 < n && n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		c.head = append(c.head, s[:n]...)
		s = s[n:]
	}
	if half := c.half(); len(s) > half {
		c.left += int64(len(c.tail) + len(s) - half)
		c.tail = append(c.tail[:0], s[len(s)-half:]...)
	} else if c.tail = append(c.tail, s...); len(c.tail) > 2*half { // rarely, not at every write
		c.trim()
	}
}

// half is what tail holds after it has been trimmed.
func (c *clip) half() int { return c.limit - c.limit/2 }

func (c *clip) trim() {
	cut := max(len(c.tail)-c.half(), 0)
	if cut == 0 && c.left == 0 {
		return
	}
	for cut < len(c.tail) && !utf8.RuneStart(c.tail[cut]) {
		cut++
	}
	c.left += int64(cut)
	c.tail = append(c.tail[:0], c.tail[cut:]...)
}

// open reports whether the last line is unfinished.
func (c *clip) open() bool {
	last := c.tail
	if len(last) == 0 {
		if c.left > 0 {
			return false
		}
		last = c.head
	}
	return len(last) > 0 && last[len(last)-1] != '\n'
}

// rewind takes the unfinished last line back.
func (c *clip) rewind() {
	if n := bytes.LastIndexByte(c.tail, '\n'); n >= 0 {
		c.tail = c.tail[:n+1]
		return
	}
	c.tail = c.tail[:0]
	if c.left == 0 {
		c.head = c.head[:bytes.LastIndexByte(c.head, '\n')+1]
	}
}

// size is the number of bytes that String has, without the line in between.
func (c *clip) size() int { return len(c.head) + min(len(c.tail), c.half()) }

// String is valid UTF-8.
func (c *clip) String() string {
	c.trim()
	var b strings.Builder
	b.Grow(c.size() + 64)
	b.Write(c.head)
	if c.left > 0 {
		if len(c.head) > 0 && c.head[len(c.head)-1] != '\n' {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[%d bytes are left out here]\n", c.left)
	}
	b.Write(c.tail)
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// shorten keeps at most limit bytes of a text.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	c := clip{limit: limit}
	c.write(s)
	return c.String()
}
