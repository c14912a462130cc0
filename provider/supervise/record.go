package supervise

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	remora "github.com/remora-project/remora"
	"golang.org/x/sys/unix"
)

// Record is what is known about a driver, in DIR/drivers.
type Record struct {
	V       int           `json:"v"` // 1
	ID      string        `json:"id"`
	Started time.Duration `json:"started"` // CLOCK_BOOTTIME, see Boot
	Boot    string        `json:"boot"`    // the kernel's boot id: Started means nothing after a reboot
	Exit    *remora.Exit  `json:"exit"`    // nil while it runs
}

func newRecord(driverID string) Record {
	return Record{V: 1, ID: driverID, Started: bootTime(), Boot: bootID()}
}

// elapsed is the time since the driver started, or that it took.
func (r Record) elapsed() time.Duration {
	if r.Exit != nil {
		return r.Exit.Elapsed
	}
	if r.Boot != bootID() {
		return 0
	}
	return bootTime() - r.Started
}

// recordPath hashes the id, which may have any characters in it.
func recordPath(dir, driverID string) string {
	return filepath.Join(dir, driversName, shortHash(driverID)[:24]+".json")
}

func (r Record) write(dir string) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writeDurably(recordPath(dir, r.ID), body)
}

func readRecord(dir, driverID string) (Record, error) {
	return parseRecord(recordPath(dir, driverID))
}

func parseRecord(path string) (Record, error) {
	var r Record
	body, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("read driver record %s: %w", path, err)
	}
	if r.V != 1 {
		return r, fmt.Errorf("read driver record %s: version %d is of a later release", path, r.V)
	}
	return r, nil
}

// readRecords returns all of a cluster's records. One that cannot be read is
// left out: nobody was told of what it says.
func readRecords(dir string) []Record {
	entries, err := os.ReadDir(filepath.Join(dir, driversName))
	if err != nil {
		return nil
	}
	var out []Record
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		if r, err := parseRecord(filepath.Join(dir, driversName, e.Name())); err == nil {
			out = append(out, r)
		}
	}
	return out
}

// bootTime is a clock that neither jumps nor stops: time since boot, suspends
// included, the same in every process.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("clock_gettime(CLOCK_BOOTTIME): " + err.Error()) // in Linux since 2.6.39
	}
	return time.Duration(ts.Nano())
}

func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
