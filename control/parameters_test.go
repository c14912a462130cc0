package control

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

func TestParameters(t *testing.T) {
	for _, c := range []struct {
		name     string
		args     map[string]string
		env      map[string]string
		head     int
		worker   int
		warnings []string // the beginning of each
	}{
		{name: "none", env: map[string]string{}},
		{name: "an argument is a variable", args: map[string]string{"--name": "world", "--test-environment": "a b", "--empty": ""},
			env: map[string]string{"name": "world", "test-environment": "a b", "empty": ""}},
		{name: "without dashes too", args: map[string]string{"name": "world", "-x": "1"}, env: map[string]string{"name": "world", "-x": "1"}},
		{name: "the dashed one counts", args: map[string]string{"name": "plain", "--name": "dashed"}, env: map[string]string{"name": "dashed"}},
		{name: "what is no variable", args: map[string]string{"--": "x", "--a=b": "x", "--n": "a\x00b", "": "x"}, env: map[string]string{},
			warnings: []string{`argument "" cannot be`, `argument "--" cannot be`, `argument "--a=b" cannot be`, `argument "--n" cannot be`}},
		{name: "object stores", args: map[string]string{"--object_store_memory_head": "10", "--object_store_memory_worker": " 60 "},
			env: map[string]string{"object_store_memory_head": "10", "object_store_memory_worker": " 60 "}, head: 10, worker: 60},
		{name: "not yet", args: map[string]string{"--min-workers": "1"}, env: map[string]string{"min-workers": "1"},
			warnings: []string{"parameter --min-workers is not supported yet: all workers are started at once"}},
		{name: "installer", args: map[string]string{"--python-modules-installer-option": "x"}, env: map[string]string{"python-modules-installer-option": "x"},
			warnings: []string{"parameter --python-modules-installer-option is not supported yet: packages are installed without it"}},
		{name: "modules", args: map[string]string{"--pip-install": "a==1"}, env: map[string]string{"pip-install": "a==1"}},
		{name: "of Spark", args: map[string]string{"--class": "x", "--extra-jars": "y"}, env: map[string]string{"class": "x", "extra-jars": "y"},
			warnings: []string{"parameter --class has no meaning for Ray jobs", "parameter --extra-jars has no meaning"}},
		{name: "without dashes it is no parameter", args: map[string]string{"class": "x", "object_store_memory_head": "x"},
			env: map[string]string{"class": "x", "object_store_memory_head": "x"}},
		{name: "passed on in silence", args: map[string]string{"--TempDir": "s3://b/t", "--job-language": "python", "--enable-glue-datacatalog": "true"},
			env: map[string]string{"TempDir": "s3://b/t", "job-language": "python", "enable-glue-datacatalog": "true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := parameters(c.args)
			if !maps.Equal(got.env, c.env) || got.storeHead != c.head || got.storeWorker != c.worker {
				t.Errorf("environment %q, object stores %d and %d", got.env, got.storeHead, got.storeWorker)
			}
			if !slices.EqualFunc(got.warnings, c.warnings, strings.HasPrefix) {
				t.Errorf("warnings %q, want %q", got.warnings, c.warnings)
			}
		})
	}
}

