package session

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/remora-project/remora"
)

func TestOutput(t *testing.T) {
	t.Parallel()
	out := func(text string) event { return event{Event: "stream", Name: stdout, Text: text} }
	err := func(text string) event { return event{Event: "stream", Name: stderr, Text: text} }
	show := func(kv ...string) event { return event{Event: "display", Data: bundleOf(kv)} }
	value := func(kv ...string) event { return event{Event: "done", Status: "ok", Data: bundleOf(kv)} }
	png := func(width, height byte) string {
		return base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00" + string(rune(width)) + "\x00\x00\x00" + string(rune(height))))
	}
	for name, c := range map[string]struct {
		events []event
		want   remora.Output
	}{
		"nothing":                     {nil, remora.Output{}},
		"no value":                    {[]event{value()}, remora.Output{}},
		"a value":                     {[]event{value("text/plain", "2")}, remora.Output{Text: "2"}},
		"streams in order":            {[]event{out("a\n"), err("b\n"), out("c\n"), value("text/plain", "2")}, remora.Output{Text: "a\nb\nc\n2"}},
		"a value has its own line":    {[]event{out("a"), value("text/plain", "2")}, remora.Output{Text: "a\n2"}},
		"a display has its own line":  {[]event{out("a"), show("text/plain", "d"), out("b")}, remora.Output{Text: "a\nd\nb"}},
		"a line drawn again":          {[]event{err("x\n 1%"), err("\r 2%"), err("\r 3%"), err("\n")}, remora.Output{Text: "x\n 3%\n"}},
		"drawn after the other one":   {[]event{err(" 1%"), out("a"), err("\r 2%")}, remora.Output{Text: " 1%a\n 2%"}},
		"a line that was finished":    {[]event{err("x\n"), err("\r 2%")}, remora.Output{Text: "x\n 2%"}},
		"Windows' line end":           {[]event{out("a"), out("\r\nb")}, remora.Output{Text: "a\nb"}},
		"returned before it is drawn": {[]event{out("1%\r"), out("2%\r"), out("3%\r")}, remora.Output{Text: "3%"}},
		"lines within a text":         {[]event{out("a\nb\rc\nd\r\r\ne\r"), out("\r"), out("f\r")}, remora.Output{Text: "a\nc\nd\nf"}},
		"both drawn at once":          {[]event{out("1\r"), err("x\r"), out("2\r"), err("y")}, remora.Output{Text: "1x\n2\ny"}},
		"an error": {[]event{out("a\n"), {Event: "done", Status: "error", ErrorName: "E", Error: "v", Traceback: []string{"1", "2"}}},
			remora.Output{Text: "a\n", ErrorName: "E", Error: "v", Traceback: []string{"1", "2"}}},
		"a cancel": {[]event{out("a"), {Event: "done", Status: "cancelled", ErrorName: "KeyboardInterrupt"}},
			remora.Output{Text: "a", ErrorName: "KeyboardInterrupt"}},
		"a picture": {[]event{out("a\n"), err("b\n"), show("image/png", "UE5H", "text/plain", "<Figure>")},
			remora.Output{Text: "a\nb\n<Figure>\n", StdOut: "a\n", StdErr: "b\n", MimeType: "image/png", Result: "UE5H"}},
		"a picture as the value": {[]event{out("a\n"), value("image/jpeg", "SlBH", "text/plain", "<Image>")},
			remora.Output{Text: "a\n<Image>", StdOut: "a\n", MimeType: "image/jpeg", Result: "SlBH"}},
		"the best picture": {[]event{value("image/svg+xml", "<svg/>", "image/jpeg", "SlBH", "image/png", "UE5H")},
			remora.Output{MimeType: "image/png", Result: "UE5H"}},
		"SVG":     {[]event{value("image/svg+xml", "<svg/>")}, remora.Output{MimeType: "image/svg+xml", Result: "<svg/>"}},
		"a table": {[]event{value("text/plain", "t", "text/html", "<b>")}, remora.Output{Text: "t", MimeType: "text/html", Result: "<b>"}},
		"a picture and then a value": {[]event{show("image/png", "UE5H"), value("text/plain", "2")},
			remora.Output{Text: "2", StdOut: "2", MimeType: "image/png", Result: "UE5H"}},
		"several": {[]event{out("a"), show("image/png", "MQ=="), value("text/html", "<b>", "text/plain", "t")},
			remora.Output{Text: "a\nt", StdOut: "a\n", MimeType: "text/html",
				Result: "<div><img src=\"data:image/png;base64,MQ==\"></div>\n<div><b></div>\n"}},
		"Markdown":            {[]event{value("text/markdown", "# t", "text/plain", "t")}, remora.Output{Text: "t", MimeType: "text/markdown", Result: "# t"}},
		"a table beats LaTeX": {[]event{value("text/latex", "$t$", "text/html", "<b>")}, remora.Output{MimeType: "text/html", Result: "<b>"}},
		"several with LaTeX": {[]event{show("text/markdown", "# <t>"), value("text/latex", "$1 < 2$")},
			remora.Output{MimeType: "text/html", Result: "<div><pre># &lt;t&gt;</pre></div>\n<div><pre>$1 &lt; 2$</pre></div>\n"}},
		"a picture of another shape": {[]event{value("image/png", png(3, 2))},
			remora.Output{MimeType: "text/html", Result: "<div><img src=\"data:image/png;base64," + png(3, 2) + "\"></div>\n"}},
		"a picture of the kernel's shape": {[]event{value("image/png", png(4, 3))}, remora.Output{MimeType: "image/png", Result: png(4, 3)}},
		"a picture and an error": {[]event{show("image/png", "MQ=="), {Event: "done", Status: "error", ErrorName: "E"}},
			remora.Output{MimeType: "image/png", Result: "MQ==", ErrorName: "E"}},
		"too large a picture": {[]event{out("a"), value("image/png", strings.Repeat("x", 65), "text/plain", "<Figure>")},
			remora.Output{Text: "a\n[image/png is left out: it has 65 bytes, and 64 are left]\n<Figure>"}},
		"much text": {[]event{out(strings.Repeat("a", 50) + strings.Repeat("ä", 50))},
			remora.Output{Text: strings.Repeat("a", 50) + "\n[50 bytes are left out here]\n" + strings.Repeat("ä", 25)}},
	} {
		r := newRecord(100, 64)
		for _, e := range c.events {
			r.apply(e)
		}
		if got := r.output(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

func bundleOf(kv []string) bundle {
	b := bundle{}
	for i := 0; i < len(kv); i += 2 {
		b[kv[i]] = kv[i+1]
	}
	return b
}

func TestErrorIsBounded(t *testing.T) {
	t.Parallel()
	r := newRecord(100, 100)
	r.fail(strings.Repeat("n", 1<<20), strings.Repeat("v", 1<<20), strings.Split(strings.Repeat("line\n", 1<<20), "\n"))
	if n := weigh(r.output()); n > 3*maxError+1000 {
		t.Errorf("an error has %d bytes", n)
	}
}

// The clip holds the beginning and the end of what was written and counts what
// lies between, whatever the pieces.
func TestClip(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "b", "\n", "ä", "€", "😀"}
	for range 3000 {
		c := clip{limit: 2 + random.IntN(60)}
		var whole strings.Builder
		for range random.IntN(12) {
			var piece strings.Builder
			for range random.IntN(40) {
				piece.WriteString(letters[random.IntN(len(letters))])
			}
			c.write(piece.String())
			whole.WriteString(piece.String())
		}
		all, got := whole.String(), c.String()
		if c.open() != (got != "" && !strings.HasSuffix(got, "\n")) {
			t.Fatalf("open is %v of %q", c.open(), got)
		}
		if got == all {
			continue
		}
		head, rest, _ := strings.Cut(got, "[")
		_, tail, _ := strings.Cut(rest, "]\n")
		var left int
		fmt.Sscanf(rest, "%d bytes", &left)
		begin := head
		if len(begin)+left+len(tail) != len(all) {
			begin = strings.TrimSuffix(head, "\n")
		}
		if !strings.HasPrefix(all, begin) || !strings.HasSuffix(all, tail) || len(begin)+left+len(tail) != len(all) ||
			len(begin)+len(tail) > c.limit || len(begin)+len(tail) < c.limit-8 || !utf8.ValidString(got) {
			t.Fatalf("limit %d: of %q is left %q", c.limit, all, got)
		}
	}
}

func TestClipRewinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"a", ""}, {"a\nb", "a\n"}, {"a\n", "a\n"}, {"abcd", ""}, {"a\ncdefgh", "a\n"}, {"abcde\ngh", "abcde\n"},
		{"abcdefghij\nkl", "abcd\n[5 bytes are left out here]\nj\n"},
		{"abcdefghijklmn", "abcd\n[6 bytes are left out here]\n"},
	} {
		clip := clip{limit: 8}
		clip.write(c.text)
		clip.trim()
		clip.rewind()
		if got := clip.String(); got != c.want {
			t.Errorf("%q without its last line is %q, want %q", c.text, got, c.want)
		}
	}
}

