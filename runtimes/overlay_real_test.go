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

// Versions that Glue's runtime had: what they need gives way with them, and Ray
// goes on working.
func TestGluesOwnPins(t *testing.T) {
	c, err := Open(sharedCache(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	rt, err := c.Overlay(t.Context(), "Ray2.4", []string{"boto3==1.26.133", "pandas==1.5.3"}, func(line string) {
		t.Log(line)
		said = append(said, line)
	})
	if err != nil {
		t.Fatal(err)
	}
	const show = `import boto3, botocore, numpy, pandas, ray, ray.data; print(boto3.__version__, botocore.__version__[:4], numpy.__version__[0],
pandas.__version__, ray.__version__, pandas.DataFrame({"a": [1, 2]}).a.sum())`
	if got := python3(t, rt, show); got != "1.26.133 1.29 1 1.5.3 2.60.0 3\n" {
		t.Errorf("a script sees %q", got)
	}
	log := strings.Join(said, "\n")
	for _, want := range []string{"boto3 1.26.133 for 1.43.", "pandas 1.5.3 for 2.3.3", "pandas was built for numpy 1, which is why numpy is replaced"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log", want)
		}
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
