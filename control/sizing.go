package control

import (
	"fmt"
	"strings"

	"github.com/remora-project/remora"
)

// WorkerType is what a node of a type has, and what it costs.
type WorkerType struct {
	CPUs        int
	MemoryBytes int64
	DPU         float64 // (M-)DPU per worker
}

// Sizing turns worker types into nodes that fit this host.
type Sizing struct {
	Types      map[string]WorkerType
	HostCPUs   int
	HostMemory int64 // bytes that clusters may use
	HostShm    int64 // bytes of /dev/shm
}

const (
	// storeShare is the part of a node's memory that Ray gives to its object store
	// by default.
	storeShare = 0.30
	// hostShare leaves room for the control plane and for the processes of Ray
	// itself, which its memory figures do not count.
	hostShare = 0.80
	// minStore is the smallest object store that Ray accepts.
	minStore = 80 << 20
)

// Nodes returns the sizes of a head and of each of the workers. storeHead and
// storeWorker are the object store's part of memory in per cent, 0 for the
// default. note says so if the host is smaller than the type asks for.
//
// The head offers no CPUs, so that tasks run on workers and a cluster's CPUs are
// what its workers are: the driver and Ray's own services have the head. A
// worker's CPUs are Ray's logical ones: workers on one host share its cores, so
// each may offer all of them, but no more than there are. Memory is shared out.
func (s Sizing) Nodes(workerType string, workers, storeHead, storeWorker int) (head, worker remora.NodeSize, note string) {
	t := s.Types[workerType]
	cpus := min(t.CPUs, max(s.HostCPUs, 1))
	memory := t.MemoryBytes
	if share := int64(float64(s.HostMemory) * hostShare / float64(workers+1)); share < memory {
		memory = share
	}
	shm := s.HostShm * 9 / 10 / int64(workers+1)
	head = split(0, memory, shm, storeHead)
	worker = split(cpus, memory, shm, storeWorker)
	if cpus < t.CPUs || memory < t.MemoryBytes {
		note = fmt.Sprintf("%s is %d vCPU and %s; this machine has %d CPUs and %s, so each of the %d workers gets %d CPUs "+
			"(shared with the others) and %s, of which %s are object store",
			workerType, t.CPUs, gib(t.MemoryBytes), s.HostCPUs, gib(s.HostMemory), workers, cpus, gib(memory), gib(worker.ObjectStore))
	}
	return head, worker, note
}

// Single is one node that has the host to itself, its driver included.
func (s Sizing) Single() remora.NodeSize {
	return split(max(s.HostCPUs, 1), int64(float64(s.HostMemory)*hostShare), s.HostShm*9/10, 0)
}

func split(cpus int, memory, shm int64, storePercent int) remora.NodeSize {
	share := storeShare
	if storePercent > 0 {
		share = float64(storePercent) / 100
	}
	store := int64(float64(memory) * share)
	if shm > 0 {
		store = min(store, shm)
	}
	store = max(store, minStore)
	return remora.NodeSize{CPUs: cpus, MemoryBytes: max(memory-store, minStore), ObjectStore: store}
}

func gib(b int64) string {
	s := fmt.Sprintf("%.1f", float64(b)/(1<<30))
	return strings.TrimSuffix(s, ".0") + " GiB"
}
