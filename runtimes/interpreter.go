package runtimes

import (
	"context"
	"fmt"
)

// Interpreter describes the host's Python that environments are made from, for
// a person: "CPython 3.11.7 (/usr/bin/python3.11)".
func (c *Cache) Interpreter(ctx context.Context) (string, error) {
	py, err := c.pythons.choose(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("CPython %s (%s)", py.Version, py.Executable), nil
}
