package api

import (
	"log/slog"
	"net/http"
	"time"
)

// Timeouts drop a client that does not get on, each counted from the beginning
// of a request. Idle is how long a connection is kept between two.
type Timeouts struct{ Header, Read, Write, Idle time.Duration }

// DefaultTimeouts give a slow client a minute for a request of a few kilobytes;
// nothing that the services do takes longer.
var DefaultTimeouts = Timeouts{Header: 10 * time.Second, Read: 60 * time.Second, Write: 90 * time.Second, Idle: 5 * time.Minute}

// maxHeader bounds a request's head; a presigned one has about 2 KiB.
const maxHeader = 64 << 10

// NewServer returns the HTTP server for an endpoint.
func NewServer(h http.Handler, t Timeouts, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: t.Header, ReadTimeout: t.Read, WriteTimeout: t.Write, IdleTimeout: t.Idle,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}
