package runtimes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestPipConfig(t *testing.T) {
	home := t.TempDir()
	env := []string{"HOME=" + home, "XDG_CONFIG_DIRS=" + home, "PIP_CONFIG_FILE=" + filepath.Join(home, "pip.conf")}
	py := python{Executable: filepath.Join(home, "bin", "python")}
	if _, err := os.Stat("/etc/pip.conf"); err == nil {
		t.Log("this host has /etc/pip.conf: that pip is not asked without any file is not tested")
	}
	var p pipConfig
	asked := 0
	get := func(answer string, fails error) string {
		t.Helper()
		list, err := p.get(t.Context(), env, py, func(context.Context) (string, error) {
			asked++
			return answer, fails
		})
		if !errors.Is(err, fails) {
			t.Errorf("error %v", err)
		}
		return list
	}
	if err := os.WriteFile(filepath.Join(home, "pip.conf"), []byte("[global]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	get("", context.Canceled) // is not remembered
	for range 2 {
		if got := get("one", nil); got != "one" || asked != 2 {
			t.Errorf("got %q, asked %d times", got, asked)
		}
	}
	if err := os.WriteFile(filepath.Join(home, "pip.conf"), []byte("[global]\nindex-url = x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := get("two", nil); got != "two" || asked != 3 {
		t.Errorf("after a change: %q, asked %d times", got, asked)
	}
}
