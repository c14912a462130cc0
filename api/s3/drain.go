package s3

import (
	"errors"
	"io"
	"reflect"
	"unsafe"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
)

// maxRest is how much of a body is read that nobody wanted. A connection with
// more to come is closed instead.
const maxRest = 1 << 20

// drain reads request bodies to their end, so that the connection is at the
// beginning of the next request. versitygw reads a body in aws-chunked encoding
// up to that encoding's own end; where it is sent with Transfer-Encoding:
// chunked, as Arrow does, the outer encoding's end is left over, and fasthttp
// would take it for a request.
func drain(c fiber.Ctx) error {
	req := &c.RequestCtx().Request
	if !req.IsBodyStream() {
		return c.Next()
	}
	stream := bodyStream(req)
	from := *stream
	body := &rest{from: from}
	*stream = body
	// fasthttp puts the stream back into a pool by its type when the request ends.
	defer func() { *stream = from }()
	err := c.Next()
	if _, end := io.CopyN(io.Discard, body, maxRest); !errors.Is(end, io.EOF) {
		c.RequestCtx().SetConnectionClose()
	}
	return err
}

// rest remembers the end: fasthttp's stream must not be read beyond it.
type rest struct {
	from  io.Reader
	ended error
}

func (r *rest) Read(p []byte) (int, error) {
	if r.ended != nil {
		return 0, r.ended
	}
	n, err := r.from.Read(p)
	r.ended = err
	return n, err
}

const bodyStreamField = "bodyStream"

// bodyStream is where a request keeps its stream. The exported SetBodyStream
// closes the stream that was there, which gives it back to fasthttp's pool while
// it is being read.
func bodyStream(req *fasthttp.Request) *io.Reader {
	return (*io.Reader)(unsafe.Pointer(reflect.ValueOf(req).Elem().FieldByName(bodyStreamField).UnsafeAddr()))
}

// checkBodyStream fails if fasthttp's requests are not what bodyStream takes
// them for.
func checkBodyStream() error {
	f, ok := reflect.TypeFor[fasthttp.Request]().FieldByName(bodyStreamField)
	if !ok || f.Type != reflect.TypeFor[io.Reader]() {
		return errors.New("this release of fasthttp keeps request bodies otherwise than api/s3 expects")
	}
	return nil
}
