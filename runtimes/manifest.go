package runtimes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// manifest describes an environment; it is the file manifestName in its root.
type manifest struct {
	Runtime  string    `json:"runtime"` // the name that it was first asked for by
	Lock     string    `json:"lock"`    // digest of the lock
	Builder  string    `json:"builder"`
	UV       string    `json:"uv"`
	Python   python    `json:"python"`
	BuiltAt  time.Time `json:"builtAt"`
	Seconds  float64   `json:"seconds"` // that the build took
	Bytes    int64     `json:"bytes"`   // files that are linked to uv's cache included
	Packages []string  `json:"packages"`
	Records  []string  `json:"records"` // each package's list of files, below the root
}

const manifestName = "remora.json"

// readManifest returns the manifest of the environment in dir. It fails if the
// environment is not there or not usable any more: its interpreter is gone, or
// packages are. It does not read every file.
func readManifest(dir string) (manifest, error) {
	var m manifest
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("read %s: %w", manifestName, err)
	}
	if len(m.Records) == 0 {
		return m, errors.New(manifestName + " lists no packages")
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "python")); err != nil {
		return m, err
	}
	for _, r := range m.Records {
		if _, err := os.Stat(filepath.Join(dir, r)); err != nil {
			return m, err
		}
	}
	return m, nil
}

// write takes stock of the environment in dir and writes its manifest.
func (m manifest) write(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		m.Bytes += info.Size()
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		// Packages carry other packages inside them; those do not count.
		if ok, _ := filepath.Match("lib/*/site-packages/*.dist-info/RECORD", below); ok {
			m.Records = append(m.Records, below)
			m.Packages = append(m.Packages, strings.TrimSuffix(filepath.Base(filepath.Dir(below)), ".dist-info"))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take stock of the environment: %w", err)
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, manifestName), append(data, '\n'))
}

// replaceFile writes a file so that a reader finds the old content or the new.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// syncDir makes changes to a directory's names durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
