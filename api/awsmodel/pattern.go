package awsmodel

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression that a whole string must match. The services
// state theirs in Java's dialect; the generator translates them.
type Pattern struct {
	java string
	re   func() *regexp.Regexp
}

// NewPattern makes a Pattern of a service's own expression and the same one in
// Go's dialect. It is compiled when it is first used, so that the many patterns
// of a service cost nothing at start; the generator has compiled it before.
func NewPattern(java, golang string) *Pattern {
	return &Pattern{java: java, re: sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A(?:` + golang + `)\z`)
	})}
}

// String returns the expression as the service states it.
func (p *Pattern) String() string { return p.java }

// MatchString reports whether the whole of s matches.
func (p *Pattern) MatchString(s string) bool { return p.re().MatchString(s) }
