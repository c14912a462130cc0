package supervise

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"
)

// tailPoll is how often log files are looked at: a line is in the log store
// before a person notices that it was not.
const tailPoll = 200 * time.Millisecond

// tailer follows log files into a Sink. It holds one buffer and, per file, an
// offset; files are open only while they are read, for there may be hundreds.
type tailer struct {
	dir   string
	tails []Tail
	sink  Sink
	files map[inode]*tailed
	buf   []byte
}

// inode identifies a file over a rotation, which renames it.
type inode struct{ dev, ino uint64 }

type tailed struct {
	offset int64
	out    io.WriteCloser // nil: not to be followed
}

func newTailer(dir string, tails []Tail, sink Sink) *tailer {
	return &tailer{dir: dir, tails: tails, sink: sink, files: map[inode]*tailed{}, buf: make([]byte, 64<<10)}
}

// follow copies what is new until stop is closed, then copies what is left,
// which is everything if the writers have ended, and closes all writers.
func (t *tailer) follow(stop <-chan struct{}) {
	tick := time.NewTicker(tailPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.pass()
		case <-stop:
			t.pass()
			for _, f := range t.files {
				if f.out != nil {
					f.out.Close()
				}
			}
			return
		}
	}
}

func (t *tailer) pass() {
	seen := map[string]bool{}
	for _, rule := range t.tails {
		if seen[rule.Dir] {
			continue
		}
		seen[rule.Dir] = true
		dir := filepath.Join(t.dir, rule.Dir)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // not there yet
		}
		for _, e := range entries {
			if e.Type().IsRegular() {
				t.read(rule.Dir, filepath.Join(dir, e.Name()))
			}
		}
	}
}

// read copies what a file has got since the last time.
func (t *tailer) read(dir, name string) {
	var st syscall.Stat_t
	if syscall.Lstat(name, &st) != nil {
		return
	}
	key := inode{uint64(st.Dev), st.Ino}
	f := t.files[key]
	if f == nil {
		f = &tailed{}
		if rule, ok := t.match(dir, filepath.Base(name)); ok && rule.Group != "" {
			f.out = t.sink.Writer(rule.Group, rule.Stream)
		}
		t.files[key] = f
	}
	if f.out == nil || st.Size == f.offset {
		return
	}
	if st.Size < f.offset { // truncated and written anew
		f.offset = 0
	}
	file, err := os.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	if now, err := file.Stat(); err != nil || now.Sys().(*syscall.Stat_t).Ino != st.Ino {
		return // rotated meanwhile: the next time
	}
	// No further than its size was: a file that grows faster than we read must
	// not keep us from the others.
	n, _ := io.CopyBuffer(writerOnly{f.out}, io.NewSectionReader(file, f.offset, st.Size-f.offset), t.buf)
	f.offset += n
}

func (t *tailer) match(dir, base string) (Tail, bool) {
	for _, rule := range t.tails {
		if rule.Dir == dir {
			if ok, _ := path.Match(rule.Pattern, base); ok {
				return rule, true
			}
		}
	}
	return Tail{}, false
}

// writerOnly hides other methods, so that io.CopyBuffer uses the buffer.
type writerOnly struct{ io.Writer }