// What C code and other programs print before a statement's end belongs to it,
// to the last byte, and to no other.
func TestRawOutput(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	for id := 1; id <= 40; id++ {
		b.submit(id, fmt.Sprintf("import os\nprint('py%d')\n_ = os.write(1, b'out%d \\xe2\\x82'); _ = os.write(1, b'\\xac\\n'); _ = os.write(2, b'err%d \\xff|\\xe2')", id, id, id))
	}
	for id := 1; id <= 40; id++ {
		s := b.ended(id)
		for _, part := range []string{fmt.Sprintf("py%d\n", id), fmt.Sprintf("out%d €\n", id), fmt.Sprintf("err%d \uFFFD|", id)} {
			if !strings.Contains(s.Output.Text, part) {
				t.Errorf("statement %d does not say %q but %q", id, part, s.Output.Text)
			}
			if !strings.Contains(b.out.String()+b.err.String(), strings.ReplaceAll(part, "\uFFFD", "\xff")) {
				t.Errorf("the log does not say %q", part)
			}
		}
		if n := len(s.Output.Text); n != len(fmt.Sprintf("py%d\nout%d €\nerr%d \uFFFD|\uFFFD", id, id, id)) {
			t.Errorf("statement %d says %q", id, s.Output.Text)
		}
	}
	b.want(b.run(41, "os.system('echo program; echo bad >&2')"), remora.StatementAvailable, "program\nbad\n0")
	b.run(42, "import sys\nprint('a log line'); print('an error line', file=sys.stderr)")
	if !strings.Contains(b.out.String(), "a log line\n") || !strings.Contains(b.err.String(), "an error line\n") {
		t.Error("the log does not have what Python prints")
	}
}

