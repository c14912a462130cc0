package main

import (
	"fmt"
	"go/token"
	"strings"
	"unicode"
)

// exported returns the Go name of a shape or a member.
func exported(name string) (string, error) {
	r := []rune(name)
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	if name = string(r); !token.IsIdentifier(name) || !token.IsExported(name) {
		return "", fmt.Errorf("%q is no name in Go", name)
	}
	return name, nil
}

// enumName returns the name of an enumeration's value as the AWS SDK for Go has
// it: the shape's name, then the value's words with a capital each.
func enumName(shape, value string) (string, error) {
	words := strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if w == strings.ToUpper(w) {
			w = strings.ToLower(w)
		}
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	if len(words) == 0 {
		return "", fmt.Errorf("value %q of %s has no letters to name it by", value, shape)
	}
	return exported(shape + strings.Join(words, ""))
}
