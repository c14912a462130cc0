package runtimes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// manifest describes an environment; it is the file manifestName in its root.
type manifest struct {
	Runtime string    `json:"runtime"` // the name that it was first asked for by
	Lock    string    `json:"lock"`    // digest of the lock
	Builder string    `json:"builder"`
	UV      string    `json:"uv"`
	Python  python    `json:"python"`
	BuiltAt time.Time `json:"builtAt"`
	Seconds float64   `json:"seconds"` // that the build took
	stock
}

const manifestName = "remora.json"

// readManifest returns the manifest of the environment in dir. It fails if the
// environment is not there or not usable any more: its interpreter is gone, or
// packages are. It does not read every file.
func readManifest(dir string) (manifest, error) {
	var m manifest
	if err := loadManifest(dir, &m); err != nil {
		return m, err
	}
	if len(m.Records) == 0 {
		return m, errors.New(manifestName + " lists no packages")
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "python")); err != nil {
		return m, err
	}
	return m, m.present(dir)
}

// write takes stock of the environment in dir and writes its manifest.
func (m manifest) write(dir string) error {
	var err error
	if m.stock, err = takeStock(dir, "lib/*/site-packages/*.dist-info/RECORD"); err != nil {
		return fmt.Errorf("take stock of the environment: %w", err)
	}
	return storeManifest(dir, m)
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
