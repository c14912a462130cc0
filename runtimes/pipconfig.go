package runtimes

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
)

// pipConfig remembers what `pip config list` says, for as long as none of the
// files that pip reads changes: pip takes longer to say it than uv takes to
// install a small package.
type pipConfig struct {
	mu     sync.Mutex
	stamps string
	list   string
}

// get returns the list, from ask where it is not known.
func (p *pipConfig) get(ctx context.Context, env []string, py python, ask func(context.Context) (string, error)) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stamps := []string{py.Executable}
	there := false
	for _, f := range pipFiles(env, py) {
		s := stamp(f)
		there = there || s != ""
		stamps = append(stamps, f, s)
	}
	if !there {
		return "", nil // variables are read without pip
	}
	now := strings.Join(stamps, "\n")
	if now == p.stamps {
		return p.list, nil
	}
	list, err := ask(ctx)
	if err == nil {
		p.stamps, p.list = now, list
	}
	return list, err
}

// pipFiles lists the files that pip's settings may be in on Linux, by
// https://pip.pypa.io/en/stable/topics/configuration/.
func pipFiles(env []string, py python) []string {
	home := lookup(env, "HOME")
	user := lookup(env, "XDG_CONFIG_HOME")
	if user == "" {
		user = filepath.Join(home, ".config")
	}
	shared := lookup(env, "XDG_CONFIG_DIRS")
	if shared == "" {
		shared = "/etc/xdg"
	}
	var out []string
	for _, dir := range filepath.SplitList(shared) {
		out = append(out, filepath.Join(dir, "pip", "pip.conf"))
	}
	out = append(out, "/etc/pip.conf", filepath.Join(home, ".pip", "pip.conf"), filepath.Join(user, "pip", "pip.conf"),
		filepath.Join(filepath.Dir(filepath.Dir(py.Executable)), "pip.conf"))
	if named := lookup(env, "PIP_CONFIG_FILE"); named != "" {
		out = append(out, named)
	}
	return out
}
