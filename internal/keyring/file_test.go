package keyring

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

func contentsOf(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another process's change must lead to.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute: not %s", what)
		}
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	k, _ := newKeyring(t)
	rotate(t, k, 0)
	dir := filepath.Dir(k.path)
	for path, want := range map[string]fs.FileMode{dir: 0o700, k.path: 0o600, k.path + ".lock": 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v), want %v", path, info.Mode().Perm(), err, want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("the directory holds %v, want the file and its lock", entries)
	}
}

func TestFileThatOthersCanReadIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o620, 0o666} {
		k, _ := newKeyring(t)
		if err := os.Chmod(k.path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Open(k.path)
		wantKind(t, err, remora.Invalid, "run `chmod 600 "+k.path+"`")
	}
}

func TestDamagedFileIsRefusedAndKept(t *testing.T) {
	const key = `{"id":"AKIAONE","secret":"s","created":"2026-05-01T12:00:00Z"}`
	for name, text := range map[string]string{
		"empty":            "",
		"no JSON":          "keys",
		"cut off":          `{"version":1,"keys":[` + key,
		"something behind": `{"version":1,"keys":[` + key + `]}{}`,
		"null":             "null",
		"newer":            `{"version":2,"keys":[` + key + `]}`,
		"no keys":          `{"version":1,"keys":[]}`,
		"no id":            `{"version":1,"keys":[{"secret":"s"}]}`,
		"odd id":           `{"version":1,"keys":[` + strings.Replace(key, "AKIAONE", "a/b/c", 1) + `]}`,
		"no secret":        `{"version":1,"keys":[` + strings.Replace(key, `"s"`, `""`, 1) + `]}`,
		"two are current":  `{"version":1,"keys":[` + key + `,` + strings.Replace(key, "ONE", "TWO", 1) + `]}`,
		"the same twice":   `{"version":1,"keys":[` + key + `,` + strings.Replace(key, `,"created"`, `,"revoked":"2026-05-01T12:00:00Z","created"`, 1) + `]}`,
		"wrong type":       `{"version":1,"keys":[{"id":1}]}`,
		"too large":        `{"version":1,"keys":[` + key + `]}` + strings.Repeat(" ", maxBytes),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			put(t, path, text)
			_, err := Open(path)
			wantKind(t, err, remora.Invalid, "the key file "+path+" is damaged")
			if contentsOf(t, path) != text {
				t.Error("the file was changed")
			}
		})
	}
	_, err := Open(t.TempDir())
	wantKind(t, err, remora.Invalid, "not a regular file")
}

// TestRunningServerKeepsItsKeysWhileTheFileIsUnusable: it goes on with what it
// has, says so once, changes nothing, and takes the repaired file.
func TestRunningServerKeepsItsKeysWhileTheFileIsUnusable(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil)))
	defer slog.SetDefault(before)
	logged := func(text string) int {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(log.String(), text)
	}

	k, _ := newKeyring(t)
	key := k.Current()
	good := contentsOf(t, k.path)
	put(t, k.path, good[:len(good)/2])
	eventually(t, "logged that the file is damaged", func() bool {
		wantValid(t, k, key, true)
		return logged("is damaged") > 0
	})
	k.Secret("AKIAUNKNOWN") // looks again
	if n := logged("is damaged"); n != 1 {
		t.Errorf("the damage was logged %d times", n)
	}
	_, err := k.Rotate(0)
	wantKind(t, err, remora.Invalid, "is damaged")
	wantKind(t, k.Revoke(key.ID), remora.Invalid, "is damaged")
	wantValid(t, k, key, true)

	if err := os.Remove(k.path); err != nil {
		t.Fatal(err)
	}
	_, err = k.Rotate(0)
	wantKind(t, err, remora.Unavailable, "no such file")
	if got := k.Current(); got.ID != key.ID {
		t.Errorf("without a file the current key is %v, want %v", got, key)
	}
	put(t, k.path, strings.Replace(good, key.ID, "AKIAREPLACED", 1))
	if _, ok := k.Secret("AKIAREPLACED"); !ok {
		t.Error("the key of the repaired file is unknown")
	}
	if logged("can be used again") != 1 {
		t.Error("it was not logged that the file can be used again")
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(log.String(), key.Secret()) {
		t.Error("the secret was logged")
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	k, _ := newKeyring(t)
	key, text := k.Current(), contentsOf(t, k.path)
	// A directory in the way stands for a full disk; root may write anywhere else.
	if err := os.MkdirAll(filepath.Join(k.path+".new", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := k.Rotate(0)
	wantKind(t, err, remora.Unavailable, "write the key file")
	if contentsOf(t, k.path) != text {
		t.Error("the file was changed")
	}
	wantValid(t, k, key, true)
}
