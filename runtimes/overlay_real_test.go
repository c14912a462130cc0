package runtimes

import (
	"strings"
	"testing"
)

// Ray's own runtime with an older pandas over it.
func TestRay260Overlay(t *testing.T) {
	c, err := Open(sharedCache(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	say := func(line string) { t.Log(line) }
	rt, err := c.Overlay(t.Context(), "Ray2.60", []string{"pandas==2.3.2", "six", "ray[data]>=2.4"}, say)
	if err != nil {
		t.Fatal(err)
	}
	const show = `import pandas, ray, ray.data; print(pandas.__version__, ray.__version__, ray.__file__.startswith(__import__("sys").prefix))`
	if got := python3(t, rt, show); got != "2.3.2 2.60.0 True\n" {
		t.Errorf("a script sees %q", got)
	}
	plain, err := c.Ensure(t.Context(), "Ray2.60", say)
	if err != nil {
		t.Fatal(err)
	}
	if got := python3(t, plain, show); got != "2.3.3 2.60.0 True\n" {
		t.Errorf("without the overlay a script sees %q", got)
	}
	const want = `ray is part of the runtime Ray2.60 (2.60.0) and cannot be replaced by "ray==2.9"`
	if _, err := c.Overlay(t.Context(), "Ray2.60", []string{"ray==2.9"}, say); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("another Ray: %v", err)
	}
}

// What every run with packages pays, by a process that has just started.
func BenchmarkOverlayReuse(b *testing.B) {
	dir := sharedCache(b)
	for b.Loop() {
		c, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Overlay(b.Context(), "Ray2.60", []string{"humanize==4.9.0"}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
