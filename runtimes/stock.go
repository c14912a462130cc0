package runtimes

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// stock is what packages there are below a directory; it is a part of the
// manifest of an environment and of an overlay.
type stock struct {
	Bytes    int64    `json:"bytes"` // files that are linked to uv's cache included
	Packages []string `json:"packages"`
	Records  []string `json:"records"` // each package's list of files, below the root
}

// takeStock looks through dir. records is the pattern of the packages' lists of
// files, below dir: packages carry other packages inside them, which do not
// count.
func takeStock(dir, records string) (s stock, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s.Bytes += info.Size()
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if ok, _ := filepath.Match(records, below); ok {
			s.Records = append(s.Records, below)
			s.Packages = append(s.Packages, strings.TrimSuffix(filepath.Base(filepath.Dir(below)), ".dist-info"))
		}
		return nil
	})
	return s, err
}

// present fails if a package is gone. It does not read every file.
func (s stock) present(dir string) error {
	for _, r := range s.Records {
		if _, err := os.Stat(filepath.Join(dir, r)); err != nil {
			return err
		}
	}
	return nil
}

// loadManifest reads dir's manifest into m.
func loadManifest(dir string, m any) error {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, m); err != nil {
		return fmt.Errorf("read %s: %w", manifestName, err)
	}
	return nil
}

// storeManifest writes m as dir's manifest.
func storeManifest(dir string, m any) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, manifestName), append(data, '\n'))
}
