package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora/api"
)

// short are timeouts for clients that are sure to exceed them: each that is
// tested is short, and the others do not come into it.
func short(change func(*api.Timeouts)) api.Timeouts {
	t := api.Timeouts{Header: time.Hour, Read: time.Hour, Write: time.Hour, Idle: time.Hour}
	change(&t)
	return t
}

const soon = 50 * time.Millisecond

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(deadline))
	return c.(*net.TCPConn)
}

// dropped waits until the server has closed the connection, and returns what it
// sent before.
func dropped(t *testing.T, c net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("after %s the connection has not been closed", deadline)
	}
	return string(text)
}

func head(length int) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Test.Echo\r\nContent-Length: %d\r\n\r\n", length)
}

// Clients that open a connection and then say nothing, or not all.
func TestSlowClientsAreDropped(t *testing.T) {
	headers := short(func(t *api.Timeouts) { t.Header = soon })
	bodies := short(func(t *api.Timeouts) { t.Read = soon })
	for _, c := range []struct {
		name     string
		timeouts api.Timeouts
		sent     string
		answer   string // its beginning
	}{
		{"nothing", headers, "", ""},
		{"half a request line", headers, "POST / HT", ""},
		{"half a header", headers, "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-", ""},
		{"no body", bodies, head(10), "HTTP/1.1 400 "},
		{"half a body", bodies, head(10) + "{", "HTTP/1.1 400 "},
		{"no chunk", bodies, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, serve(t, c.timeouts))
			if _, err := io.WriteString(conn, c.sent); err != nil {
				t.Fatal(err)
			}
			if got := dropped(t, conn); !strings.HasPrefix(got, c.answer) || c.answer == "" && strings.Contains(got, " 200 ") {
				t.Errorf("answer %q, want %q", got, c.answer)
			}
		})
	}
}

// A header at a time, for ever: what counts is the whole head's time.
func TestSlowLoris(t *testing.T) {
	addr := serve(t, short(func(t *api.Timeouts) { t.Header = soon }))
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	closed := make(chan string, 1)
	go func() { closed <- dropped(t, conn) }()
	tick := time.NewTicker(soon / 10)
	defer tick.Stop()
	for i := 0; ; i++ {
		fmt.Fprintf(conn, "X-%d: y\r\n", i) // fails once the server has had enough
		select {
		case <-closed:
			return
		case <-tick.C:
		}
	}
}

// Many of them do not keep others from being served.
func TestOthersAreServedMeanwhile(t *testing.T) {
	addr := serve(t, api.DefaultTimeouts)
	for range 200 {
		if _, err := io.WriteString(dial(t, addr), head(10)+"{"); err != nil {
			t.Fatal(err)
		}
	}
	if a := send(t, request{target: "Test.Echo", body: `{}`, service: "remora"}.make(t, addr)); a.status != http.StatusOK {
		t.Errorf("status %d", a.status)
	}
}

// Who has announced far too much is told at once, and nothing of it is read.
func TestTooLargeIsToldAtOnce(t *testing.T) {
	conn := dial(t, serve(t, api.DefaultTimeouts))
	if _, err := io.WriteString(conn, head(16*api.MaxBody)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Errorf("%s, connection closed: %v; want 413 and the connection closed", resp.Status, resp.Close)
	}
}

func TestHeadIsBounded(t *testing.T) {
	conn := dial(t, serve(t, api.DefaultTimeouts))
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 128<<10))
	if got := dropped(t, conn); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("answer %.100q, want 431", got)
	}
}

// A client that closes its half early gets its answer if the request is whole,
// and is refused otherwise.
func TestHalfOpen(t *testing.T) {
	addr := serve(t, api.DefaultTimeouts)
	for sent, want := range map[string]string{
		head(2) + "{}": "MissingAuthenticationTokenException",
		head(3) + "{}": "IncompleteBody",
	} {
		conn := dial(t, addr)
		io.WriteString(conn, sent)
		conn.CloseWrite()
		if got := dropped(t, conn); !strings.Contains(got, want) {
			t.Errorf("sent %q: answer %q, want %s", sent, got, want)
		}
	}
}

// Who does not read its answer does not hold the server for ever.
func TestAnswerIsNotRead(t *testing.T) {
	closed := make(chan struct{}, 1)
	addr := serveAndWatch(t, short(func(t *api.Timeouts) { t.Write = 20 * soon }), func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	})
	conn := dial(t, addr)
	if err := (request{target: "Huge.Get", body: `{}`, service: "glue"}).make(t, addr).Write(conn); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(deadline):
		t.Errorf("after %s the connection has not been closed", deadline)
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	addr := serve(t, short(func(t *api.Timeouts) { t.Idle = soon }))
	conn := dial(t, addr)
	io.WriteString(conn, head(2)+"{}")
	if got := dropped(t, conn); !strings.Contains(got, "MissingAuthenticationTokenException") {
		t.Errorf("answer %q", got)
	}
}
