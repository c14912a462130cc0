package supervise

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// Memory is the proportional size of all processes of a cluster, in bytes: what
// several share is counted once in all.
func Memory(id, dir string) int64 {
	pids, err := Processes(id, dir)
	if err != nil {
		return 0
	}
	var total int64
	for _, pid := range pids {
		total += proportional(pid)
	}
	return total
}

// proportional reads a process's Pss (proc_pid_smaps_rollup); 0 if it has ended.
func proportional(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int64
		if rest, ok := strings.CutPrefix(s.Text(), "Pss:"); ok {
			fmt.Sscanf(rest, "%d kB", &kib)
			return kib << 10
		}
	}
	return 0
}
