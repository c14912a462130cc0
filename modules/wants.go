// Package modules gets ready what a job brings along beside its script: pip's
// packages, modules and files from S3, and a working directory.
package modules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/remora-project/remora"
)

// Wants is what a job asks for beyond its runtime. Addresses are s3:// ones.
type Wants struct {
	Packages   []string // requirements of pip's, and addresses of wheels and zips
	Additional []string // likewise; --additional-python-modules is what Glue's other jobs call it
	Modules    []string // addresses of zips, each with one folder that is a package to import, or of wheels
	Files      []string // addresses of Python files, zips and wheels
	WorkingDir string   // address of a zip with one folder, which becomes the working directory
}

// Names of the arguments that say so, without their dashes.
const (
	pipInstall        = "pip-install"
	additionalModules = "additional-python-modules"
	s3Modules         = "s3-py-modules"
	extraFiles        = "extra-py-files"
	workingDir        = "working-dir"
)

// Arguments are the names of a job's arguments that FromArguments reads.
var Arguments = []string{pipInstall, additionalModules, s3Modules, extraFiles, workingDir}

// FromArguments reads a job's effective arguments. Invalid if a value cannot
// be what the job wants; what it names is looked at by Prepare.
func FromArguments(args map[string]string) (Wants, error) {
	w := Wants{WorkingDir: strings.TrimSpace(args["--"+workingDir])}
	w.Packages = SplitRequirements(args["--"+pipInstall])
	w.Additional = SplitRequirements(args["--"+additionalModules])
	w.Modules = split(args["--"+s3Modules])
	w.Files = split(args["--"+extraFiles])

	for _, given := range []struct {
		argument string
		list     []string
	}{{pipInstall, w.Packages}, {additionalModules, w.Additional}, {s3Modules, w.Modules}, {extraFiles, w.Files},
		{workingDir, []string{w.WorkingDir}}} {
		for _, item := range given.list {
			if err := checkList(given.argument, item); err != nil {
				return w, err
			}
		}
	}
	for _, p := range w.Packages {
		if err := checkPackage(pipInstall, p); err != nil {
			return w, err
		}
	}
	for _, p := range w.Additional {
		if err := checkPackage(additionalModules, p); err != nil {
			return w, err
		}
	}
	for _, m := range w.Modules {
		if !isObject(m) || !ends(m, ".zip", ".whl") {
			return w, invalid(s3Modules, m, "write the s3:// address of a zip with one folder that is the package, or of a wheel")
		}
	}
	for _, f := range w.Files {
		if !isObject(f) || !ends(f, ".py", ".zip", ".whl") {
			return w, invalid(extraFiles, f, "write the s3:// address of a Python file (.py), a zip with one folder that is a package, or a wheel")
		}
	}
	if d := w.WorkingDir; d != "" && (!isObject(d) || !ends(d, ".zip")) {
		return w, invalid(workingDir, d, "write the s3:// address of a zip with one folder in it")
	}
	return w, nil
}

// checkList refuses an item that is none of a plain list.
func checkList(argument, item string) error {
	_, rest, _ := strings.Cut(item, "://")
	switch {
	case strings.HasPrefix(item, "[") || strings.HasPrefix(item, `"`) || strings.HasPrefix(item, "'"):
		return invalid(argument, item, "a list is written plainly, without brackets and quotes, with a comma between two: a,b")
	case strings.Contains(rest, "s3://") || strings.Contains(rest, "s3a://"):
		if argument == workingDir {
			return invalid(argument, item, "there is one working directory: write the s3:// address of a zip with one folder in it")
		}
		return invalid(argument, item, "write a comma between two addresses")
	}
	return nil
}

// onHost matches a requirement that is a file of this host: its path or address,
// or "name @" before one.
var onHost = regexp.MustCompile(`(?i)^(?:[^@]*@)?\s*(?:/|file:)`)

func checkPackage(argument, p string) error {
	if onHost.MatchString(p) {
		return invalid(argument, p, "a file has to be an object in S3: write s3://bucket/key")
	}
	switch {
	case p[0] == '-':
		return invalid(argument, p, "options of pip cannot be given for a job; which index is used is a setting of the host")
	case isObject(p):
	case strings.Contains(p, "s3://") || strings.Contains(p, "s3a://"):
		return invalid(argument, p, "an object has no name before it: write its address alone, s3://bucket/key")
	case strings.Contains(p, "://") || strings.HasPrefix(p, "git+"):
		return invalid(argument, p, "packages come from the package index or from S3, not from other addresses")
	}
	if isObject(p) && !ends(p, ".whl", ".zip", ".tar.gz") {
		return invalid(argument, p, "an object has to be a wheel (.whl), a zip of modules or a source distribution (.zip, .tar.gz)")
	}
	return nil
}

func invalid(argument, value, rule string) error {
	return remora.Invalidf("modules: read arguments", "--"+argument, "--%s has %q: %s", argument, value, rule)
}

func (w Wants) empty() bool {
	return len(w.Packages)+len(w.Additional)+len(w.Modules)+len(w.Files) == 0 && w.WorkingDir == ""
}

func isObject(s string) bool { return strings.HasPrefix(s, "s3://") || strings.HasPrefix(s, "s3a://") }

func ends(s string, suffixes ...string) bool {
	name := s[strings.LastIndexByte(s, '/')+1:] // none, if it is a folder
	return slices.ContainsFunc(suffixes, func(suffix string) bool {
		return strings.HasSuffix(name, suffix) && len(name) > len(suffix)
	})
}

// split splits a list at its commas.
func split(list string) []string {
	var out []string
	for _, part := range strings.Split(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// SplitRequirements splits a list of requirements at its commas. One within
// extras or quotes, or before another condition on the version, is part of a
// requirement: "a>=1,<2,b[x,y]" are two.
func SplitRequirements(list string) []string {
	var out []string
	for _, part := range strings.Split(list, ",") {
		trimmed := strings.TrimSpace(part)
		if last := len(out) - 1; last >= 0 && (goesOn(out[last]) || trimmed != "" && strings.ContainsRune("<=>!~", rune(trimmed[0]))) {
			out[last] += "," + trimmed
			continue
		}
		if trimmed != "" {
			out = append(out, trimmed)
		}
	}
	return out
}

// goesOn says whether a requirement cannot end where it does.
func goesOn(r string) bool {
	return strings.Count(r, "[") > strings.Count(r, "]") || strings.Count(r, `"`)%2 == 1 || strings.Count(r, "'")%2 == 1
}

// String says what is wanted, for a log.
func (w Wants) String() string {
	var parts []string
	for _, p := range []struct {
		what string
		list []string
	}{{"packages", slices.Concat(w.Packages, w.Additional)}, {"modules", w.Modules}, {"files", w.Files}} {
		if len(p.list) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", p.what, strings.Join(p.list, ", ")))
		}
	}
	if w.WorkingDir != "" {
		parts = append(parts, "working directory "+w.WorkingDir)
	}
	return strings.Join(parts, "; ")
}
