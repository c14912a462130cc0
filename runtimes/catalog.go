package runtimes

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"maps"
	"slices"
)

// The locks are made by lock.sh from the .in files beside them.
//
//go:generate ./lock.sh
var (
	//go:embed ray2.60.lock
	ray260 []byte
	//go:embed notebook.lock
	notebookLock []byte
	//go:embed bootstrap.lock
	bootstrap []byte
)

// builder is part of every key: a change to how environments are built that
// those already built lack increments it.
const builder = "1"

// recipe says what an environment holds and how to know that it works.
type recipe struct {
	label    string            // start of its directory's name
	lock     []byte            // requirements with hashes, universal
	imports  []string          // modules that must import
	versions map[string]string // __version__ of some of them
	rayAPI   string            // the older API of Ray that scripts meet; "": the installed one's
}

// catalog maps the names of runtimes to recipes. Those that differ in rayAPI
// only share the environment.
type catalog map[string]*recipe

var supported = func() catalog {
	ray := recipe{
		label:    "ray2.60",
		lock:     ray260,
		imports:  []string{"ray", "ray.data", "pandas", "pyarrow", "s3fs", "modin.pandas", "awswrangler"},
		versions: map[string]string{"ray": "2.60.0"},
	}
	// Ray2.4 is what every existing Glue job asks for. Ray 2.4.0 itself does not
	// import on any Python that is still maintained: it is today's packages, and
	// its API over them (python/remora/compat/ray24).
	older := ray
	older.rayAPI = "2.4"
	return catalog{"Ray2.60": &ray, "Ray2.4": &older}
}()

// Notebook is the name of JupyterLab's environment, with AWS Glue's kernel. It
// is built and kept as runtimes are, and none of them: jobs cannot ask for it.
const Notebook = "notebook"

var notebook = &recipe{
	label:   Notebook,
	lock:    notebookLock,
	imports: []string{"jupyterlab", "aws_glue_interactive_sessions_kernel.glue_pyspark.GlueKernel", "nbclient", "nbconvert"},
}

func (c catalog) names() []string { return slices.Sorted(maps.Keys(c)) }

// key names the environment that the recipe gives with an interpreter. A patch
// release of the interpreter, which replaces it in place, keeps the key: the
// environment refers to the interpreter and goes on working.
func (r *recipe) key(py python) string {
	return r.label + "-py" + py.minor() + "-" + digest(builder, string(r.lock), py.Executable, py.minor(), py.ABI, py.Platform)
}

// digest is a short hash of a list of strings.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
