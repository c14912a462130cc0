package runtimes

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// report turns a build into lines for a person.
type report struct {
	emit  func(string)
	beat  time.Duration
	start time.Time

	mu   *sync.Mutex
	last *time.Time // when the last line was said
}

func newReport(emit func(string), beat time.Duration) *report {
	now := time.Now()
	return &report{emit: emit, beat: beat, start: now, mu: new(sync.Mutex), last: &now}
}

// recording returns a report that also writes to a lock's record.
func (r *report) recording(l *lock) *report {
	copied := *r
	copied.emit = func(line string) {
		l.record(line)
		r.emit(line)
	}
	return &copied
}

func (r *report) line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.last = time.Now()
	r.emit(fmt.Sprintf(format, args...))
}

func (r *report) elapsed() time.Duration { return time.Since(r.start) }

// during says what is being done now, and again whenever nothing else has been
// said for a while, until stop is called.
func (r *report) during(what func() string) (stop func()) {
	r.line("%s", what())
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(max(r.beat/4, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			r.mu.Lock()
			quiet := time.Since(*r.last) >= r.beat
			r.mu.Unlock()
			if quiet {
				r.line("%s (%s)", what(), seconds(r.elapsed()))
			}
		}
	}()
	return func() { close(done); <-ended }
}

// uvOutput follows `uv pip sync` by what it prints where there is no terminal.
type uvOutput struct {
	mu             sync.Mutex
	phase          string
	sizes          map[string]float64 // MiB of the packages that are being downloaded; uv names the large ones only
	fetched, total float64            // MiB of large packages
	files, arrived int                // their number
}

var (
	uvStep        = regexp.MustCompile(`^(Resolved|Prepared|Installed|Bytecode compiled) (\d+) (packages?|files?) in (.+)$`)
	uvDownloading = regexp.MustCompile(`^\s*Downloading (\S+) \(([\d.]+)([KMG]i)?B\)$`)
	uvDownloaded  = regexp.MustCompile(`^\s*Downloaded (\S+)$`)
)

// read takes a line and returns what to tell the person, "" if nothing.
func (u *uvOutput) read(line string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m := uvStep.FindStringSubmatch(line); m != nil {
		switch m[1] {
		case "Resolved":
			u.phase = "downloading packages"
			return fmt.Sprintf("resolved %s %s", m[2], m[3])
		case "Prepared":
			u.phase = "installing packages"
			return fmt.Sprintf("downloaded %s %s in %s%s", m[2], m[3], m[4], u.volume(", %.0f MiB in %d large ones", u.total, u.files))
		case "Installed":
			u.phase = "compiling to bytecode"
			return fmt.Sprintf("installed %s %s", m[2], m[3])
		}
		return fmt.Sprintf("compiled %s %s", m[2], m[3])
	}
	if m := uvDownloading.FindStringSubmatch(line); m != nil {
		size, _ := strconv.ParseFloat(m[2], 64)
		switch m[3] {
		case "":
			size /= 1 << 20
		case "Ki":
			size /= 1 << 10
		case "Gi":
			size *= 1 << 10
		}
		if u.sizes == nil {
			u.sizes = map[string]float64{}
		}
		u.sizes[m[1]] = size
		u.total += size
		u.files++
		return ""
	}
	if m := uvDownloaded.FindStringSubmatch(line); m != nil {
		u.fetched += u.sizes[m[1]]
		u.arrived++
		return ""
	}
	if strings.HasPrefix(line, "warning: ") {
		return "uv: " + line
	}
	return ""
}

// status says what uv is doing.
func (u *uvOutput) status() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch u.phase {
	case "":
		return "resolving packages"
	case "downloading packages":
		return u.phase + u.volume(": %.0f of %.0f MiB, %d of %d large ones", u.fetched, u.total, u.arrived, u.files)
	}
	return u.phase
}

func (u *uvOutput) volume(format string, args ...any) string {
	if u.files == 0 {
		return ""
	}
	return fmt.Sprintf(format, args...)
}
