package control

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

func TestScriptPath(t *testing.T) {
	for location, want := range map[string]string{
		"s3://b/etl/flights.py":                      "flights.py",
		"s3://b/etl/my script.py":                    "my script.py",
		"s3://b/ray.py":                              "script.py",
		"s3://b/ray/ray_job.py":                      "ray_job.py",
		"s3://b/nothing":                             "script.py",
		"s3://b/.py":                                 "script.py",
		"s3://b/" + strings.Repeat("x", 253) + ".py": "script.py",
	} {
		d := &drive{Runs: &Runs{cfg: Config{WorkDir: "/work"}}, run: remora.Run{ID: "r", Plan: remora.RunPlan{Command: remora.Command{ScriptLocation: location}}}}
		if got := d.scriptPath(); got != filepath.Join("/work", "r", want) {
			t.Errorf("%s is at %s, want %s", location, got, want)
		}
	}
}
