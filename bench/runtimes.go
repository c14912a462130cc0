package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/runtimes"
)

// small is a package of Python alone that needs no other.
const small = "humanize==4.9.0"

// benchRuntimes measures how long environments take to build when the packages
// are in uv's cache. The peers are uv and pip by hand, which neither check,
// nor share, nor survive a crash.
func benchRuntimes(ctx context.Context) error {
	cfg, err := config.Default()
	if err != nil {
		return err
	}
	// On the file system of the real ones, which is uv's cache's as a rule.
	dir, err := os.MkdirTemp(filepath.Dir(cfg.Runtime.CacheDir), "bench-runtimes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cache, err := runtimes.Open(dir, runtimes.Options{})
	if err != nil {
		return err
	}
	rt, err := cache.Ensure(ctx, "Ray2.60", nil) // fills uv's cache and gets uv, which is not measured
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "uv-*", "bin", "uv"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("find uv in %s: %v, %w", dir, found, err)
	}
	uv := found[0]

	var build, byUV, first, second, targetUV, targetPip sample
	peer := filepath.Join(dir, "peer")
	for range *repeats {
		if err := os.RemoveAll(rt.Dir); err != nil {
			return err
		}
		if err := timed(&build, func() error { _, err := cache.Ensure(ctx, "Ray2.60", nil); return err }); err != nil {
			return err
		}
		lock := filepath.Join("runtimes", "ray2.60.lock")
		if err := timed(&byUV, func() error {
			return errors.Join(call(ctx, uv, "venv", "--quiet", "--python", rt.Python, peer),
				call(ctx, uv, "pip", "sync", "--quiet", "--require-hashes", "--no-build", "--compile-bytecode", "--python", peer, lock))
		}); err != nil {
			return err
		}
		if err := removeOverlays(dir, peer); err != nil {
			return err
		}
		overlay := func() error { _, err := cache.Overlay(ctx, "Ray2.60", []string{small}, nil); return err }
		if err := errors.Join(timed(&first, overlay), timed(&second, overlay)); err != nil {
			return err
		}
		target := filepath.Join(dir, "target")
		if err := timed(&targetUV, func() error {
			return call(ctx, uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", rt.Python, "--target", target, small)
		}); err != nil {
			return err
		}
		if err := os.RemoveAll(target); err != nil {
			return err
		}
		if err := timed(&targetPip, func() error {
			return call(ctx, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", target, small)
		}); err != nil {
			return err
		}
		if err := os.RemoveAll(target); err != nil {
			return err
		}
	}
	ten, builds, err := tenAtOnce(ctx, dir)
	if err != nil {
		return err
	}
	version, err := exec.CommandContext(ctx, uv, "--version").Output()
	if err != nil {
		return err
	}
	row := func(name string, s sample, against sample) []string {
		return []string{name, secs(s.at(0.5)), secs(s.at(0)), secs(s.at(1)), fmt.Sprintf("%.2f", float64(s.at(0.5))/float64(against.at(0.5)))}
	}
	table(fmt.Sprintf("Environments, packages in the cache of %s, %d times: seconds", strings.TrimSpace(string(version)), *repeats),
		[]string{"", "median", "least", "most", "to uv by hand"},
		row("runtime Ray2.60, built", build, byUV),
		row("peer: uv venv, uv pip sync", byUV, byUV),
		row("overlay of "+small+", first", first, targetUV),
		row("peer: uv pip install --target", targetUV, targetUV),
		row("peer: pip install --target", targetPip, targetUV),
	)
	table("The same overlay again, and ten who ask for a new one at once",
		[]string{"", "median", "least", "most"},
		[]string{"second time, ms", ms(second.at(0.5)), ms(second.at(0)), ms(second.at(1))},
		[]string{"ten at once, ms", ms(ten.at(0.5)), ms(ten.at(0)), ms(ten.at(1))},
	)
	fmt.Printf("\nten at once built it %d times\n", builds)
	return nil
}

// timed adds what f takes to s.
func timed(s *sample, f func() error) error {
	start := time.Now()
	err := f()
	*s = append(*s, time.Since(start))
	return err
}

func call(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// removeOverlays removes every overlay, and another folder.
func removeOverlays(dir, other string) error {
	found, err := filepath.Glob(filepath.Join(dir, "overlay-*"))
	for _, path := range append(found, other) {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// tenAtOnce lets ten ask for a new overlay at the same time, each with a cache
// of its own as processes have, and counts how many built it.
func tenAtOnce(ctx context.Context, dir string) (took sample, builds int, err error) {
	if err := removeOverlays(dir, ""); err != nil {
		return nil, 0, err
	}
	var count atomic.Int32
	var all sync.WaitGroup
	results := make(chan error, 10)
	durations := make(chan time.Duration, 10)
	start := make(chan struct{})
	for range 10 {
		cache, err := runtimes.Open(dir, runtimes.Options{})
		if err != nil {
			return nil, 0, err
		}
		all.Go(func() {
			<-start
			began := time.Now()
			first := "" // who builds says so; who follows another's build hears that first
			_, err := cache.Overlay(ctx, "Ray2.60", []string{small}, func(line string) { first = cmp.Or(first, line) })
			if strings.HasPrefix(first, "installing") {
				count.Add(1)
			}
			durations <- time.Since(began)
			results <- err
		})
	}
	close(start)
	all.Wait()
	for range 10 {
		err = errors.Join(err, <-results)
		took = append(took, <-durations)
	}
	return took, int(count.Load()), err
}
