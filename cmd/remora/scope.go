package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"
	"github.com/remora-project/remora/internal/client"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/keyring"
	"github.com/remora-project/remora/internal/server"
)

// scope is what every command starts from: the context that Ctrl-C ends, and
// the folders and settings that the global flags name.
type scope struct {
	ctx  context.Context
	base context.Context // that Ctrl-C does not end, for who deals with signals itself
}

func (s *scope) dataDir() (string, error) {
	if cli.DataDir != "" {
		return kong.ExpandPath(cli.DataDir), nil
	}
	return config.DataDir()
}

func (s *scope) config() (config.Config, error) {
	path := cli.Config
	if path != "" {
		path = kong.ExpandPath(path)
	}
	c, err := config.Load(path)
	if err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// logger writes for a person at a terminal, or for whatever collects the
// service's own log.
func (s *scope) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// running reads where the server of the data directory listens.
func (s *scope) running() (server.Ready, error) {
	var ready server.Ready
	dir, err := s.dataDir()
	if err != nil {
		return ready, err
	}
	ready, ok := server.Running(dir)
	if !ok {
		return ready, fmt.Errorf("no server is running on %s: start one with `remora serve`, or name its folder with --data-dir", dir)
	}
	return ready, nil
}

// credentials returns the access key that clients of the server use.
func (s *scope) credentials() (id, secret string, err error) {
	cfg, err := s.config()
	if err != nil {
		return "", "", err
	}
	if cfg.S3.Endpoint != "" {
		return cfg.S3.AccessKeyID, cfg.S3.SecretAccessKey, nil
	}
	ring, err := s.keyring()
	if err != nil {
		return "", "", err
	}
	key := ring.Current()
	secret, ok := ring.Secret(key.ID)
	if !ok {
		return "", "", fmt.Errorf("key %s has just expired: try again", key.ID)
	}
	return key.ID, secret, nil
}

func (s *scope) keyring() (*keyring.Keyring, error) {
	dir, err := s.dataDir()
	if err != nil {
		return nil, err
	}
	path := server.KeysPath(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no keys yet: the first `remora serve` makes them", dir)
	}
	return keyring.Open(path)
}

// client returns a client of the running server.
func (s *scope) client() (client.Client, error) {
	ready, err := s.running()
	if err != nil {
		return client.Client{}, err
	}
	id, secret, err := s.credentials()
	if err != nil {
		return client.Client{}, err
	}
	return client.Client{Endpoint: ready.Endpoint, Region: ready.Region, AccessKeyID: id, SecretAccessKey: secret}, nil
}
