package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/runtimes"
)

type runtimeCmd struct {
	List    runtimeListCmd    `cmd:"" default:"1" help:"List the runtimes that jobs can ask for, and what is kept on disk."`
	Build   runtimeBuildCmd   `cmd:"" help:"Build a runtime now and print the path of its Python."`
	Prune   runtimePruneCmd   `cmd:"" help:"Remove runtimes and job packages that have not been used for long, or are too much."`
	Overlay runtimeOverlayCmd `cmd:"" hidden:"" help:"Put packages over a runtime; called by clusters."`
}

type runtimeListCmd struct{}

func (runtimeListCmd) Run(s *scope) error {
	cache, err := s.runtimes()
	if err != nil {
		return err
	}
	entries, err := cache.List(s.ctx)
	if err != nil {
		return err
	}
	fmt.Printf("runtimes: %s\n\n", strings.Join(cache.Names(), ", "))
	if len(entries) == 0 {
		fmt.Println("nothing has been built yet; a runtime is built when it is first used")
		return nil
	}
	var total int64
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tSIZE\tLAST USED\tWHAT")
	for _, e := range entries {
		total += e.Bytes
		used := e.LastUsed.Local().Format("2006-01-02 15:04")
		if e.InUse {
			used = "now"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", e.Key, config.Bytes(e.Bytes), used, describe(e))
	}
	fmt.Fprintf(w, "\t%s\t\tin all; files that are shared with uv's cache are counted\n", config.Bytes(total))
	return w.Flush()
}

// describe says what an entry is for.
func describe(e runtimes.Entry) string {
	switch e.Kind {
	case "overlay":
		return fmt.Sprintf("over %s: %s", e.Runtime, strings.Join(e.Requirements, ", "))
	case "layer":
		return "Remora's own part of " + e.Runtime
	default:
		return e.Runtime
	}
}

type runtimeBuildCmd struct {
	Name string `arg:"" help:"For example Ray2.60; or notebook, for remora notebook."`
}

func (c runtimeBuildCmd) Run(s *scope) error {
	cache, err := s.runtimes()
	if err != nil {
		return err
	}
	say := func(line string) { fmt.Fprintln(os.Stderr, line) }
	var rt remora.Runtime
	if c.Name == runtimes.Notebook {
		rt, err = cache.Notebook(s.ctx, say)
	} else {
		rt, err = cache.Ensure(s.ctx, c.Name, say)
	}
	if err != nil {
		return err
	}
	fmt.Println(rt.Python)
	return nil
}

type runtimePruneCmd struct {
	UnusedFor time.Duration `help:"Remove what was not used for so long (default: runtime.unused_for of the configuration)." placeholder:"DURATION"`
	MaxSize   config.Bytes  `help:"Then remove the least recently used until the rest is no larger (default: runtime.max_size of the configuration)." placeholder:"SIZE"`
	All       bool          `help:"Remove everything that is not in use."`
}

func (c runtimePruneCmd) Run(s *scope) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	cache, err := s.runtimes()
	if err != nil {
		return err
	}
	opts := runtimes.PruneOptions{OlderThan: c.UnusedFor, MaxBytes: int64(c.MaxSize)}
	switch {
	case c.All && (c.UnusedFor != 0 || c.MaxSize != 0):
		return usageError{fmt.Errorf("--all leaves no choice for --unused-for and --max-size")}
	case c.All:
		opts.OlderThan = 1
	case c.UnusedFor == 0 && c.MaxSize == 0:
		opts = runtimes.PruneOptions{OlderThan: time.Duration(cfg.Runtime.UnusedFor), MaxBytes: int64(cfg.Runtime.MaxSize)}
	}
	removed, err := cache.Prune(s.ctx, opts)
	var total int64
	for _, e := range removed {
		total += e.Bytes
		fmt.Printf("removed %s (%s): %s\n", e.Key, config.Bytes(e.Bytes), describe(e))
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d removed, %s; what is in use, or was within the last ten minutes, stays\n", len(removed), config.Bytes(total))
	return nil
}

// runtimeOverlayCmd is ray.OverlayCommand. It prints nothing but the result, or
// the error: Ray shows that to the script.
type runtimeOverlayCmd struct {
	CacheDir string `required:"" type:"path" help:"Folder of runtimes."`
	Python   string `help:"Interpreter that they are built on."`
	Name     string `arg:"" help:"Runtime."`
}

func (c runtimeOverlayCmd) Run(s *scope) error {
	var requirements []string
	if err := json.NewDecoder(os.Stdin).Decode(&requirements); err != nil {
		return usageError{fmt.Errorf("read a JSON list of requirements from standard input: %w", err)}
	}
	cache, err := runtimes.Open(c.CacheDir, runtimes.Options{Python: c.Python})
	if err != nil {
		return err
	}
	base, err := cache.Ensure(s.ctx, c.Name, nil)
	if err != nil {
		return err
	}
	rt, err := cache.Overlay(s.ctx, c.Name, requirements, nil)
	if err != nil {
		return err
	}
	over := struct {
		Path  []string `json:"path"`
		Bin   []string `json:"bin"`
		Locks []string `json:"locks"`
	}{rt.Path[:len(rt.Path)-len(base.Path)], []string{}, rt.Locks[len(base.Locks):]}
	for _, p := range over.Path {
		over.Bin = append(over.Bin, filepath.Join(p, "bin"))
	}
	return json.NewEncoder(os.Stdout).Encode(over)
}

func (s *scope) runtimes() (*runtimes.Cache, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return runtimes.Open(cfg.Runtime.CacheDir, runtimes.Options{Python: cfg.Runtime.Python})
}
