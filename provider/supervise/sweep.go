package supervise

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of a sweep. A killed process is gone within milliseconds unless the
// kernel is freeing its memory or it sits in uninterruptible I/O.
const (
	sweepPoll    = 5 * time.Millisecond
	sweepTimeout = 30 * time.Second
)

// Sweep kills every process of the cluster id, except the calling one, until
// none is left. A process belongs to the cluster if its environment carries the
// Marker, if it descends from such a process, or if its environment has been
// overwritten (programs that set their title do that) and it holds a file below
// dir open; dir may be empty. Only processes of the same user are looked at.
func Sweep(id, dir string) error {
	return sweep(func(ps procTable) []proc { return ps.marked(id, dir) })
}

// sweepDescendants kills the calling process's descendants until none is left,
// and with them what Sweep finds.
func sweepDescendants(id, dir string) error {
	return sweep(func(ps procTable) []proc {
		return append(ps.below(os.Getpid()), ps.marked(id, dir)...)
	})
}

// SweepGroup kills what is left of a driver's process group after its leader
// has ended. Another's group that has got the number since is left alone: only
// the cluster's processes are looked at.
func SweepGroup(id, dir string, group int) error {
	return sweep(func(ps procTable) []proc {
		var out []proc
		for _, p := range ps.marked(id, dir) {
			if p.group == group {
				out = append(out, p)
			}
		}
		return out
	})
}

func sweep(find func(procTable) []proc) error {
	deadline := time.Now().Add(sweepTimeout)
	killed := map[int]proc{}
	for {
		ps, err := readProcs()
		if err != nil {
			return err
		}
		found := ps.alive(find(ps))
		slices.SortFunc(found, proc.older) // parents first: they might act on the death of a child
		for _, p := range found {
			p.kill()
			killed[p.pid] = p
		}
		// One that is dying lets go of its environment, by which it was found, before
		// it lets go of its files and sockets.
		alive := ps.alive(slices.Collect(maps.Values(killed)))
		if len(alive) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes survive SIGKILL, the first is %d", len(alive), alive[0].pid)
		}
		time.Sleep(sweepPoll)
	}
}

// Processes lists the pids that Sweep would kill.
func Processes(id, dir string) ([]int, error) {
	ps, err := readProcs()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, p := range ps.alive(ps.marked(id, dir)) {
		pids = append(pids, p.pid)
	}
	return pids, nil
}

type proc struct {
	pid, ppid int
	group     int
	state     byte
	threads   string
	start     string // in clock ticks since boot: tells a pid's holders apart
}

// older orders processes by their start.
func (p proc) older(q proc) int {
	return cmp.Or(cmp.Compare(len(p.start), len(q.start)), cmp.Compare(p.start, q.start), cmp.Compare(p.pid, q.pid))
}

// ended reports whether the process only waits for its parent. While other
// threads are on their way out a process is not, whose first one is a zombie.
func (p proc) ended() bool { return p.state == 'Z' && (p.threads == "1" || p.threads == "0") }

// alive returns those that were seen, now or earlier, and have not ended.
func (ps procTable) alive(seen []proc) []proc {
	var out []proc
	for _, p := range seen {
		if now, ok := ps[p.pid]; ok && now.start == p.start && !now.ended() {
			out = append(out, p)
		}
	}
	return out
}

type procTable map[int]proc

func readProcs() (procTable, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	ps := procTable{}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readProc(pid); ok {
				ps[pid] = p
			}
		}
	}
	return ps, nil
}

// readProc parses /proc/PID/stat; the command's name in it may have anything in
// it, so fields count from its closing parenthesis.
func readProc(pid int) (proc, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return proc{}, false
	}
	i := bytes.LastIndexByte(b, ')')
	f := strings.Fields(string(b[i+1:]))
	if len(f) < 20 {
		return proc{}, false
	}
	ppid, err1 := strconv.Atoi(f[1])
	group, err2 := strconv.Atoi(f[2])
	if err1 != nil || err2 != nil {
		return proc{}, false
	}
	return proc{pid: pid, ppid: ppid, group: group, state: f[0][0], threads: f[17], start: f[19]}, true
}

// below returns the descendants of pid.
func (ps procTable) below(pid int) []proc {
	children := map[int][]proc{}
	for _, p := range ps {
		children[p.ppid] = append(children[p.ppid], p)
	}
	var out []proc
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		for _, p := range children[todo[0]] {
			out = append(out, p)
			todo = append(todo, p.pid)
		}
	}
	return out
}

func (ps procTable) marked(id, dir string) []proc {
	self := os.Getpid()
	var out []proc
	for _, p := range ps {
		if p.pid == self || p.ended() || !p.belongs(id, dir) {
			continue
		}
		out = append(out, p)
		for _, d := range ps.below(p.pid) {
			if d.pid != self {
				out = append(out, d)
			}
		}
	}
	return out
}

func (p proc) belongs(id, dir string) bool {
	thread := p.thread()
	// Only readable for processes of our own user (or for root).
	env, err := os.ReadFile(filepath.Join(thread, "environ"))
	if err != nil {
		return false
	}
	var st unix.Stat_t
	if unix.Stat(thread, &st) != nil || int(st.Uid) != os.Getuid() {
		return false
	}
	mark := []byte(Marker + "=" + id)
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(entry, mark) {
			return true
		}
	}
	overwritten := len(env) > 0 && env[0] == 0
	return overwritten && dir != "" && holdsFileBelow(filepath.Join(thread, "fd"), dir)
}

// thread is the folder in /proc of a thread that still has an environment and
// files: the first one may have ended before the others.
func (p proc) thread() string {
	first := "/proc/" + strconv.Itoa(p.pid)
	if p.state == 'Z' {
		others, _ := filepath.Glob(first + "/task/*")
		for _, other := range others {
			if filepath.Base(other) != strconv.Itoa(p.pid) {
				return other
			}
		}
	}
	return first
}

func holdsFileBelow(fds, dir string) bool {
	entries, err := os.ReadDir(fds)
	if err != nil {
		return false
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(fds, e.Name()))
		if err == nil && strings.HasPrefix(target, dir+"/") {
			return true
		}
	}
	return false
}

// kill sends SIGKILL to the process that was seen, not to one that has got its
// number since: the descriptor pins the process while its start is compared.
func (p proc) kill() {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, ok := readProc(p.pid); ok && now.start == p.start {
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}
