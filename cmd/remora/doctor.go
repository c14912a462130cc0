package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"runtime"

	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/server"
	"github.com/remora-project/remora/runtimes"
	"golang.org/x/sys/unix"
)

type doctorCmd struct{}

// finding is the result of one check.
type finding struct {
	name   string
	ok     bool
	what   string // what was found
	advice string // what to do if it is not ok
}

// What a run of a job needs at the least.
const (
	wantMemory = 4 << 30 // a head and two workers of Ray take about 1.5 GiB before the script has anything
	wantDisk   = 2 << 30
	wantShm    = 256 << 20
	wantFiles  = 4096
)

// Run prints every check; it fails if one of them does.
func (doctorCmd) Run(s *scope) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	dir, err := s.dataDir()
	if err != nil {
		return err
	}
	findings := []finding{
		checkPython(s.ctx, cfg),
		checkMemory(),
		checkDisk("data directory", dir),
		checkDisk("environment cache", cfg.Runtime.CacheDir),
		checkShm(),
		checkFiles(),
	}
	findings = append(findings, checkPorts(cfg, dir)...)
	bad := 0
	for _, f := range findings {
		mark := "ok  "
		if !f.ok {
			mark = "FAIL"
			bad++
		}
		fmt.Printf("%s  %-18s %s\n", mark, f.name, f.what)
		if !f.ok {
			fmt.Printf("      %-18s %s\n", "", f.advice)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks failed", bad, len(findings))
	}
	return nil
}

func checkPython(ctx context.Context, cfg config.Config) finding {
	f := finding{name: "Python", advice: "install CPython 3.10 to 3.13 with its venv and pip modules, or set [runtime] python in the configuration"}
	cache, err := runtimes.Open(cfg.Runtime.CacheDir, runtimes.Options{Python: cfg.Runtime.Python})
	if err == nil {
		f.what, err = cache.Interpreter(ctx)
	}
	if err != nil {
		f.what = message(err)
	}
	f.ok = err == nil
	return f
}

func checkMemory() finding {
	total := server.HostMemory()
	return finding{name: "memory", ok: total >= wantMemory, what: gib(total) + fmt.Sprintf(", %d CPUs", runtime.NumCPU()),
		advice: "a cluster of Ray wants " + gib(wantMemory) + " or more; give jobs few workers on this machine"}
}

// checkDisk looks at the file system that a folder is on, or would be on.
func checkDisk(name, dir string) finding {
	f := finding{name: name, advice: "free some space, or choose another folder (--data-dir, [runtime] cache_dir)"}
	at := dir
	var st unix.Statfs_t
	for err := unix.Statfs(at, &st); err != nil; err = unix.Statfs(at, &st) {
		parent := filepath.Dir(at)
		if !errors.Is(err, fs.ErrNotExist) || parent == at {
			f.what = err.Error()
			return f
		}
		at = parent
	}
	free := int64(st.Bavail) * st.Bsize
	f.what = fmt.Sprintf("%s, %s free", dir, gib(free))
	if err := unix.Access(at, unix.W_OK); err != nil {
		f.what, f.advice = dir+" cannot be written", "choose a folder that you own"
		return f
	}
	f.ok = free >= wantDisk
	return f
}

func checkShm() finding {
	f := finding{name: "shared memory", advice: "mount a larger tmpfs on /dev/shm (in a container: --shm-size); Ray's object store is slow without"}
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil {
		f.what = "/dev/shm: " + err.Error()
		return f
	}
	size := int64(st.Blocks) * st.Bsize
	f.ok, f.what = size >= wantShm, "/dev/shm of "+gib(size)
	return f
}

func checkFiles() finding {
	f := finding{name: "open files", advice: "raise the limit: ulimit -n 65536, or LimitNOFILE= in the service's unit"}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		f.what = err.Error()
		return f
	}
	f.ok, f.what = lim.Max >= wantFiles, fmt.Sprintf("limit %d", lim.Max)
	return f
}

func checkPorts(cfg config.Config, dir string) []finding {
	if ready, ok := server.Running(dir); ok {
		return []finding{{name: "server", ok: true, what: fmt.Sprintf("running at %s and %s (process %d)", ready.Endpoint, ready.S3Endpoint, ready.PID)}}
	}
	addrs := map[string]string{"API port": cfg.Server.Listen}
	if cfg.S3.Endpoint == "" {
		addrs["S3 port"] = cfg.Server.S3Listen
	}
	var out []finding
	for _, name := range []string{"API port", "S3 port"} {
		addr, ok := addrs[name]
		if !ok {
			continue
		}
		f := finding{name: name, ok: true, what: addr + " is free", advice: "choose another with --listen and --s3-listen; port 0 takes a free one"}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			f.ok, f.what = false, err.Error()
		} else {
			l.Close()
		}
		out = append(out, f)
	}
	return out
}

func gib(b int64) string { return fmt.Sprintf("%.1f GiB", float64(b)/(1<<30)) }
