package runtimes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
)

// layers lists the layers in a cache.
func layers(c *Cache) []string {
	return first2(filepath.Glob(filepath.Join(c.dir, "layer-????????????????")))
}

// older is the runtime with an older API of Ray.
func older(t *testing.T, c *Cache) remora.Runtime {
	t.Helper()
	rt, err := c.Ensure(t.Context(), "Tiny0", nil)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// Two runtimes that differ in Ray's API share an environment and the packages
// over it; the older one has a layer besides, which it holds.
func TestLayer(t *testing.T) {
	x := newShelf(t)
	c, plain := newOverlayCache(t, x)
	before := snapshot(t, plain.Dir)
	if all := layers(c); len(all) > 0 {
		t.Errorf("layers %v without a runtime that needs one", all)
	}
	rt := older(t, c)
	all := layers(c)
	if len(all) != 1 {
		t.Fatalf("layers %v, want one", all)
	}
	layer := all[0]
	boot := filepath.Join(layer, "remora", "boot", "path")
	if rt.Dir != plain.Dir || rt.Python != plain.Python || rt.Name != "Tiny0" || plain.Name != "Tiny1" {
		t.Errorf("the runtimes are %+v and %+v", rt, plain)
	}
	if rt.Env["REMORA_RAY_API"] != "2.4" || rt.Env["PYTHONPATH"] != boot || len(rt.Path) > 0 {
		t.Errorf("the environment is %v, the path %v", rt.Env, rt.Path)
	}
	if _, ok := plain.Env["REMORA_RAY_API"]; ok || plain.Env["PYTHONPATH"] != "" {
		t.Errorf("without the older API the environment is %v", plain.Env)
	}
	env, used := plain.Dir+usedEnd, layer+usedEnd
	if strings.Join(rt.Locks, " ") != env+" "+used || strings.Join(plain.Locks, " ") != env {
		t.Errorf("locks are %v and %v", rt.Locks, plain.Locks)
	}

	both, err := c.WithOwn().Ensure(t.Context(), "Tiny1", nil)
	if err != nil || both.Own != layer || both.Env["PYTHONPATH"] != "" || strings.Join(both.Locks, " ") != env+" "+used {
		t.Errorf("with its own Python the runtime is %+v, %v", both, err)
	}
	over, err := c.Overlay(t.Context(), "Tiny0", []string{"app"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	same, err := c.Overlay(t.Context(), "Tiny1", []string{"app"}, func(line string) { t.Errorf("there was something to do: %s", line) })
	if err != nil {
		t.Fatal(err)
	}
	if len(over.Path) != 1 || len(same.Path) != 1 || over.Path[0] != same.Path[0] {
		t.Errorf("overlays are %v and %v, want the same", over.Path, same.Path)
	}
	if got := over.Environment()["PYTHONPATH"]; got != boot+":"+over.Path[0] {
		t.Errorf("PYTHONPATH is %s", got)
	}
	if got := same.Environment()["PYTHONPATH"]; got != same.Path[0] {
		t.Errorf("PYTHONPATH without the older API is %s", got)
	}
	overlayUsed := filepath.Dir(over.Path[0]) + usedEnd
	if strings.Join(over.Locks, " ") != env+" "+used+" "+overlayUsed || strings.Join(same.Locks, " ") != env+" "+overlayUsed {
		t.Errorf("locks are %v and %v", over.Locks, same.Locks)
	}
	for _, lock := range over.Locks {
		if _, err := os.Stat(lock); err != nil {
			t.Error(err)
		}
	}
	for _, tc := range []struct {
		rt   remora.Runtime
		want string
	}{{rt, "tiny 1.0 lib 2.0 "}, {plain, "tiny 1.0 lib 2.0 "}, {over, "tiny 1.0 lib 2.0 app 1.0 "}, {same, "tiny 1.0 lib 2.0 app 1.0 "}} {
		if has := python3(t, tc.rt, show); has != tc.want {
			t.Errorf("a script on %s with %v sees %q", tc.rt.Name, tc.rt.Path, has)
		}
	}
	if after := snapshot(t, plain.Dir); after != before {
		t.Errorf("the environment has changed:\n%s\n%s", before, after)
	}
}

// Remora's modules work in every process of the older runtime, from files that
// are compiled and name the place where they are; using them changes nothing.
func TestLayerModules(t *testing.T) {
	c, plain := newOverlayCache(t, newShelf(t))
	rt := older(t, c)
	layer := layers(c)[0]
	before := snapshot(t, layer)
	const code = `import ast, glob, importlib.util, json, marshal, os, sys
import sitecustomize, remora.boot.hook, remora.compat
layer, missing, foreign, stale = os.environ["LAYER"], [], [], []
for path in glob.glob(layer + "/**/*.py", recursive=True):
    ast.parse(open(path).read())
    cached = importlib.util.cache_from_source(path)
    if not os.path.exists(cached):
        missing.append(path)
        continue
    with open(cached, "rb") as f:
        data = f.read()
    if int.from_bytes(data[8:12], "little") != int(os.stat(path).st_mtime):
        stale.append(path)
    name = marshal.loads(data[16:]).co_filename
    if name != path:
        foreign.append(name)
print(json.dumps(dict(
    sitecustomize=sitecustomize.__file__, hook=remora.boot.hook.__file__, cached=remora.boot.hook.__cached__,
    armed=sum(type(f).__module__ == "remora.boot.hook" for f in sys.meta_path), missing=missing, foreign=foreign, stale=stale)))`
	var got struct {
		Sitecustomize, Hook, Cached string
		Armed                       int
		Missing, Foreign, Stale     []string
	}
	if err := json.Unmarshal([]byte(python3(t, rt, code, "LAYER="+layer)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Sitecustomize != filepath.Join(layer, "remora/boot/path/sitecustomize.py") || got.Hook != filepath.Join(layer, "remora/boot/hook.py") ||
		!strings.HasPrefix(got.Cached, filepath.Join(layer, "remora/boot/__pycache__/")) || got.Armed != 1 {
		t.Errorf("in a process there is %+v", got)
	}
	if len(got.Missing)+len(got.Foreign)+len(got.Stale) > 0 {
		t.Errorf("compiled files are missing for %q, name %q, or are out of date for %q", got.Missing, got.Foreign, got.Stale)
	}
	if after := snapshot(t, layer); after != before {
		t.Errorf("using the layer has changed it:\n%s\n%s", before, after)
	}
	// Nothing of it in the runtime that does not ask for it.
	const absent = `import importlib.util, sys; print(importlib.util.find_spec("remora"), [m for m in sys.modules if m.startswith("remora")])`
	if got := python3(t, plain, absent); got != "None []\n" {
		t.Errorf("without the older API there is %s", got)
	}
}

// Of many who ask, in several processes, one makes it.
func TestLayerTogether(t *testing.T) {
	x := newShelf(t)
	c, _ := newOverlayCache(t, x)
	const processes = 2
	var said [processes]<-chan string
	for i := range said {
		_, said[i] = otherProcess(t, helperEnviron(c.dir, x.url(), x.lock(), "Tiny0"))
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	made := map[time.Time]bool{}
	for range 10 {
		all.Go(func() {
			rt, err := c.Ensure(t.Context(), "Tiny0", nil)
			if err != nil {
				t.Error(err)
				return
			}
			var m layerManifest
			if err := loadManifest(rt.Own, &m); err != nil {
				t.Error(err)
			}
			mu.Lock()
			made[m.BuiltAt] = true
			mu.Unlock()
		})
	}
	all.Wait()
	for i := range said {
		hear(t, said[i], "ready ")
	}
	var m layerManifest
	if err := loadManifest(layers(c)[0], &m); err != nil {
		t.Fatal(err)
	}
	made[m.BuiltAt] = true
	if len(made) != 1 || len(layers(c)) != 1 || m.Runtime != "Tiny0" || m.Bytes == 0 {
		t.Errorf("layers %v were made at %v; manifest %+v", layers(c), made, m)
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("they left %v", left)
	}
}

// kill -9 at several moments: a layer is whole or not there, and nothing is
// left over.
func TestLayerKilled(t *testing.T) {
	for _, tc := range []struct{ moment, pattern string }{
		{"beginning", "layer-*.tmp"},
		{"writing", "layer-*/remora/boot/hook.py"},
		{"compiling", "layer-*/remora/*/__pycache__/*"},
		{"writing the manifest", "layer-*/" + manifestName + "*"},
		{"being done", "layer-????????????????"},
	} {
		t.Run(tc.moment, func(t *testing.T) {
			x := newShelf(t)
			c, rt := newOverlayCache(t, x)
			before := snapshot(t, rt.Dir)
			cmd, said := otherProcess(t, helperEnviron(c.dir, x.url(), x.lock(), "Tiny0"))
			appears(t, c, said, tc.pattern)
			kill(t, cmd, said)
			sound(t, c, rt, before)
			for _, l := range layers(c) {
				if err := loadManifest(l, &layerManifest{}); err != nil {
					t.Errorf("the layer is there, and not whole: %v", err)
				}
			}
			if has := python3(t, older(t, c), "import remora.boot.hook, sys; print(sys.modules['sitecustomize'].__name__)"); has != "sitecustomize\n" {
				t.Errorf("a script sees %q", has)
			}
			sound(t, c, rt, before)
			if left := leftovers(t, c.dir); len(left) > 0 {
				t.Errorf("nobody cleared up %v", left)
			}
		})
	}
}

// A layer that is not whole any more is made again, one that is costs no process.
func TestLayerReuse(t *testing.T) {
	c, _ := newOverlayCache(t, newShelf(t))
	older(t, c)
	layer := layers(c)[0]
	again, err := open(c.dir, Options{}, c.catalog)
	if err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, layer)
	rt, err := again.Ensure(t.Context(), "Tiny0", func(line string) { t.Errorf("there was something to do: %s", line) })
	if err != nil || snapshot(t, layer) != before {
		t.Errorf("the layer was made again, though it was there (%v)", err)
	}
	for _, harm := range []func() error{
		func() error { return os.Remove(filepath.Join(layer, manifestName)) },
		func() error { return os.Truncate(filepath.Join(layer, manifestName), 20) },
		func() error { return os.RemoveAll(layer) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if rt, err = again.Ensure(t.Context(), "Tiny0", nil); err != nil {
			t.Fatal(err)
		}
		python3(t, rt, "import remora.boot.hook")
	}
	if left := leftovers(t, c.dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// A layer is kept as long as it is held, and goes when nobody has used it for long.
func TestLayerPrune(t *testing.T) {
	c, _ := newOverlayCache(t, newShelf(t))
	rt := older(t, c)
	release := hold(t, rt)
	for _, dir := range []string{rt.Dir, layers(c)[0]} {
		backdate(t, dir)
	}
	age(t, c, 48*time.Hour)
	prune(t, c, PruneOptions{OlderThan: 24 * time.Hour}, 0)
	entries, err := c.List(t.Context())
	if err != nil || len(entries) != 2 {
		t.Fatalf("there is %+v, %v", entries, err)
	}
	kinds := map[string]bool{}
	for _, e := range entries {
		kinds[e.Kind] = e.InUse && e.Bytes > 0
	}
	if !kinds["runtime"] || !kinds["layer"] {
		t.Errorf("there is %+v", entries)
	}
	release()
	mustEnsure(t, c) // Tiny1: the environment, and not the layer
	mark := layers(c)[0] + usedEnd
	if info, err := os.Stat(mark); err != nil || time.Since(info.ModTime()) < 47*time.Hour {
		t.Errorf("the layer seems to be used by a runtime without one: %v, %v", info.ModTime(), err)
	}
	prune(t, c, PruneOptions{OlderThan: 24 * time.Hour}, 1)
	if all := layers(c); len(all) > 0 {
		t.Errorf("layers %v, want none", all)
	}
	python3(t, older(t, c), "import remora.boot.hook")
}
