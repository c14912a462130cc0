package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/remora-project/remora/internal/local"
	"github.com/remora-project/remora/modules"
)

type runCmd struct {
	Runtime string            `default:"Ray2.60" help:"Runtime to run on, see remora runtime list." placeholder:"NAME"`
	Pip     []string          `sep:"none" help:"Packages to put over the runtime: pip requirements, separated by commas, or wheels; can be given more than once." placeholder:"PACKAGES"`
	Engine  string            `enum:"ray" default:"ray" help:"Engine to run on: ray."`
	Env     map[string]string `mapsep:"none" help:"Environment variable for the script, as an argument of a job is one; can be given more than once." placeholder:"NAME=VALUE"`
	Script  string            `arg:"" help:"Python script."`
	Args    []string          `arg:"" optional:"" passthrough:"" help:"Its arguments."`
}

// Run ends the program by itself: its exit status is the script's.
func (c runCmd) Run(s *scope) error {
	signals := local.Signals()
	cfg, err := s.config()
	if err != nil {
		return err
	}
	info, err := os.Stat(c.Script)
	if err != nil {
		return usageError{fmt.Errorf("the script cannot be read: %w", err)}
	}
	if info.IsDir() {
		return usageError{fmt.Errorf("%s is a folder, not a script", c.Script)}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the remora program, to start the cluster with: %w", err)
	}
	packages, err := c.packages()
	if err != nil {
		return err
	}
	status, err := local.Run(s.base, local.Options{
		Program: self, Config: cfg, Runtime: c.Runtime, Packages: packages, Script: c.Script, Args: c.Args, Env: c.Env,
		Say: func(line string) { fmt.Fprintln(os.Stderr, "remora:", line) }, Signals: signals,
	})
	if errors.Is(err, local.ErrInterrupted) {
		os.Exit(exitInterrupted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "remora:", message(err))
		status = max(status, exitFailed)
	}
	os.Exit(status)
	return nil
}

// packages resolves wheels against the working directory.
func (c runCmd) packages() (all []string, err error) {
	for _, list := range c.Pip {
		for _, p := range modules.SplitRequirements(list) {
			if strings.HasSuffix(p, ".whl") && !strings.Contains(p, "://") {
				if p, err = filepath.Abs(p); err != nil {
					return nil, err
				}
			}
			all = append(all, p)
		}
	}
	return all, nil
}
