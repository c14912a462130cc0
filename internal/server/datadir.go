package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockDataDir makes the directory if it is not there, and takes it for this
// process. The lock ends with the process, however that ends. It is of the kind
// that can be looked at without taking it: flock(2)'s cannot, and a command that
// looked would refuse a server that starts at that moment.
func lockDataDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory: %w", err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			who, _ := os.ReadFile(f.Name())
			return nil, fmt.Errorf("another server%s is running on %s: stop it, or name another folder with --data-dir",
				strings.TrimSuffix(" (process "+strings.TrimSpace(string(who))+")", " (process )"), dir)
		}
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return func() { f.Close() }, nil
}

// Ready says where a server listens. It is the content of a --ready-file.
type Ready struct {
	Endpoint   string `json:"endpoint"`    // http://127.0.0.1:4747: Glue, CloudWatch Logs, STS
	S3Endpoint string `json:"s3_endpoint"` // the embedded store, or the outside one
	Region     string `json:"region"`
	PID        int    `json:"pid"`
	DataDir    string `json:"data_dir"`
}

// Ready returns where this server listens.
func (s *Server) Ready() Ready {
	r := Ready{Endpoint: reachable(s.api.Addr().String()), S3Endpoint: s.opts.Config.S3.Endpoint,
		Region: s.opts.Config.Server.Region, PID: os.Getpid(), DataDir: s.opts.DataDir}
	if s.blobs != nil {
		r.S3Endpoint = reachable(s.blobs.Addr())
	}
	return r
}

// reachable is the URL by which processes of this host reach a listener; one on
// all interfaces is reached on loopback.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + addr
}

func writeReady(s *Server) error { return WriteReady(ReadyPath(s.opts.DataDir), s.Ready()) }

// LastReady returns where the directory's server listens, or where the last one
// did; ok is false if there was none.
func LastReady(dir string) (r Ready, ok bool) {
	text, err := os.ReadFile(ReadyPath(dir))
	if err != nil {
		return Ready{}, false
	}
	return r, json.Unmarshal(text, &r) == nil
}

// Running returns where the directory's server listens; ok is false if none is
// running.
func Running(dir string) (r Ready, ok bool) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return Ready{}, false
	}
	defer f.Close()
	held := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &held); err != nil || held.Type == unix.F_UNLCK {
		return Ready{}, false
	}
	return LastReady(dir)
}

// WriteReady writes a ready file: whole, or not at all.
func WriteReady(path string, r Ready) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d.tmp", path, time.Now().UnixNano())
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the ready file: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("write the ready file: %w", err)
	}
	return nil
}

// tokenKey returns the key that paging tokens are sealed with; it is made once,
// so that tokens stay good over a restart.
func tokenKey(dir string) (key [32]byte, err error) {
	path := filepath.Join(dir, "token.key")
	stored, err := os.ReadFile(path)
	if err == nil && len(stored) == len(key) {
		return [32]byte(stored), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("read the key of paging tokens: %w", err)
	}
	rand.Read(key[:])
	if err := os.WriteFile(path, key[:], 0o600); err != nil {
		return key, fmt.Errorf("store the key of paging tokens: %w", err)
	}
	return key, nil
}
