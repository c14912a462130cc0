package local

import (
	"maps"
	"os"
	"strings"
)

// ours are the variables that the cluster sets itself: Python's, Ray's ways to
// a cluster, and the folder for temporary files, which goes with the cluster.
var ours = map[string]bool{
	"PATH": true, "PYTHONPATH": true, "PYTHONHOME": true, "PYTHONOPTIMIZE": true, "PYTHONPYCACHEPREFIX": true,
	"VIRTUAL_ENV": true, "CONDA_PREFIX": true, "TMPDIR": true, "REMORA_RAY_API": true,
	"RAY_ADDRESS": true, "RAY_TMPDIR": true, "RAY_AUTH_MODE": true, "RAY_AUTH_TOKEN": true, "RAY_AUTH_TOKEN_PATH": true,
}

// environment is for the script and for tasks alike: the caller's, as with any
// program that is run from a shell, over what the configuration says about AWS
// services.
func (o Options) environment() map[string]string {
	env := o.Config.EndpointVariables()
	if env == nil {
		env = map[string]string{}
	}
	for _, v := range os.Environ() {
		if name, value, ok := strings.Cut(v, "="); ok && !ours[name] {
			env[name] = value
		}
	}
	maps.Copy(env, o.Env)
	return env
}
