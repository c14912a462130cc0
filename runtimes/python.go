package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	remora "github.com/remora-project/remora"
)

// The interpreters that the locks are made for.
const oldestMinor, newestMinor = 10, 13

// python is what is known of an interpreter of the host.
type python struct {
	Executable     string `json:"executable"` // the real one: no link, no virtual environment, no pyenv shim
	Version        string `json:"version"`    // "3.11.7"
	Implementation string `json:"implementation"`
	ABI            string `json:"abi"`      // "cpython-311-x86_64-linux-gnu"
	Platform       string `json:"platform"` // "linux-x86_64"
	FreeThreaded   bool   `json:"freeThreaded"`
}

// probe runs under any Python, 2.7 included, so that the message can say what
// was found.
const probe = `import json, sys, sysconfig
print(json.dumps({
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "implementation": getattr(getattr(sys, "implementation", None), "name", "cpython"),
    "abi": sysconfig.get_config_var("SOABI") or "",
    "platform": sysconfig.get_platform(),
    "freeThreaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
}))`

func (p python) minor() string {
	parts := strings.SplitN(p.Version, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}

// unfit says why environments cannot be made from the interpreter; "" if they can.
func (p python) unfit() string {
	minor, err := strconv.Atoi(strings.TrimPrefix(p.minor(), "3."))
	switch {
	case p.Implementation != "cpython":
		return "is " + p.Implementation + " " + p.Version + ", not CPython"
	case err != nil || minor < oldestMinor || minor > newestMinor:
		return "is Python " + p.Version
	case p.FreeThreaded:
		return "is the free-threaded build of Python " + p.Version + ", which Ray does not support"
	}
	return ""
}

// pythons finds the interpreter to use. Asking an interpreter what it is takes
// a process; the answers are kept in a file, for as long as neither the
// path that was asked nor the interpreter behind it changes.
type pythons struct {
	wanted string // Options.Python
	notes  string // path of the file

	mu     sync.Mutex
	chosen *note
}

// note is an answer and what it depends on.
type note struct {
	Path   string   `json:"path"`
	Python python   `json:"python"`
	Stamps []string `json:"stamps"` // of Path and of Python.Executable
}

func (n note) current() bool {
	return len(n.Stamps) == 2 && stamp(n.Path) == n.Stamps[0] && stamp(n.Python.Executable) == n.Stamps[1]
}

// stamp changes when a file does; "" if it is not there.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())
}

// choose returns the interpreter to use.
func (ps *pythons) choose(ctx context.Context) (python, error) {
	const op = "runtimes: find python"
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.chosen != nil && ps.chosen.current() {
		return ps.chosen.Python, nil
	}
	if ps.wanted != "" {
		n, err := ps.ask(ctx, ps.wanted)
		if err != nil {
			return python{}, remora.Invalidf(op, ps.wanted, "use %s as the Python of runtimes: %w", ps.wanted, err)
		}
		if why := n.Python.unfit(); why != "" {
			return python{}, remora.Invalidf(op, ps.wanted, "%s %s; runtimes need CPython 3.%d to 3.%d",
				ps.wanted, why, oldestMinor, newestMinor)
		}
		ps.chosen = &n
		return n.Python, nil
	}
	var found []string
	for _, name := range candidates() {
		n, err := ps.ask(ctx, name)
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				return python{}, remora.Unavailablef(op, name, "look for a Python: %w", context.Cause(ctx))
			}
			found = append(found, fmt.Sprintf("%s does not run (%v)", name, err))
			continue
		}
		if why := n.Python.unfit(); why != "" {
			found = append(found, n.Path+" "+why)
			continue
		}
		ps.chosen = &n
		return n.Python, nil
	}
	seen := "there is none on PATH"
	if len(found) > 0 {
		seen = "found on PATH: " + strings.Join(found, "; ")
	}
	return python{}, remora.Unavailablef(op, "",
		"runtimes need CPython 3.%d to 3.%d, and %s. Install one (Debian, Ubuntu: apt install python3 python3-pip; "+
			"Fedora: dnf install python3 python3-pip) or name the path of one in Remora's configuration",
		oldestMinor, newestMinor, seen)
}

func candidates() []string {
	names := []string{"python3"}
	for minor := newestMinor; minor >= oldestMinor; minor-- {
		names = append(names, fmt.Sprintf("python3.%d", minor))
	}
	return names
}

// ask says what the interpreter of a path or name is, from the notes if they
// know it.
func (ps *pythons) ask(ctx context.Context, name string) (note, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return note{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return note{}, err
	}
	notes := ps.read()
	for _, n := range notes {
		if n.Path == path && n.current() {
			return n, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p := process{argv: []string{path, "-c", probe}, env: cleanEnviron(os.Environ())}
	out, err := p.run(ctx)
	if err != nil {
		return note{}, err
	}
	n := note{Path: path}
	if err := json.Unmarshal(out, &n.Python); err != nil {
		return note{}, fmt.Errorf("read what it says of itself, %q: %w", out, err)
	}
	real, err := filepath.EvalSymlinks(n.Python.Executable)
	if err != nil {
		return note{}, fmt.Errorf("find its executable: %w", err)
	}
	n.Python.Executable = real
	n.Stamps = []string{stamp(path), stamp(real)}
	ps.write(notes, n)
	return n, nil
}

// read returns what is noted; a file that cannot be read holds nothing.
func (ps *pythons) read() []note {
	var notes []note
	data, err := os.ReadFile(ps.notes)
	if err != nil || json.Unmarshal(data, &notes) != nil {
		return nil
	}
	return notes
}

// write adds a note. Nothing depends on its success: it saves a process.
func (ps *pythons) write(notes []note, n note) {
	kept := []note{n}
	for _, old := range notes {
		if old.Path != n.Path && old.current() {
			kept = append(kept, old)
		}
	}
	if data, err := json.MarshalIndent(kept, "", "  "); err == nil {
		_ = replaceFile(ps.notes, append(data, '\n'))
	}
}
