package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/remora-project/remora/internal/local"
	"github.com/remora-project/remora/modules"
)

type runCmd struct {
	Runtime string            `default:"Ray2.60" help:"Runtime to run on, see remora runtime list." placeholder:"NAME"`
	Pip     []string          `sep:"none" help:"Packages to put over the runtime: pip requirements, wheels and source distributions, separated by commas; can be given more than once." placeholder:"PACKAGES"`
	Engine  string            `enum:"ray" default:"ray" help:"Engine to run on: ray."`
	Env     map[string]string `mapsep:"none" help:"Environment variable for the script, as an argument of a job is one; can be given more than once." placeholder:"NAME=VALUE"`
	// One argument: between two, kong would take the script's flags for ours.
	Command []string `arg:"" name:"script.py" passthrough:"partial" help:"Python script, and its arguments."`
}

// Help says what the line on usage, which is kong's, leaves open.
func (runCmd) Help() string {
	return "remora run [flags] script.py [args]: what stands behind the script is for the script, flags too."
}

// Run ends the program by itself: its exit status is the script's.
func (c runCmd) Run(s *scope) error {
	signals := local.Signals()
	cfg, err := s.config()
	if err != nil {
		return err
	}
	script, args, err := c.script()
	if err != nil {
		return usageError{err}
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
		Program: self, Config: cfg, Runtime: c.Runtime, Packages: packages, Script: script, Args: args, Env: c.Env,
		Say: func(line string) { fmt.Fprintln(os.Stderr, "remora:", line) }, Signals: signals,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "remora:", message(err))
		status = max(status, exitFailed)
	}
	os.Exit(status)
	return nil
}

// script is the script and its arguments.
func (c runCmd) script() (script string, args []string, err error) {
	command := c.Command
	if command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return "", nil, errors.New("expected a script after --")
	}
	script = command[0]
	if strings.HasPrefix(script, "-") {
		return "", nil, fmt.Errorf("Python would take %s for a flag of its own: write ./%s", script, script)
	}
	info, err := os.Stat(script)
	if err != nil {
		return "", nil, fmt.Errorf("the script cannot be read: %w", err)
	}
	if info.IsDir() {
		return "", nil, fmt.Errorf("%s is a folder, not a script", script)
	}
	return script, command[1:], nil
}

// archive matches a file that can be installed by its path, which may stand
// behind "name @" or "name[extra] @".
var archive = regexp.MustCompile(`^(?:([A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*@)\s*)?(.+\.(?:whl|tar\.gz|zip))$`)

// packages resolves files against the working directory.
func (c runCmd) packages() (all []string, err error) {
	for _, list := range c.Pip {
		for _, p := range modules.SplitRequirements(list) {
			if m := archive.FindStringSubmatch(p); m != nil && !strings.Contains(m[2], ":/") {
				path, err := filepath.Abs(m[2])
				if err != nil {
					return nil, err
				}
				p = strings.TrimSpace(m[1] + " " + path)
			}
			all = append(all, p)
		}
	}
	return all, nil
}
