package supervise

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Marker is the variable by which a process of a cluster is recognised; its
// value is the cluster's id.
const Marker = "REMORA_CLUSTER"

// InheritedEnv names what processes of a cluster get of the environment of the
// control plane: what a program needs to find commands, to show text and time,
// and to reach the network from here. No AWS_*, and no HOME.
var InheritedEnv = []string{
	"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
}

// BaseEnv is the environment that every process of the cluster starts from.
func BaseEnv(id, dir string) map[string]string {
	env := map[string]string{}
	for _, name := range InheritedEnv {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} { // the cluster talks to itself over loopback
		env[name] = strings.TrimPrefix(env[name]+",127.0.0.1,localhost,.localhost", ",")
	}
	maps.Copy(env, map[string]string{
		Marker:             id,
		"HOME":             filepath.Join(dir, homeName),
		"TMPDIR":           filepath.Join(dir, tmpName),
		"PYTHONUNBUFFERED": "1", // lines arrive when they are printed
	})
	return env
}

// Environ lays maps over each other, later ones win, and keeps the marker.
func Environ(id string, layers ...map[string]string) []string {
	env := map[string]string{}
	for _, l := range layers {
		maps.Copy(env, l)
	}
	env[Marker] = id
	out := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}
