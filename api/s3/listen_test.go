package s3

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// pair returns both ends of a connection through a listener with a stall time.
func pair(t *testing.T, stall time.Duration) (server, client net.Conn, ln *listener) {
	t.Helper()
	ln, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.stall = stall
	t.Cleanup(func() { ln.Close() })
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, client, ln
}

func TestSilentPeerIsDropped(t *testing.T) {
	const stall = time.Second // more than a busy machine needs from the deadline to the read
	server, client, _ := pair(t, stall)
	buf := make([]byte, 8)
	// As long as something comes, the whole may take longer than the stall time.
	start := time.Now()
	for time.Since(start) < 2*stall {
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(buf); err != nil {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
	}
	if _, err := server.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read from a silent peer: %v", err)
	}
	// Nobody reads: buffers fill up, then the write fails.
	if _, err := io.Copy(server, zeros{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write to a peer that does not read: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestEarlierDeadlineWins(t *testing.T) {
	server, _, _ := pair(t, time.Hour)
	if err := server.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}

func TestCutBreaksConnections(t *testing.T) {
	server, client, ln := pair(t, time.Hour)
	done := make(chan error, 1)
	go func() {
		_, err := server.Read(make([]byte, 1))
		server.Close()
		server.Close() // counted once
		done <- err
	}()
	ln.cut(false)
	if err := <-done; err == nil {
		t.Error("a read went on")
	}
	ln.conns.Wait()
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the peer was not told")
	}
}

// TestFailureIsReported breaks the listener under a running endpoint.
func TestFailureIsReported(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Keys: noKeys{}})
	if err != nil {
		t.Fatal(err)
	}
	s.listener.Listener.Close()
	select {
	case err := <-s.Err():
		if remora.KindOf(err) != remora.Unavailable {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("nobody was told that the endpoint stopped")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	if after, _ := os.Getwd(); after != before {
		t.Errorf("the working directory is %s", after)
	}
}

type noKeys struct{}

func (noKeys) Secret(string) (string, bool) { return "", false }
