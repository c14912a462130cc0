package notebook

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/client"
	"github.com/remora-project/remora/internal/scratch"
	"golang.org/x/sys/unix"
)

// The kernel has the name that Glue's own installer gives it, so that notebooks
// find it here, there and in Glue Studio.
const (
	kernelName  = "glue_pyspark"
	displayName = "Glue Python (Remora)"
)

var (
	//go:embed kernel.py
	kernelPy []byte
	//go:embed check.py
	checkPy []byte
)

// place is the private folder, which ends with this process.
type place struct {
	*scratch.Folder
	env  remora.Runtime
	over []string // marks of places that are no more
}

const prefix = "remora-notebook-"

func makePlace(env remora.Runtime) (*place, error) {
	base := os.TempDir()
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && unix.Access(dir, unix.W_OK) == nil {
		base = dir
	}
	before, _ := filepath.Glob(filepath.Join(base, prefix+"*"))
	f, err := scratch.Make(base, prefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder for the notebook's settings: %w", err)
	}
	p := &place{Folder: f, env: env}
	for _, dir := range before {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			p.over = append(p.over, filepath.Base(dir))
		}
	}
	return p, nil
}

// mark is what the sessions of its kernels are tagged with. It is the folder's
// name, so that who removes the folder of a process that was killed knows its
// sessions.
func (p *place) mark() string { return filepath.Base(p.Path) }

func (p *place) path(name string) string { return filepath.Join(p.Path, filepath.FromSlash(name)) }

// write lays out what Jupyter, the kernel and the AWS SDK read. All of it is for
// the user alone: one of the files has the server's key.
func (p *place) write(c client.Client, root string, browser bool) error {
	kernel := "data/kernels/" + kernelName + "/"
	spec := map[string]any{
		"argv":         []string{p.env.Python, p.path(kernel + "kernel.py"), "-f", "{connection_file}", "--log-level=ERROR"},
		"display_name": displayName,
		"language":     "python",
		"env":          map[string]string{"AWS_CONFIG_FILE": p.path("aws/config"), "AWS_SHARED_CREDENTIALS_FILE": p.path("aws/credentials")},
	}
	settings := map[string]any{
		"ServerApp": map[string]any{"ip": "127.0.0.1", "root_dir": root, "open_browser": browser, "allow_root": os.Getuid() == 0},
		// Neither questions nor requests to the outside.
		"LabApp":                map[string]any{"news_url": nil, "check_for_updates_class": "jupyterlab.NeverCheckForUpdate"},
		"LanguageServerManager": map[string]any{"autodetect": false}, // asks npm, which writes into the home
		"Application":           map[string]any{"log_level": 30},     // warnings
		// The environment brings a kernel for itself, which has no Ray.
		"KernelSpecManager":  map[string]any{"allowed_kernelspecs": []string{kernelName}, "ensure_native_kernel": false},
		"MultiKernelManager": map[string]any{"default_kernel_name": kernelName},
		// Seconds for the kernel to stop its session; Jupyter kills it after five.
		"KernelManager": map[string]any{"shutdown_wait_time": 30},
	}
	files := map[string][]byte{
		"check.py":                          checkPy,
		kernel + "kernel.py":                kernelPy,
		kernel + "kernel.json":              jsonOf(spec),
		"config/jupyter_server_config.json": jsonOf(settings),
		"aws/credentials":                   fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, c.SecretAccessKey),
		"aws/config":                        fmt.Appendf(nil, profile, c.Endpoint, c.Region, markTag, p.mark()),
	}
	if err := os.Mkdir(p.path("tmp"), 0o700); err != nil {
		return err
	}
	for name, text := range files {
		path := p.path(name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// profile is what the kernel is told. Without glue_profile it would not read the
// rest; a role is asked for and means nothing here. glue_ray is the name by
// which %min_workers and its like know a session for Ray.
const profile = `[default]
endpoint_url = %s
region = %s
glue_profile = default
glue_role_arn = arn:aws:iam::000000000000:role/Any
glue_job_type = glue_ray
glue_tags = {%q: %q}
`

func jsonOf(v any) []byte {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // strings and booleans
	}
	return append(text, '\n')
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// python is a command line of the environment's Python, which sees nothing of
// what the user has set up for Jupyter, IPython or AWS elsewhere.
func (p *place) python(args []string, more map[string]string) command {
	set := p.env.Environment()
	for name, dir := range map[string]string{"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_PATH": "data",
		"JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython", "TMPDIR": "tmp"} {
		set[name] = p.path(dir)
	}
	for name, value := range more {
		set[name] = value
	}
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if _, ours := set[name]; !ours && !foreign(name) {
			env = append(env, v)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return command{argv: append([]string{p.env.Python}, args...), env: env}
}

// foreign reports whether a variable would take the kernel to another service
// or another session, or Jupyter to other settings. The kernel's defaults that
// remain, such as glue_idle_timeout, are the user's to set.
func foreign(name string) bool {
	for _, p := range []string{"AWS_", "JUPYTER", "IPYTHON"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	switch name {
	case "region", "session_id", "request_origin", "glue_profile", "glue_region", "glue_endpoint_url", "glue_role_arn",
		"glue_iam_role", "glue_job_type", "glue_session_type", "glue_tags":
		return true
	}
	return false
}
