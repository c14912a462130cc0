package notebook

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/remora-project/remora"
)

// A place takes over what a process that was killed has left, and leaves those
// of the living alone.
func TestMakePlaceKnowsTheDead(t *testing.T) {
	base := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", base)
	make := func() *place {
		p, err := makePlace(remora.Runtime{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Remove() })
		return p
	}
	living := make()
	dead := filepath.Join(base, prefix+"dead")
	if err := errors.Join(os.Mkdir(dead, 0o700), os.WriteFile(filepath.Join(dead, "lock"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if p := make(); !reflect.DeepEqual(p.over, []string{prefix + "dead"}) || p.mark() == living.mark() {
		t.Errorf("%s of %q is over, mark %s", p.over, living.mark(), p.mark())
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	if p := make(); p.over != nil {
		t.Errorf("%s is over a second time", p.over)
	}
}
