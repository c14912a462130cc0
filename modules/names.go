package modules

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/remora-project/remora"
)

// protected is the module that every runtime is named for. A job's own modules
// go before the runtime's: one of this name would be imported instead.
const protected = "ray"

// claim refuses a second module of a name, since which one is imported would
// depend on the order, and one that goes before the runtime's own.
func (p *preparation) claim(argument, uri, top string) error {
	if top == protected {
		return p.replaces(argument, uri, "a module "+top)
	}
	if first, ok := p.tops[top]; ok {
		return remora.Invalidf("modules: prepare", uri, "--%s %s: a module %q comes from %s as well: leave one of them out",
			argument, uri, top, first)
	}
	p.tops[top] = uri
	return nil
}

// shadows refuses a folder for the path in which a module is that goes before
// the runtime's own. A folder of that name without an __init__ does not.
func (p *preparation) shadows(argument, uri, dir string) error {
	for _, in := range []struct{ folder, module string }{{"", protected}, {protected, "__init__"}} {
		entries, err := os.ReadDir(filepath.Join(dir, in.folder))
		if err != nil {
			continue // it is not there, or a file
		}
		for _, e := range entries {
			if !e.IsDir() && imports(e.Name(), in.module) {
				return p.replaces(argument, uri, filepath.Join(in.folder, e.Name()))
			}
		}
	}
	return nil
}

// imports says whether Python imports a module from a file of that name.
func imports(file, module string) bool {
	name, ends, _ := strings.Cut(file, ".")
	return name == module && (ends == "py" || ends == "pyc" || ends == "so" || strings.HasSuffix(ends, ".so"))
}

func (p *preparation) replaces(argument, uri, by string) error {
	return remora.Invalidf("modules: prepare", uri, "--%s %s: %s is part of the runtime %s and cannot be replaced, and %s would be imported "+
		"instead: give it another name", argument, uri, protected, p.runtime, by)
}
