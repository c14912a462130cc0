package providertest

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// noteSockets remembers which sockets a cluster listens on.
func (b *bed) noteSockets(id string) {
	pids, err := b.Processes(id)
	if err != nil {
		b.t.Errorf("list the processes of %s: %v", id, err)
	}
	listening := listeners()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pid := range pids {
		fds, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*")
		for _, fd := range fds {
			target, _ := os.Readlink(fd)
			inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
			if addr, ok := listening[inode]; ok {
				b.sockets[inode] = addr
			}
		}
	}
}

// listeners maps the inodes of all listening TCP sockets to their addresses, as
// the kernel prints them.
func listeners() map[string]string {
	out := map[string]string{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		for sc := bufio.NewScanner(f); sc.Scan(); {
			if f := strings.Fields(sc.Text()); len(f) > 9 && f[3] == "0A" { // TCP_LISTEN
				out[f[9]] = f[1]
			}
		}
		f.Close()
	}
	return out
}

// SharedMemory lists the files in /dev/shm that Ray may have made.
func SharedMemory() (names []string) {
	entries, _ := os.ReadDir("/dev/shm")
	for _, e := range entries {
		if strings.Contains(e.Name(), "plasma") || strings.Contains(e.Name(), "ray") {
			names = append(names, e.Name())
		}
	}
	return names
}

// SharedMemoryLeft returns those of SharedMemory that were not there before and
// do not go: others may be using it at this moment.
func SharedMemoryLeft(before []string) (left []string) {
	until(func() bool {
		left = slices.DeleteFunc(SharedMemory(), func(name string) bool { return slices.Contains(before, name) })
		return len(left) == 0
	})
	return left
}

// checkNothingLeft runs after a test has stopped its clusters.
func (b *bed) checkNothingLeft() {
	for _, id := range b.ids {
		if pids, err := b.Processes(id); err != nil || len(pids) > 0 {
			b.t.Errorf("processes %v of %s are left (%v)", pids, id, err)
		}
	}
	var open []string
	if !until(func() bool { // of who has just been killed by somebody else
		now := listeners()
		open = nil
		for inode, addr := range b.sockets {
			if now[inode] != "" {
				open = append(open, addr)
			}
		}
		return len(open) == 0
	}) {
		b.t.Errorf("sockets on %q are still listened on", open)
	}
	if left := SharedMemoryLeft(b.shm); len(left) > 0 {
		b.t.Errorf("shared memory is left: %q", left)
	}
	if exists(b.Dir) {
		var names []string
		filepath.WalkDir(b.Dir, func(path string, _ os.DirEntry, _ error) error {
			names = append(names, path)
			return nil
		})
		b.t.Errorf("files are left: %q", names)
	}
	if !b.tmpRay && exists("/tmp/ray") {
		b.t.Error("/tmp/ray has been made")
	}
}
