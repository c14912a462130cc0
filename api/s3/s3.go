// Package s3 is the embedded S3 endpoint: versitygw's server and POSIX backend
// on a listener of its own, over a directory of this host.
//
// # What is stored where
//
// Below Config.Dir, which belongs to one Server at a time:
//
//	buckets/   a directory per bucket, a file per object, readable with cp and ls
//	metadata   "xattr" or "sidecar": where headers, ETags and checksums are kept
//	sidecar/   those of a file system without user extended attributes
//	lock       held while the directory is in use; not empty unless closed cleanly
//
// An object cannot be at the same time a "directory" of another one: of the keys
// "x" and "x/y" only one can exist.
//
// # Durability
//
// An object becomes visible whole or not at all. Before PutObject, CopyObject,
// UploadPart and CompleteMultipartUpload are acknowledged, data and directory
// entries are flushed with fsync, which versitygw itself does not do: they
// survive kill -9 and a power cut. Deletions, tags and settings of buckets
// survive kill -9, but a power cut may undo the last seconds of them.
//
// With sidecar metadata two files are replaced one after the other: kill -9
// between them can leave an object that was being overwritten with its new
// headers over its old content. Objects written once are not concerned.
//
// # One per process
//
// versitygw's backend addresses files relative to the working directory. Open
// therefore changes the working directory of the whole process, and Close
// changes it back: meanwhile everything else in the process has to use absolute
// paths.
package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"

	"github.com/remora-project/remora"
)

// Keys are the access keys of the service, the same that its other endpoints
// accept. They may change between any two calls.
type Keys interface {
	// Secret returns the secret of an access key; ok is false if there is none,
	// or not any more.
	Secret(accessKeyID string) (secret string, ok bool)
}

// Config says what to serve and where.
type Config struct {
	Dir     string // made if it is not there
	Listen  string // host:port; empty: a free port of the loopback interface
	Region  string // the one that requests have to be signed for; empty: us-east-1
	Account string // owner of all buckets, 12 digits; empty: 000000000000
	Keys    Keys
	Logger  *slog.Logger // nil: none
}

// Bounds of what clients can make the server hold. A request beyond maxRequests
// gets SlowDown, which the SDKs try again.
const (
	maxRequests    = 256
	maxConnections = 4 * maxRequests
	maxParts       = 10000
	ioBuffer       = 64 << 10 // per request that moves data
)

// Server is a running endpoint. Its methods may be called from any goroutine.
type Server struct {
	log      *slog.Logger
	dir      *directory
	backend  *backend
	app      *fiber.App
	listener *listener

	failed   chan error
	served   chan struct{} // closed when the accept loop has returned
	stopping atomic.Bool   // the accept loop is expected to end
	sweeping sync.WaitGroup
	stop     context.CancelFunc // ends sweeping

	close  sync.Once
	closed error
}

// active is true while a Server is open: see "One per process".
var active atomic.Bool

