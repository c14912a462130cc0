package runtimes

import (
	"context"
	"errors"
	"regexp"
	"strings"

	remora "github.com/remora-project/remora"
)

// explainOverlay says what a failed step means for the user, in uv's own words.
// What this host lacks is Unavailable, what is wrong with the request Invalid.
func (c *Cache) explainOverlay(runtime, step string, r *recipe, reqs []specification, err error) error {
	const op = "runtimes: overlay"
	var e *remora.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	given := make([]string, len(reqs))
	for i, req := range reqs {
		given[i] = req.String()
	}
	list := strings.Join(given, ", ")
	if unsatisfiable(err) {
		if name, by, ok := r.contradicted(reqs, err); ok {
			return replaces(runtime, name, r.versions[name], by, err)
		}
		return remora.Invalidf(op, runtime, "install %s over runtime %s: %w", list, runtime, err)
	}
	if damaged(err) {
		return remora.Invalidf(op, runtime, "install %s over runtime %s: %s: %w", list, runtime, step, err)
	}
	advice := c.advice(err)
	if advice != "" {
		advice = "\n" + advice
	}
	return remora.Unavailablef(op, runtime, "install %s over runtime %s: %s: %w%s", list, runtime, step, err, advice)
}

// unsatisfiable reports whether uv found that there is no solution, while the
// index answered.
func unsatisfiable(err error) bool {
	text := strings.ToLower(err.Error())
	return exited(err) && strings.Contains(text, "unsatisfiable") && !strings.Contains(text, "network was disabled") &&
		!strings.Contains(text, "not found in the cache")
}

// damaged reports whether a file is not the package that it should be, or uv
// does not understand a requirement, or a source distribution does not build.
func damaged(err error) bool {
	text := strings.ToLower(err.Error())
	for _, lack := range []string{"os error", "no space left", "failed to fetch", "network was disabled"} {
		if strings.Contains(text, lack) {
			return false
		}
	}
	for _, words := range []string{"failed to read", "failed to parse", "couldn't parse", "failed to extract", "failed to unzip",
		"failed to build", "failed to unpack", "invalid wheel", "wheel filename", "wheel is invalid", "zip file", "invalid zip",
		"invalid metadata", "has an invalid", "not compatible", "incompatible", "metadata name", "hash mismatch"} {
		if strings.Contains(text, words) {
			return exited(err)
		}
	}
	return false
}

// contradicted says which of the packages that the runtime is named for would
// have to be another one, and the requirement that asks for it, "" if that is
// a dependency.
func (r *recipe) contradicted(reqs []specification, err error) (name, by string, ok bool) {
	for name, version := range r.versions {
		own := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `==` + regexp.QuoteMeta(version) + `([^\w.]|$)`)
		other := regexp.MustCompile(`(?:^|[^\w.-])` + regexp.QuoteMeta(name) + `(?:\[[^\]]*\])?[=<>!~]`)
		// What it needs itself, and what follows from that, is not about replacing it.
		subject := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `(?:\[[^\]]*\])?[=<>!~]\S*\s+(?:depends on|cannot be used|(?:is|are) (?:available|incompatible))`)
		text := own.ReplaceAllString(subject.ReplaceAllString(err.Error(), ""), "$1")
		if !other.MatchString(text) {
			continue
		}
		for _, req := range reqs {
			if req.name == name {
				by = req.given
				if strings.Contains(err.Error(), strings.TrimPrefix(req.line, name)) {
					break
				}
			}
		}
		return name, by, true
	}
	return "", "", false
}
