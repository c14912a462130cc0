package runtimes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	remora "github.com/remora-project/remora"
)

// overlayBuilder is part of every overlay's key, as builder is of a runtime's.
const overlayBuilder = "2"

// site is the directory in an overlay that is put before the runtime's modules.
const site = "site"

// Overlay returns the named runtime with packages put over it, installing them
// if nobody has asked for the same before. The runtime itself stays as it is:
// of packages that both have, programs that use what is returned see the
// overlay's. A requirement is pip's: a name with extras, conditions on the
// version and a marker, or a wheel or source distribution as the absolute path
// or file URL of a file that is there; no options, no other URLs. What the
// runtime has and satisfies a requirement is not installed again; what was not
// asked for by name keeps the runtime's version, unless there is no solution
// with it. What a range of versions gave first it gives for as long as the
// overlay is kept. progress hears which of the runtime's packages are replaced,
// each time.
//
// The packages that the runtime is named for, Ray above all, cannot be
// replaced. An overlay is a directory on PYTHONPATH: .pth files in it do
// nothing.
//
// Errors: Invalid if there is no such runtime, a requirement is none, does not
// exist, contradicts others or replaces Ray, or a file is damaged; Unavailable
// if the index cannot be reached or the disk is full. progress and ctx are
// as in Ensure. An overlay that is there costs no process.
func (c *Cache) Overlay(ctx context.Context, name string, requirements []string, progress func(line string)) (remora.Runtime, error) {
	const op = "runtimes: overlay"
	rt, err := c.Ensure(ctx, name, progress)
	if err != nil || len(requirements) == 0 {
		return rt, err
	}
	if progress == nil {
		progress = func(string) {}
	}
	wanted, sum, err := parseSpecifications(requirements)
	if err != nil {
		return remora.Runtime{}, err
	}
	recipe := c.catalog[name]
	for _, r := range wanted {
		if v, ok := recipe.versions[r.name]; ok && r.path != "" {
			return remora.Runtime{}, replaces(name, r.name, v, r.String(), nil)
		}
	}
	key := "overlay-" + digest(overlayBuilder, filepath.Base(rt.Dir), sum)
	dir := filepath.Join(c.dir, key)
	var m overlay
	whole := func() (err error) {
		m, err = readOverlay(dir)
		return err
	}
	if err = c.use(key, whole); err != nil {
		err = c.makeOverlay(ctx, rt, key, recipe, wanted, progress)
		if err == nil {
			err = c.use(key, whole)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return remora.Runtime{}, remora.Unavailablef(op, name, "install packages: %w", context.Cause(ctx))
		}
		var e *remora.Error
		if !errors.As(err, &e) {
			err = remora.Unavailablef(op, name, "install packages: %w", err)
		}
		return remora.Runtime{}, err
	}
	for _, n := range m.Notices {
		progress(n)
	}
	if len(m.Packages) == 0 {
		return rt, nil
	}
	return c.over(rt, key), nil
}

// makeOverlay lets the overlay key be built, by this call or by another one of
// this process or others. The runtime below it is in use meanwhile.
func (c *Cache) makeOverlay(ctx context.Context, rt remora.Runtime, key string, r *recipe, wanted []specification, progress func(string)) error {
	base := filepath.Base(rt.Dir)
	if f, err := c.mark(base); err == nil {
		defer f.Close()
	}
	// Only those share a build whose files are the same ones, and not just equal:
	// the folder that a file is in may go with the run that it was for. Of the
	// others the lock lets one build, and the next finds the overlay there.
	shared := key
	for _, w := range wanted {
		if w.path != "" {
			shared += "\x00" + w.path
		}
	}
	err := c.join(ctx, shared, progress, func(ctx context.Context, emit func(string)) error {
		return c.buildOverlay(ctx, rt, key, r, wanted, emit)
	})
	if err != nil {
		return err
	}
	return c.use(base, func() error {
		_, err := readManifest(rt.Dir)
		return err
	})
}

// over is a runtime with an overlay's packages before its own.
func (c *Cache) over(rt remora.Runtime, key string) remora.Runtime {
	dir := filepath.Join(c.dir, key, site)
	rt.Env = maps.Clone(rt.Env)
	rt.Env["PATH"] = filepath.Join(dir, "bin") + string(os.PathListSeparator) + rt.Env["PATH"]
	rt.Path = append([]string{dir}, rt.Path...)
	rt.Locks = append(slices.Clone(rt.Locks), c.usedPath(key))
	return rt
}

// overlay describes an overlay; it is the file manifestName in its root.
type overlay struct {
	Overlay      bool      `json:"overlay"`
	Runtime      string    `json:"runtime"` // the name that it was first asked for by
	Base         string    `json:"base"`    // key of the runtime's environment
	Requirements []string  `json:"requirements"`
	Notices      []string  `json:"notices,omitempty"` // for the log of everyone who uses it
	Builder      string    `json:"builder"`
	UV           string    `json:"uv"`
	BuiltAt      time.Time `json:"builtAt"`
	Seconds      float64   `json:"seconds"` // that it took
	stock
}

// readOverlay returns the manifest of the overlay in dir. It fails if it is not
// there or packages are gone. It does not read every file.
func readOverlay(dir string) (overlay, error) {
	var m overlay
	if err := loadManifest(dir, &m); err != nil {
		return m, err
	}
	if !m.Overlay || len(m.Records) != len(m.Packages) {
		return m, errors.New(manifestName + " is not that of an overlay")
	}
	return m, m.present(dir)
}

// write takes stock of the overlay in dir and writes its manifest.
func (m overlay) write(dir string) error {
	var err error
	if m.stock, err = takeStock(dir, site+"/*.dist-info/RECORD"); err != nil {
		return fmt.Errorf("take stock of the packages: %w", err)
	}
	return storeManifest(dir, m)
}
