package server

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/internal/config"
	"golang.org/x/sys/unix"
)

// HostMemory is what processes of this host may use, in bytes: the smaller of
// what there is and what the control group allows.
func HostMemory() int64 {
	total := memTotal()
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && n < total {
			total = n
		}
	}
	return total
}

func memTotal() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 8 << 30
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int64
		if _, err := fmt.Sscanf(s.Text(), "MemTotal: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 8 << 30
}

// HostSizing is what this host has for clusters.
func HostSizing(types map[string]config.WorkerType) control.Sizing {
	return control.Sizing{Types: workerTypes(types), HostCPUs: runtime.NumCPU(), HostMemory: HostMemory(), HostShm: hostShm()}
}

// hostShm is the size of the file system for shared memory; 0 if there is none.
func hostShm() int64 {
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil {
		return 0
	}
	return int64(st.Blocks) * st.Bsize
}
