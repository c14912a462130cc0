// Package archtest holds the rules on imports that docs/ARCHITECTURE.md states.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/remora-project/remora"

type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Standard,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}

// within reports whether a package is the named one or below it; names are
// relative to the module.
func within(path string, names ...string) bool {
	for _, n := range names {
		full := module + "/" + n
		if path == full || strings.HasPrefix(path, full+"/") {
			return true
		}
	}
	return false
}

func TestRootImportsStandardLibraryOnly(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module {
			continue
		}
		for _, i := range p.Imports {
			if strings.Contains(strings.Split(i, "/")[0], ".") {
				t.Errorf("the root package imports %s", i)
			}
		}
	}
}

// concrete are the packages behind the seams. Each may be imported by the
// wiring, by the program's commands, and from below itself.
var concrete = []string{"store/sqlite", "logstore", "provider/ray", "provider/fake", "api/s3", "api/glue", "api/logs", "api/sts", "control"}

// exceptions are imports that cross a seam for a reason.
var exceptions = map[string]string{
	"api -> api/sts":        "the endpoint dispatches to it: STS speaks another protocol than the JSON services",
	"bench -> store/sqlite": "it fills a store with past runs, as fast as the store takes them",
	"api/glue -> control":   "the types of a request to run a job, and the rules of its parameters",
}

func TestOnlyTheWiringKnowsConcreteTypes(t *testing.T) {
	used := map[string]bool{}
	for _, p := range packages(t) {
		if within(p.ImportPath, "internal/server", "internal/local", "cmd/remora", "internal/testenv") {
			continue
		}
		for _, i := range p.Imports {
			for _, c := range concrete {
				if !within(i, c) || within(p.ImportPath, c) {
					continue
				}
				rel := strings.TrimPrefix(p.ImportPath, module+"/") + " -> " + c
				if _, ok := exceptions[rel]; ok {
					used[rel] = true
					continue
				}
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
	for e := range exceptions {
		if !used[e] {
			t.Errorf("exception %q is not needed any more", e)
		}
	}
}

// Imports point inward: what is behind a seam does not reach out to the
// control plane or its front doors.
func TestImportsPointInward(t *testing.T) {
	outer := []string{"control", "api", "internal/server", "internal/local", "cmd"}
	inner := []string{"store", "logstore", "provider", "runtimes", "blobs", "archive", "modules", "python", "internal/keyring", "internal/config"}
	for _, p := range packages(t) {
		if !within(p.ImportPath, inner...) {
			continue
		}
		for _, i := range p.Imports {
			if within(i, outer...) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// The store speaks SQL to one driver, and nothing else in the tree does.
func TestDriversStayBehindTheirSeam(t *testing.T) {
	owner := map[string]string{
		"modernc.org/sqlite":           "store/sqlite",
		"github.com/versity/versitygw": "api/s3",
		"github.com/alecthomas/kong":   "cmd/remora",
		"github.com/pelletier/go-toml": "internal/config",
	}
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			for dep, home := range owner {
				if strings.HasPrefix(i, dep) && !within(p.ImportPath, home) {
					t.Errorf("%s imports %s, which is for %s alone", p.ImportPath, i, home)
				}
			}
		}
	}
}
