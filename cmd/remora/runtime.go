package main

import (
	"fmt"
	"os"

	"github.com/remora-project/remora/runtimes"
)

type runtimeCmd struct {
	List  runtimeListCmd  `cmd:"" default:"1" help:"List the runtimes that jobs can ask for."`
	Build runtimeBuildCmd `cmd:"" help:"Build a runtime now and print the path of its Python."`
}

type runtimeListCmd struct{}

func (runtimeListCmd) Run(s *scope) error {
	cache, err := s.runtimes()
	if err != nil {
		return err
	}
	for _, name := range cache.Names() {
		fmt.Println(name)
	}
	return nil
}

type runtimeBuildCmd struct {
	Name string `arg:"" help:"For example Ray2.60."`
}

func (c runtimeBuildCmd) Run(s *scope) error {
	cache, err := s.runtimes()
	if err != nil {
		return err
	}
	rt, err := cache.Ensure(s.ctx, c.Name, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return err
	}
	fmt.Println(rt.Python)
	return nil
}

func (s *scope) runtimes() (*runtimes.Cache, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return runtimes.Open(cfg.Runtime.CacheDir, runtimes.Options{Python: cfg.Runtime.Python, Logger: s.logger()})
}
