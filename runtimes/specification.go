package runtimes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	remora "github.com/remora-project/remora"
)

// specification is one thing to install: a distribution by name, or a local file.
type specification struct {
	given string // as the user wrote it
	name  string // normalized; of a file what its name says, "" if nothing
	line  string // for uv, normalized
	path  string // of a local file; "" if there is none
	sum   string // of that file's content
	extra string // of a local file, normalized: "[a,b]"; "" if there are none
}

// String is for people: of a file its name, since where it was is gone soon.
func (r specification) String() string {
	if r.path != "" {
		return filepath.Base(r.path)
	}
	return r.given
}

// identity is what two requirements that install the same have in common. The
// directory of a file does not matter; its name does, which is a wheel's tags,
// and so do its extras.
func (r specification) identity() string {
	if r.path == "" {
		return r.line
	}
	return filepath.Base(r.path) + r.extra + " " + r.sum
}

// The grammar is that of PEP 508, less what leads elsewhere than to an index:
// options of pip, URLs, environment variables, comments, continued lines.
var (
	named = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*` + // name
		`(\[[A-Za-z0-9._,\s-]*\])?\s*` + // extras
		`(\([^();]*\)|[^();@\[\]]*)\s*` + // versions
		`(?:;(.*))?$`) // marker
	version = regexp.MustCompile(`^(===|==|~=|!=|<=|>=|<|>)\s*([A-Za-z0-9][A-Za-z0-9.*+!_-]*)$`)
	marker  = regexp.MustCompile(`^[A-Za-z0-9_.'"()<>=!~*+,\s-]+$`)
	byFile  = regexp.MustCompile(`^(?:([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[A-Za-z0-9._,\s-]*\])?\s*@\s*)?(file:/.*|/.*)$`)
	control = regexp.MustCompile(`[\x00-\x1f\x7f]`)
)

// archives are the files that can be installed: wheels and source distributions.
var archives = []string{".whl", ".tar.gz", ".zip"}

// parseSpecification reads one requirement, and the file that it names.
func parseSpecification(given string) (specification, error) {
	const op = "runtimes: overlay"
	r := specification{given: strings.TrimSpace(given)}
	refuse := func(format string, args ...any) (specification, error) {
		return r, remora.Invalidf(op, r.given, "cannot install %q: %s", r.given, fmt.Sprintf(format, args...))
	}
	switch {
	case r.given == "":
		return refuse("it is empty")
	case len(r.given) > 4096:
		return r, remora.Invalidf(op, "", "cannot install a requirement of %d bytes, it is too long", len(r.given))
	case control.MatchString(r.given):
		return refuse("there is a control character in it")
	case r.given[0] == '-':
		return refuse("options of pip cannot be given for a job; which index is used is a setting of the host")
	}
	if m := byFile.FindStringSubmatch(r.given); m != nil {
		return r.file(m[1], m[2], m[3], refuse)
	}
	if strings.Contains(r.given, "://") || strings.HasPrefix(r.given, "git+") {
		return refuse("packages come from the package index or from S3, not from other addresses")
	}
	m := named.FindStringSubmatch(r.given)
	if m == nil {
		return refuse(`it is not a requirement such as "name", "name==1.0" or "name[extra]>=2,<3; python_version >= '3.11'"`)
	}
	var versions []string
	for _, v := range strings.Split(strings.Trim(m[3], "() \t"), ",") {
		if v = strings.TrimSpace(v); v == "" {
			continue
		}
		parts := version.FindStringSubmatch(v)
		if parts == nil {
			return refuse("%q is not a condition on versions such as \">=1.0\"", v)
		}
		versions = append(versions, parts[1]+parts[2])
	}
	slices.Sort(versions)
	r.name = normalize(m[1])
	r.line = r.name + extras(m[2]) + strings.Join(versions, ",")
	if m[4] != "" {
		if !marker.MatchString(m[4]) {
			return refuse("%q is not a condition on the environment", strings.TrimSpace(m[4]))
		}
		r.line += " ; " + strings.Join(strings.Fields(m[4]), " ")
	}
	return r, nil
}

// file completes a requirement that is a file.
func (r specification) file(name, extra, path string, refuse func(string, ...any) (specification, error)) (specification, error) {
	if rest, ok := strings.CutPrefix(path, "file:"); ok {
		u, err := url.Parse("file:" + rest)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "" {
			return refuse("it is not the address of a file on this host")
		}
		path = u.Path
	}
	path = filepath.Clean(path)
	base := filepath.Base(path)
	end := slices.IndexFunc(archives, func(a string) bool { return strings.HasSuffix(base, a) })
	if end < 0 {
		return refuse("a file has to be a wheel (.whl) or a source distribution (.tar.gz, .zip)")
	}
	sum, err := hashFile(path)
	if err != nil {
		return refuse("%v", err)
	}
	stem := strings.TrimSuffix(base, archives[end])
	switch i := strings.LastIndexByte(stem, '-'); {
	case name != "":
	case archives[end] == ".whl":
		name, _, _ = strings.Cut(stem, "-")
	case i > 0:
		name = stem[:i]
	}
	r.name, r.path, r.sum, r.extra = normalize(name), path, sum, extras(extra)
	// Escaped: it may hold what means something in a file of requirements.
	r.line = (&url.URL{Scheme: "file", Path: path}).String()
	if r.name != "" && (archives[end] == ".whl" || extra != "") {
		r.line = r.name + r.extra + " @ " + r.line
	}
	return r, nil
}

// parseSpecifications reads a list, sorted and without doubles, and returns the
// digest of what it asks for.
func parseSpecifications(given []string) ([]specification, string, error) {
	seen := map[string]specification{}
	for _, g := range given {
		r, err := parseSpecification(g)
		if err != nil {
			return nil, "", err
		}
		if _, ok := seen[r.identity()]; !ok {
			seen[r.identity()] = r
		}
	}
	ids := make([]string, 0, len(seen))
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	all := make([]specification, len(ids))
	for i, id := range ids {
		all[i] = seen[id]
	}
	return all, digest(ids...), nil
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalize is PEP 503's: names that it makes equal are the same distribution.
func normalize(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }

// extras are sorted and normalized; "" if there are none.
func extras(list string) string {
	var out []string
	for _, e := range strings.Split(strings.Trim(list, "[]"), ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, normalize(e))
		}
	}
	if len(out) == 0 {
		return ""
	}
	slices.Sort(out)
	return "[" + strings.Join(slices.Compact(out), ",") + "]"
}

func hashFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
