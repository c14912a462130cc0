package modules

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remora-project/remora"
)

// Stage gets environments ready.
type Stage struct {
	Runtimes remora.Runtimes
	Blobs    remora.Blobs // may be nil where nothing is wanted from S3
}

// Ready is an environment that a job's processes can use.
type Ready struct {
	Runtime    remora.Runtime `json:"runtime"`
	WorkingDir string         `json:"workingDir"` // "" if the job wants none
}

// readyName is the file in a stage's folder that says what is in it.
const readyName = "ready.json"

// Prepare gets the named runtime ready together with what w asks for. What
// does not belong into the runtimes' cache goes into dir, which is the job's
// own: what was there before is removed. progress gets lines for a person.
//
// Errors are *remora.Error with the address or requirement that they are
// about, and otherwise in the words of who found out: S3, the rules of package
// archive, the resolver. dir may then hold a part.
func (s Stage) Prepare(ctx context.Context, runtime string, w Wants, dir string, progress func(line string)) (Ready, error) {
	const op = "modules: prepare"
	if err := os.RemoveAll(dir); err != nil {
		return Ready{}, remora.Unavailablef(op, dir, "clear the job's folder of modules: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Ready{}, remora.Unavailablef(op, dir, "make the job's folder of modules: %w", err)
	}
	if !w.empty() {
		progress("getting " + w.String())
	}
	p := &preparation{Stage: s, runtime: runtime, dir: dir, tops: map[string]string{}, brought: map[string]bool{}}
	err := p.collect(ctx, w)
	if err != nil {
		return Ready{}, err
	}
	r := Ready{WorkingDir: p.workingDir}
	if r.Runtime, err = s.Runtimes.Overlay(ctx, runtime, p.packages, progress); err != nil {
		return Ready{}, err
	}
	r.Runtime.Path = append(p.path, r.Runtime.Path...)
	if err := os.RemoveAll(p.objects()); err != nil { // overlays are copies
		return Ready{}, remora.Unavailablef(op, dir, "remove what is not needed any more: %w", err)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return Ready{}, remora.Internalf(op, dir, "encode the environment: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, readyName), body, 0o600); err != nil {
		return Ready{}, remora.Unavailablef(op, dir, "note that the environment is ready: %w", err)
	}
	return r, nil
}

// Load returns what Prepare has made in dir. NotFound if it has not finished.
func Load(dir string) (Ready, error) {
	const op = "modules: load"
	var r Ready
	body, err := os.ReadFile(filepath.Join(dir, readyName))
	if errors.Is(err, fs.ErrNotExist) {
		return r, remora.NotFoundf(op, dir, "the job's environment is not there: %w", err)
	}
	if err != nil {
		return r, remora.Unavailablef(op, dir, "read the job's environment: %w", err)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, remora.Internalf(op, dir, "read the job's environment: %w", err)
	}
	return r, nil
}