// What comes between two statements is for the log alone.
func TestOutputBetweenStatements(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	program, thread := newGate(t), newGate(t)
	b.run(1, fmt.Sprintf(`import subprocess, threading
def later():
    open(%q).read(); print("thread late")
threading.Thread(target=later).start()
p = subprocess.Popen(["sh", "-c", "cat %s; echo program late"])`, thread.path, program.path))
	program.open(t)
	b.check(eventually(func() error { return contains(b.out, "program late") }))
	thread.open(t)
	b.check(eventually(func() error { return contains(b.out, "thread late") }))
	b.want(b.run(2, "2"), remora.StatementAvailable, "2")
	b.want(b.now(1), remora.StatementAvailable, "")
}

func contains(b *buffer, text string) error {
	if !strings.Contains(b.String(), text) {
		return fmt.Errorf("nobody has said %q", text)
	}
	return nil
}

func TestPicture(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	s := b.run(1, "class P:\n    def _repr_png_(self): return b'PNG'\nprint('a')\nP()")
	want := remora.Output{Text: "a\n", StdOut: "a\n", MimeType: "image/png", Result: "UE5H"}
	s.Output.Text = regexp.MustCompile(`<__main__.P object at .*>`).ReplaceAllString(s.Output.Text, "")
	if !reflect.DeepEqual(s.Output, want) {
		t.Errorf("it is %+v, want %+v", s.Output, want)
	}
}

// What Python prints and what comes out of descriptor 1 are in one order. The
// interpreter waits for the host here as long as a busy machine may take.
func TestPrintsAndDescriptorsInOrder(t *testing.T) {
	t.Parallel()
	b := serve(t, real())
	b.run(1, "import os, remora.session.channel as channel\nchannel._READ_WITHIN = 60")
	const lines = 1000
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "text %d\nraw %d\n", i, i)
	}
	b.want(b.run(2, fmt.Sprintf("for i in range(%d):\n    print('text', i)\n    _ = os.write(1, b'raw %%d\\n' %% i)", lines)), remora.StatementAvailable, want.String())
}
