package session

import (
	"encoding/base64"
	"encoding/binary"
	"html"
	"strings"
)

// forms are the types that are shown as such and not as text, the best one
// first: a value that has several has the same in all of them.
var forms = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "text/html", "text/markdown",
	"text/latex"}

// rich is a value that is more than text: a picture in base64, or markup.
type rich struct{ mime, data string }

// best returns the form of a value that is shown; ok is false if it is text only.
func best(data bundle) (r rich, ok bool) {
	for _, mime := range forms {
		if d, ok := data[mime]; ok {
			return rich{mime, d}, true
		}
	}
	return rich{}, false
}

// result is the one value that a statement has room for. Several are brought
// together in HTML, and so is a picture that the Jupyter kernel would draw in
// another shape: it gives every picture 640 by 480 points. Markdown and LaTeX
// are shown as they are written there.
func result(all []rich) (mime, data string) {
	if len(all) == 1 && (!strings.HasPrefix(all[0].mime, "image/") || all[0].mime == "image/svg+xml" || fits(all[0])) {
		return all[0].mime, all[0].data
	}
	var b strings.Builder
	for _, r := range all {
		b.WriteString("<div>")
		switch {
		case r.mime == "text/markdown" || r.mime == "text/latex":
			b.WriteString("<pre>" + html.EscapeString(r.data) + "</pre>")
		case r.mime == "image/svg+xml" || r.mime == "text/html":
			b.WriteString(r.data)
		default:
			b.WriteString(`<img src="data:` + r.mime + ";base64," + strings.Join(strings.Fields(r.data), "") + `">`)
		}
		b.WriteString("</div>\n")
	}
	return "text/html", b.String()
}

// fits reports whether a picture is four by three, as far as it is known: of a
// PNG, whose header has width and height at bytes 16 and 20.
func fits(r rich) bool {
	if r.mime != "image/png" || len(r.data) < 32 {
		return true
	}
	head, err := base64.StdEncoding.DecodeString(r.data[:32])
	if err != nil || string(head[1:4]) != "PNG" {
		return true
	}
	width, height := binary.BigEndian.Uint32(head[16:20]), binary.BigEndian.Uint32(head[20:24])
	return uint64(width)*3 == uint64(height)*4
}
