package runtimes

import (
	"os"
	"path/filepath"
	"strings"
)

// uvSettings are how the user has configured downloads, for uv.
type uvSettings struct {
	env  []string // uv's whole environment
	args []string
}

// fixed are uv's variables that change what is built or where. An environment
// is what its lock says.
var fixed = []string{"UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_EXCLUDE_NEWER", "UV_NO_VERIFY_HASHES",
	"UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_VENV_SEED", "UV_VENV_CLEAR", "UV_SYSTEM_PYTHON", "UV_PYTHON",
	"UV_BREAK_SYSTEM_PACKAGES", "UV_WORKING_DIR", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_DRY_RUN"}

// fromPip says which of pip's settings means what to uv.
var fromPip = []struct {
	pip, uv string
	index   bool // where packages come from
}{
	{"index-url", "UV_DEFAULT_INDEX", true},
	{"extra-index-url", "UV_INDEX", true},
	{"find-links", "UV_FIND_LINKS", true},
	{"trusted-host", "UV_INSECURE_HOST", false},
	{"cert", "SSL_CERT_FILE", false},
	{"proxy", "ALL_PROXY", false},
	{"timeout", "UV_HTTP_TIMEOUT", false},
	{"default-timeout", "UV_HTTP_TIMEOUT", false},
}

// settingsForUV turns what the user has told pip, by variables or its files,
// into what uv understands, as far as the user has not told uv. configList is
// what `pip config list` prints; "" if there is no pip.
func settingsForUV(env []string, configList string) uvSettings {
	pip := pipSettings(env, configList)
	out := uvSettings{env: without(cleanEnviron(env), fixed...)}
	set := func(name, value string) {
		if value != "" && lookup(out.env, name) == "" {
			out.env = append(out.env, name+"="+value)
		}
	}
	chosen := uvHasIndex(env)
	for _, s := range fromPip {
		if s.index && chosen {
			continue
		}
		values := strings.Fields(pip[s.pip])
		if s.uv == "UV_FIND_LINKS" {
			set(s.uv, strings.Join(existing(values), ","))
			continue
		}
		set(s.uv, strings.Join(values, " "))
	}
	if !chosen {
		if pip["extra-index-url"] != "" {
			// To pip all indexes are one. Hashes make it safe here.
			set("UV_INDEX_STRATEGY", "unsafe-best-match")
		}
		switch strings.ToLower(pip["no-index"]) {
		case "1", "true", "yes", "on":
			out.args = append(out.args, "--no-index")
		}
	}
	return out
}

// uvHasIndex reports whether the user has told uv itself where packages come
// from, or may have.
func uvHasIndex(env []string) bool {
	for _, name := range []string{"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
		"UV_CONFIG_FILE"} {
		if lookup(env, name) != "" {
			return true
		}
	}
	config := lookup(env, "XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(lookup(env, "HOME"), ".config")
	}
	for _, path := range []string{filepath.Join(config, "uv", "uv.toml"), "/etc/uv/uv.toml"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// pipSettings returns pip's settings by their long names. Variables go before
// the section for installing, and that before the global one.
func pipSettings(env []string, configList string) map[string]string {
	out := map[string]string{}
	for _, section := range []string{"global.", "install."} {
		for line := range strings.Lines(configList) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if name, ok := strings.CutPrefix(name, section); ok && len(value) >= 2 {
				out[name] = strings.ReplaceAll(value[1:len(value)-1], `\n`, "\n")
			}
		}
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if name, ok := strings.CutPrefix(name, "PIP_"); ok && value != "" {
			out[strings.ReplaceAll(strings.ToLower(name), "_", "-")] = value
		}
	}
	return out
}

// existing leaves out directories that are not there: pip ignores them, uv fails.
func existing(links []string) []string {
	var out []string
	for _, l := range links {
		if _, err := os.Stat(l); err == nil || strings.Contains(l, "://") {
			out = append(out, l)
		}
	}
	return out
}

// lookup returns a variable of an environment; the last one counts.
func lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}
