package providertest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/remora-project/remora/provider/supervise"
)

// FileSink is a supervise.Sink that keeps each stream in a file below dir; it
// is a supervise.OpenSink.
func FileSink(dir string) (supervise.Sink, error) { return fileSink(dir), nil }

type fileSink string

func (d fileSink) Close() error { return nil }

func (d fileSink) Writer(group, stream string) io.WriteCloser {
	return &lineWriter{path: filepath.Join(string(d), strings.ReplaceAll(group, "/", "#"), stream)}
}

// FileLog returns the lines that a stream of a FileSink has.
func FileLog(dir, group, stream string) []string {
	b, _ := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(group, "/", "#"), stream))
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// lineWriter appends whole lines, each with one write.
type lineWriter struct {
	path string
	mu   sync.Mutex
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	i := bytes.LastIndexByte(w.rest, '\n') + 1
	if i == 0 {
		return len(p), nil
	}
	err := w.store(w.rest[:i])
	w.rest = append(w.rest[:0], w.rest[i:]...)
	return len(p), err
}

func (w *lineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) == 0 {
		return nil
	}
	return w.store(append(w.rest, '\n'))
}

func (w *lineWriter) store(b []byte) error {
	if err := os.MkdirAll(filepath.Dir(w.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(b)
	return err
}