// Open takes over cfg.Dir, repairs what a killed predecessor left in it, and
// returns once requests are served. ctx bounds the start only.
//
// Errors: Invalid (the configuration), WrongState (a Server is open in this
// process), Unavailable (directory in use, address taken, disk).
func Open(ctx context.Context, cfg Config) (*Server, error) {
	const op = "api/s3: open"
	if cfg.Dir == "" || cfg.Keys == nil {
		return nil, remora.Invalidf(op, cfg.Dir, "the S3 endpoint needs a directory and access keys")
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "000000000000"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if !active.CompareAndSwap(false, true) {
		return nil, remora.Errorf(remora.WrongState, op, cfg.Dir, "an S3 endpoint is open in this process already")
	}
	s, err := open(ctx, cfg)
	if err != nil {
		active.Store(false)
		var known *remora.Error
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, remora.Unavailablef(op, cfg.Dir, "%w", err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config) (_ *Server, err error) {
	var undo []func()
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				undo[i]()
			}
		}
	}()

	dir, err := openDirectory(cfg.Dir)
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { dir.close(false) })
	if err := dir.repair(ctx, cfg.Logger); err != nil {
		return nil, err
	}
	be, err := newBackend(dir, cfg.Logger)
	if err != nil {
		return nil, err
	}
	undo = append(undo, be.Shutdown)

	utils.SetBucketNameValidationStrict(true)
	// versitygw wants root credentials. Nobody knows these, and nothing belongs
	// to them: every access key acts as the same administrator (see accounts).
	root := middlewares.RootUserConfig{Access: "root-" + rand.Text(), Secret: rand.Text()}
	api, err := s3api.New(be, root, cfg.Region, &accounts{keys: cfg.Keys, owner: cfg.Account},
		nil, nil, nil, nil,
		s3api.WithConcurrencyLimiter(maxConnections, maxRequests),
		s3api.WithMpMaxParts(maxParts),
		s3api.WithKeepAlive(),
		s3api.WithDisableACL(), // as S3's own default for new buckets, "bucket owner enforced"
		s3api.WithMiddleware("/", drain),
		s3api.WithMiddleware("/", logRequests(cfg.Logger)),
		s3api.WithQuiet()) // without WithAdminServer: accounts are not managed here
	if err != nil {
		return nil, err
	}
	app, err := fiberApp(api)
	if err == nil {
		err = checkBodyStream()
	}
	if err != nil {
		return nil, err
	}
	tune(app.Server())

	ln, err := listen(ctx, cfg.Listen)
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() { ln.Close() })

	s := &Server{log: cfg.Logger, dir: dir, backend: be, app: app, listener: ln,
		failed: make(chan error, 1), served: make(chan struct{})}
	go s.serve()
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.sweeping.Go(func() { dir.sweepPeriodically(background, cfg.Logger) })
	undo = []func(){func() { s.Close(context.Background()) }}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Addr is where the endpoint listens, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Err delivers the reason if the endpoint stops serving by itself. The channel
// is closed when it serves no more, whatever the cause.
func (s *Server) Err() <-chan error { return s.failed }

// Close stops accepting, lets requests that are under way finish until ctx ends,
// cuts off the rest and gives the directory back. Idempotent. It returns ctx's
// error if requests had to be cut off: what they wrote is not visible.
func (s *Server) Close(ctx context.Context) error {
	s.close.Do(func() { s.closed = s.shutdown(ctx) })
	return s.closed
}

func (s *Server) shutdown(ctx context.Context) error {
	s.stop()
	s.sweeping.Wait()
	s.stopping.Store(true)
	s.listener.Close()
	// Clients open connections in advance. For fasthttp such a one is in the middle
	// of a request, and would be waited for.
	s.listener.cut(true)
	var err error
	// Its other failure is that the listener is closed.
	if s.app.ShutdownWithContext(ctx); ctx.Err() != nil {
		err = ctx.Err()
		s.listener.cut(false)
	}
	<-s.served
	s.listener.conns.Wait()
	s.backend.Shutdown()
	s.dir.close(true)
	active.Store(false)
	return err
}

// serve runs the accept loop.
func (s *Server) serve() {
	defer close(s.served)
	defer close(s.failed)
	err := s.app.Listener(s.listener, fiber.ListenConfig{DisableStartupMessage: true})
	if s.stopping.Load() {
		return
	}
	if err == nil {
		err = errors.New("the listener was closed")
	}
	s.log.Error("s3 endpoint stopped serving", "addr", s.Addr(), "error", err)
	s.failed <- remora.Unavailablef("api/s3: serve", s.Addr(), "S3 endpoint %s stopped serving: %w", s.Addr(), err)
}

// ready makes a request of its own, unsigned: any answer will do.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr()+"/", nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy: it is this process
	res, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("wait for the S3 endpoint to answer: %w", err)
	}
	return res.Body.Close()
}