func TestCheckParameters(t *testing.T) {
	for value, ok := range map[string]bool{"1": true, "100": true, " 50 ": true, "0": false, "101": false, "": false, "50%": false, "-1": false, "1e1": false} {
		err := CheckParameters("CreateJob", map[string]string{"--object_store_memory_worker": value})
		if (err == nil) != ok || err != nil && remora.KindOf(err) != remora.Invalid {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestCheckModules(t *testing.T) {
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"--pip-install", "a==1,b[x,y]>=1,<2", true}, {"--pip-install", "/etc/a.whl", false}, {"--pip-install", "a @ file:///b.whl", false},
		{"--additional-python-modules", "s3://b/k-1-py3-none-any.whl, c", true}, {"--additional-python-modules", "s3://b/k.egg", false},
		{"--s3-py-modules", "s3://b/k.zip,s3://b/l.zip", true}, {"--s3-py-modules", "s3://b/k.tgz", false}, {"--s3-py-modules", "k.zip", false},
		{"--extra-py-files", "s3://b/k.py,s3://b/l.zip", true}, {"--extra-py-files", "s3://b/k.egg", false}, {"--extra-py-files", "s3://b/.py", false},
		{"--working-dir", "s3://b/k.zip", true}, {"--working-dir", "s3://b/k/", false}, {"--working-dir", "/srv", false},
	} {
		err := CheckParameters("CreateJob", map[string]string{c.name: c.value})
		if (err == nil) != c.ok || err != nil && (remora.KindOf(err) != remora.Invalid || !strings.Contains(err.Error(), c.name)) {
			t.Errorf("%s %q: %v", c.name, c.value, err)
		}
	}
}

func TestSizing(t *testing.T) {
	const gib = 1 << 30
	types := map[string]WorkerType{"Z.2X": {CPUs: 8, MemoryBytes: 64 * gib, DPU: 2}, "small": {CPUs: 1, MemoryBytes: gib, DPU: 1}}
	for _, c := range []struct {
		name         string
		host         Sizing
		of           string
		workers      int
		head, worker int // per cent for the object store
		want         remora.NodeSize
		wantHead     remora.NodeSize
		note         string
	}{
		{name: "a host that is large enough", host: Sizing{HostCPUs: 64, HostMemory: 1000 * gib, HostShm: 1000 * gib}, of: "Z.2X", workers: 2,
			want: node(8, 64*gib, 30), wantHead: node(0, 64*gib, 30)},
		{name: "the object store's part", host: Sizing{HostCPUs: 64, HostMemory: 1000 * gib, HostShm: 1000 * gib}, of: "Z.2X", workers: 2,
			head: 10, worker: 50, want: node(8, 64*gib, 50), wantHead: node(0, 64*gib, 10)},
		{name: "memory and cores are shared out", host: Sizing{HostCPUs: 2, HostMemory: 10 * gib, HostShm: 1000 * gib}, of: "Z.2X", workers: 3,
			want: node(2, 2*gib, 30), wantHead: node(0, 2*gib, 30), note: "Z.2X is 8 vCPU and 64 GiB; this machine has 2 CPUs and 10 GiB, so each of the 3 workers gets 2 CPUs"},
		{name: "shared memory bounds object stores", host: Sizing{HostCPUs: 64, HostMemory: 1000 * gib, HostShm: 10 * gib}, of: "Z.2X", workers: 2,
			want: remora.NodeSize{CPUs: 8, MemoryBytes: 61 * gib, ObjectStore: 3 * gib}, wantHead: remora.NodeSize{MemoryBytes: 61 * gib, ObjectStore: 3 * gib}},
		{name: "where there is none it does not", host: Sizing{HostCPUs: 1, HostMemory: 1000 * gib}, of: "small", workers: 1,
			want: node(1, gib, 30), wantHead: node(0, gib, 30)},
		{name: "never less than Ray takes", host: Sizing{HostCPUs: 1, HostMemory: gib, HostShm: 64 << 20}, of: "small", workers: 9,
			want: remora.NodeSize{CPUs: 1, MemoryBytes: minStore, ObjectStore: minStore}, wantHead: remora.NodeSize{MemoryBytes: minStore, ObjectStore: minStore},
			note: "small is 1 vCPU"},
		{name: "all of it", host: Sizing{HostCPUs: 1, HostMemory: 1000 * gib}, of: "small", workers: 1, head: 100, worker: 100,
			want: remora.NodeSize{CPUs: 1, MemoryBytes: minStore, ObjectStore: gib}, wantHead: remora.NodeSize{MemoryBytes: minStore, ObjectStore: gib}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.host.Types = types
			head, worker, note := c.host.Nodes(c.of, c.workers, c.head, c.worker)
			if worker != c.want || head != c.wantHead {
				t.Errorf("head %+v, want %+v; worker %+v, want %+v", head, c.wantHead, worker, c.want)
			}
			if !strings.HasPrefix(note, c.note) || (c.note == "") != (note == "") {
				t.Errorf("note %q, want %q", note, c.note)
			}
		})
	}
}

func node(cpus int, memory int64, percent int) remora.NodeSize {
	store := int64(float64(memory) * float64(percent) / 100)
	return remora.NodeSize{CPUs: cpus, MemoryBytes: memory - store, ObjectStore: store}
}
