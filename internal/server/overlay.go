package server

import (
	"os"
	"strings"

	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/provider/ray"
)

// OverlayCommand is what clusters call to put packages over a runtime. It runs
// with this process's environment, where the operator says which package index
// is used and where caches are, less what is for AWS clients.
func OverlayCommand(program string, c config.Runtime) ray.OverlayCommand {
	o := ray.OverlayCommand{Argv: []string{program, "runtime", "overlay", "--cache-dir", c.CacheDir}}
	if c.Python != "" {
		o.Argv = append(o.Argv, "--python", c.Python)
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") {
			o.Env = append(o.Env, v)
		}
	}
	return o
}
