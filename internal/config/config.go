// Package config is what an operator may set: a TOML file, and the folders that
// the XDG base directory specification names.
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Config is the configuration file, defaults filled in.
type Config struct {
	Server      Server                `toml:"server"`
	S3          S3                    `toml:"s3"`
	Runs        Runs                  `toml:"runs"`
	Sessions    Sessions              `toml:"sessions"`
	Warm        []Warm                `toml:"warm"`
	Logs        Logs                  `toml:"logs"`
	Runtime     Runtime               `toml:"runtime"`
	WorkerTypes map[string]WorkerType `toml:"worker_types"`
	AWS         map[string]Service    `toml:"aws"`
}

// Server is about the endpoints and the account that they pretend to be.
type Server struct {
	Listen   string `toml:"listen"`
	S3Listen string `toml:"s3_listen"`
	Region   string `toml:"region"`
	Account  string `toml:"account"` // 12 digits
}

// S3 names an outside store. With an endpoint set, no store is started, and the
// keys below are valid at the API endpoint as well, so that one pair of
// credentials serves a job for everything.
type S3 struct {
	Endpoint        string `toml:"endpoint"`
	AccessKeyID     string `toml:"access_key_id"`
	SecretAccessKey string `toml:"secret_access_key"`
}

// Runs is about the lives of job runs.
type Runs struct {
	Timeout Duration `toml:"timeout"` // Glue gives a Ray job 480 minutes and lets nobody change it
	Grace   Duration `toml:"grace"`   // from SIGTERM to SIGKILL, of sessions and of remora run too
}

// Sessions is about interactive sessions. Where CreateSession does not say, the
// values here hold.
type Sessions struct {
	Limit       int      `toml:"limit"` // open at a time
	Runtime     string   `toml:"runtime"`
	Workers     int      `toml:"workers"`
	IdleTimeout Duration `toml:"idle_timeout"`
	Timeout     Duration `toml:"timeout"`
}

// Warm is clusters that are kept ready for runs and sessions of that runtime
// with that many workers.
type Warm struct {
	Runtime    string `toml:"runtime"`
	WorkerType string `toml:"worker_type"` // Z.2X if not given
	Workers    int    `toml:"workers"`     // 1 if not given
	Count      int    `toml:"count"`       // 1 if not given
}

// Logs bounds what the log store keeps.
type Logs struct {
	StreamLimit Bytes `toml:"stream_limit"`
	TotalLimit  Bytes `toml:"total_limit"`
}

// Runtime is about Python environments.
type Runtime struct {
	CacheDir string `toml:"cache_dir"`
	Python   string `toml:"python"` // interpreter to build on; empty: found on PATH
	// What is not in use and was not for so long, or is the least recently used
	// of more than so much, the server removes.
	UnusedFor Duration `toml:"unused_for"`
	MaxSize   Bytes    `toml:"max_size"`
}

// WorkerType is what a node of a worker type has and costs.
type WorkerType struct {
	CPUs   int     `toml:"cpus"`
	Memory Bytes   `toml:"memory"`
	DPU    float64 `toml:"dpu"`
}

// Default is the configuration of a machine without a file.
func Default() (Config, error) {
	cache, err := xdg("XDG_CACHE_HOME", ".cache")
	if err != nil {
		return Config{}, err
	}
	return Config{
		Server:   Server{Listen: "127.0.0.1:4747", S3Listen: "127.0.0.1:4748", Region: "us-east-1", Account: "000000000000"},
		Runs:     Runs{Timeout: Duration(480 * time.Minute), Grace: Duration(10 * time.Second)},
		Sessions: Sessions{Limit: 25, Runtime: "Ray2.4", Workers: 1, IdleTimeout: Duration(48 * time.Hour), Timeout: Duration(48 * time.Hour)},
		Logs:     Logs{StreamLimit: 256 << 20, TotalLimit: 8 << 30},
		Runtime:  Runtime{CacheDir: filepath.Join(cache, "runtimes"), UnusedFor: Duration(30 * 24 * time.Hour), MaxSize: 20 << 30},
		WorkerTypes: map[string]WorkerType{
			"Z.2X": {CPUs: 8, Memory: 64 << 30, DPU: 2},
		},
	}, nil
}

