package s3

import (
	"context"
	"errors"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/s3api"
)

// Time limits. An upload or a download may take as long as it makes progress;
// a peer that went silent in the middle of it, or never sent a whole header, is
// dropped.
const (
	headerTimeout = 20 * time.Second
	stallTimeout  = 60 * time.Second // without a byte; also how long an idle connection is kept
	bodyTimeout   = 24 * time.Hour   // fasthttp wants a number; stallTimeout ends what hangs
	writeBuffer   = 64 << 10         // fasthttp's own is 4 KiB, a system call for each page of an object
)

// fiberApp reaches for the server below versitygw's: its only exported way to
// serve binds an address that it never tells, and leaves every timeout off.
// The alternative, a unix socket with a splicing proxy before it, costs two more
// copies of every byte.
func fiberApp(api *s3api.S3ApiServer) (*fiber.App, error) {
	field := reflect.ValueOf(api).Elem().FieldByName("app")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*fiber.App]() || field.IsNil() {
		return nil, errors.New("this version of versitygw keeps its fiber.App elsewhere: adapt api/s3/listen.go")
	}
	return (*fiber.App)(field.UnsafePointer()), nil
}

func tune(srv *fasthttp.Server) {
	srv.ReadTimeout = headerTimeout
	srv.IdleTimeout = stallTimeout
	srv.WriteBufferSize = writeBuffer
	srv.HeaderReceived = func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
		return fasthttp.RequestConfig{ReadTimeout: bodyTimeout}
	}
	// Otherwise a form is read to its end, into files, before its signature is
	// looked at. versitygw reads forms itself.
	srv.DisablePreParseMultipartForm = true
}

// listener hands out connections that give up on a silent peer, and knows those
// that are open.
type listener struct {
	net.Listener
	stall time.Duration
	conns sync.WaitGroup

	mu   sync.Mutex
	open map[*conn]struct{}
}

func listen(ctx context.Context, addr string) (*listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &listener{Listener: ln, stall: stallTimeout, open: map[*conn]struct{}{}}, nil
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	wrapped := &conn{Conn: c, from: l}
	l.conns.Add(1)
	l.mu.Lock()
	l.open[wrapped] = struct{}{}
	l.mu.Unlock()
	return wrapped, nil
}

// cut breaks open connections: every one, or those on which the client has not
// said a word yet. Their handlers fail at the next read or write; conns tells
// when they are done.
func (l *listener) cut(silentOnly bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if !silentOnly || !c.spoke.Load() {
			c.Conn.Close()
		}
	}
}

// conn fails a read or write that makes no progress within its listener's stall time, or
// until the deadline that the server set, whichever is earlier.
type conn struct {
	net.Conn
	from    *listener
	closing sync.Once

	readBy, writeBy atomic.Pointer[time.Time]
	spoke           atomic.Bool // the client has sent something
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(c.deadline(c.readBy.Load())); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.spoke.Store(true)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(c.deadline(c.writeBy.Load())); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *conn) deadline(by *time.Time) time.Time {
	deadline := time.Now().Add(c.from.stall)
	if by != nil && !by.IsZero() && by.Before(deadline) {
		return *by
	}
	return deadline
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.readBy.Store(&t)
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.Store(&t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close is called by the server when it is done with the connection.
func (c *conn) Close() error {
	c.closing.Do(func() {
		c.from.mu.Lock()
		delete(c.from.open, c)
		c.from.mu.Unlock()
		c.from.conns.Done()
	})
	return c.Conn.Close()
}
