package supervise_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/supervise"
)

func TestRunDir(t *testing.T) {
	short, err := os.MkdirTemp("/tmp", "rd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	own := fmt.Sprintf("remora-%d", os.Getuid())
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	sub := func(name string) string {
		dir := filepath.Join(short, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	open, link, file, empty := sub("open"), sub("link"), sub("file"), sub("empty")
	if err := os.Mkdir(filepath.Join(open, own), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(open, own), 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	if err := os.Symlink(empty, filepath.Join(link, own)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(file, own), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inTmp := filepath.Join("/tmp", own)
	tests := []struct{ name, tmp, want string }{
		{"TMPDIR", empty, filepath.Join(empty, own)},
		{"None", "", inTmp},
		{"TooLong", long, inTmp},
		{"OpenToOthers", open, inTmp},
		{"Link", link, inTmp},
		{"File", file, inTmp},
		{"NotThere", filepath.Join(short, "none"), inTmp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TMPDIR", tt.tmp)
			got, err := supervise.RunDir("data")
			if err != nil || filepath.Dir(got) != tt.want {
				t.Errorf("%q, %v; want one below %s", got, err, tt.want)
			}
			if other, _ := supervise.RunDir("other data"); other == got {
				t.Errorf("two data directories share %s", got)
			}
		})
	}
}

func TestCreateTwice(t *testing.T) {
	b := newBed(t)
	if err := supervise.Create(b.dir(), b.spec); err != nil {
		t.Fatal(err)
	}
	err := supervise.Create(b.dir(), b.spec)
	if remora.KindOf(err) != remora.AlreadyExists {
		t.Errorf("create again: %v", err)
	}
	// A crash between Create and Launch: what Attach finds is nothing to keep.
	if _, err := supervise.Attach(b.ctx, b.id, b.dir()); remora.KindOf(err) != remora.NotFound {
		t.Errorf("attach: %v", err)
	}
	if _, err := os.Lstat(b.dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", b.dir(), err)
	}
}

// TestLaunchFails: the error says what the supervisor said, and nothing is left.
func TestLaunchFails(t *testing.T) {
	for _, argv := range [][]string{{"/no/such/binary"}, {"/bin/sh", "-c", "echo 'cannot do it' >&2; exit 1"}} {
		b := newBed(t)
		if err := supervise.Create(b.dir(), b.spec); err != nil {
			t.Fatal(err)
		}
		_, err := supervise.Launch(b.ctx, argv, b.id, b.dir())
		if err == nil || (argv[0] == "/bin/sh" && !strings.Contains(err.Error(), "cannot do it")) {
			t.Errorf("launch %q: %v", argv, err)
		}
	}
}

func TestLineTail(t *testing.T) {
	var tail supervise.LineTail
	for i := range 10_000 {
		fmt.Fprintf(&tail, "line %d\r\n", i)
	}
	lines := tail.Lines()
	if len(lines) != 30 || lines[29] != "line 9999" || lines[0] != "line 9970" {
		t.Errorf("lines %q", lines)
	}
	tail = supervise.LineTail{}
	fmt.Fprint(&tail, strings.Repeat("ä", 100_000)+"\xff")
	lines = tail.Lines()
	if len(lines) != 1 || len(lines[0]) > 9<<10 || !strings.HasSuffix(lines[0], "ä\uFFFD") || !strings.HasPrefix(lines[0], "ä") {
		t.Errorf("%d lines, the first of %d bytes", len(lines), len(lines[0]))
	}
	if lines := (&supervise.LineTail{}).Lines(); lines != nil {
		t.Errorf("lines of nothing: %q", lines)
	}
}