// Load reads a file over the defaults. An empty path means the default place,
// where a missing file is no error.
func Load(path string) (Config, error) {
	c, err := Default()
	if err != nil {
		return c, err
	}
	optional := path == ""
	if optional {
		dir, err := xdg("XDG_CONFIG_HOME", ".config")
		if err != nil {
			return c, err
		}
		path = filepath.Join(dir, "config.toml")
	}
	text, err := os.ReadFile(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", path, explain(err))
	}
	if c.S3.SecretAccessKey != "" {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			return c, fmt.Errorf("%s holds a secret and others may read it: run chmod 600 %s", path, path)
		}
	}
	for i := range c.Warm {
		w := &c.Warm[i]
		w.WorkerType, w.Workers, w.Count = cmp.Or(w.WorkerType, "Z.2X"), cmp.Or(w.Workers, 1), cmp.Or(w.Count, 1)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

var (
	account = regexp.MustCompile(`^[0-9]{12}$`)
	region  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
)

func (c Config) check() error {
	switch {
	case !account.MatchString(c.Server.Account):
		return fmt.Errorf("server.account is %q; an account has 12 digits", c.Server.Account)
	case !region.MatchString(c.Server.Region):
		return fmt.Errorf("server.region is %q; a region looks like us-east-1", c.Server.Region)
	case c.Runs.Timeout <= 0:
		return fmt.Errorf("runs.timeout must be positive, not %s", time.Duration(c.Runs.Timeout))
	case c.Runs.Grace < 0:
		return fmt.Errorf("runs.grace must not be negative")
	case c.Sessions.Limit < 1 || c.Sessions.Workers < 1 || c.Sessions.IdleTimeout <= 0 || c.Sessions.Timeout <= 0:
		return errors.New("sessions.limit, sessions.workers, sessions.idle_timeout and sessions.timeout must be positive")
	case c.Runtime.UnusedFor <= 0 || c.Runtime.MaxSize <= 0:
		return errors.New("runtime.unused_for and runtime.max_size must be positive; large values keep everything")
	case c.S3.Endpoint != "" && (c.S3.AccessKeyID == "" || c.S3.SecretAccessKey == ""):
		return errors.New("s3.endpoint is set: set s3.access_key_id and s3.secret_access_key too")
	case c.S3.Endpoint == "" && (c.S3.AccessKeyID != "" || c.S3.SecretAccessKey != ""):
		return errors.New("keys of s3 are set without s3.endpoint: the embedded store has keys of its own")
	}
	for name, t := range c.WorkerTypes {
		if t.CPUs < 1 || t.Memory < 1<<30 || t.DPU <= 0 {
			return fmt.Errorf("worker_types.%q needs cpus of at least 1, memory of at least 1GiB and a positive dpu", name)
		}
	}
	for _, w := range c.Warm {
		if _, ok := c.WorkerTypes[w.WorkerType]; !ok || w.Runtime == "" || w.Workers < 1 || w.Count < 1 {
			return fmt.Errorf("[[warm]] needs a runtime such as Ray2.60, a worker_type that there is, and workers and count of at least 1: %+v", w)
		}
	}
	return c.checkServices()
}

// explain turns the decoder's errors into ones that say where.
func explain(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		return fmt.Errorf("unknown setting:\n%s", strict.String())
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, col := at.Position()
		return fmt.Errorf("line %d, column %d: %w", row, col, err)
	}
	return err
}

// DataDir is the default data directory.
func DataDir() (string, error) { return xdg("XDG_DATA_HOME", ".local/share") }

// xdg returns Remora's folder in one of the XDG base directories. Relative
// values are to be ignored, says the specification.
func xdg(variable, fallback string) (string, error) {
	base := os.Getenv(variable)
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("set HOME or %s: %w", variable, err)
		}
		base = filepath.Join(home, fallback)
	}
	return filepath.Join(base, "remora"), nil
}
