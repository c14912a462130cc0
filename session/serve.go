package session

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/remora-project/remora"
	"golang.org/x/sys/unix"
)

// Options says what Serve runs. A zero field has the value that its comment
// gives.
type Options struct {
	Argv   []string // of the Python interpreter; Argv[0] is its path
	Socket string   // path to listen on

	Stdout, Stderr io.Writer // where output is copied to; os.Stdout and os.Stderr

	ReadyWithin time.Duration // for the interpreter to get ready; 60 s
	CancelGrace time.Duration // from an interrupt to giving up; 5 s
	StopGrace   time.Duration // from the end of Serve's context to SIGKILL, half of it to SIGTERM; 8 s
	Linger      time.Duration // how long the host of a dead interpreter waits to be asked, if there is more to tell than the death; 5 s

	TextLimit    int   // bytes of text of one statement; 4 MiB
	PictureLimit int   // bytes of a picture in base64; 16 MiB
	KeepLimit    int64 // bytes of the outputs of all statements that have ended; 256 MiB
}

func (o Options) withDefaults() Options {
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	o.ReadyWithin = cmp.Or(o.ReadyWithin, time.Minute)
	o.CancelGrace = cmp.Or(o.CancelGrace, 5*time.Second)
	o.StopGrace = cmp.Or(o.StopGrace, 8*time.Second)
	o.Linger = cmp.Or(o.Linger, 5*time.Second)
	o.TextLimit = cmp.Or(o.TextLimit, 4<<20)
	o.PictureLimit = cmp.Or(o.PictureLimit, 16<<20)
	o.KeepLimit = cmp.Or(o.KeepLimit, 256<<20)
	return o
}

// closing is how long answers that are on their way have at the end.
const closing = 2 * time.Second

// Serve runs an interpreter and answers on the socket until ctx ends, for which
// it returns nil, or the interpreter does, for which it returns an error: in a
// sentence why, and some of its last words in lines below, 29 lines and 7 KiB
// in all. Nothing of it is left then but processes that have left the
// interpreter's process group, and those are the cluster's to end; what is
// printed to stderr next begins a line.
func Serve(ctx context.Context, o Options) error {
	const op = "session: serve"
	if len(o.Argv) == 0 || o.Socket == "" {
		return remora.Invalidf(op, o.Socket, "neither the interpreter's command nor the socket may be empty")
	}
	o = o.withDefaults()
	listener, err := listen(ctx, o.Socket)
	if err != nil {
		return remora.Unavailablef(op, o.Socket, "listen for the control plane: %w", err)
	}
	h := newHost(o)
	server := &http.Server{Handler: h.handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	h.start()

	select {
	case <-ctx.Done():
		h.stop(o.StopGrace)
		<-h.over
	case err := <-served: // nobody could reach it any more
		h.stop(o.StopGrace)
		<-h.over
		return remora.Unavailablef(op, o.Socket, "answer the control plane: %w", err)
	case <-h.over:
		linger := time.NewTimer(o.Linger)
		defer linger.Stop()
		select {
		case <-h.heard:
		case <-linger.C:
		case <-ctx.Done():
		}
		h.endLine()
		err = remora.Unavailablef(op, o.Socket, "%s", h.brief)
	}

	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	if server.Shutdown(rest) != nil {
		server.Close()
	}
	<-served
	return err
}

// listen makes the socket with mode 0600: what it has before it is bound is
// what its file gets, less the umask.
func listen(ctx context.Context, path string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}}
	return config.Listen(ctx, "unix", path)
}
