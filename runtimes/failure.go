package runtimes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	remora "github.com/remora-project/remora"
)

// asError makes a *remora.Error of what went wrong, if it is none yet.
func asError(op, name string, err error) error {
	var e *remora.Error
	if errors.As(err, &e) {
		return err
	}
	return remora.Unavailablef(op, name, "build runtime %s: %w", name, err)
}

// explain says what a failed step of a build means for the user. It is always
// Unavailable: an environment is made of what other systems provide, and the
// user has to be told what they said.
func (c *Cache) explain(name, step string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	advice := c.advice(err)
	if advice != "" {
		advice = "\n" + advice
	}
	return remora.Unavailablef("runtimes: build", name, "build runtime %s: %s: %w%s", name, step, err, advice)
}

// advice says what to do about what this host lacks; "" if that is not known.
func (c *Cache) advice(err error) string {
	text := strings.ToLower(err.Error())
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || has("no space left", "os error 28", "disk quota exceeded"):
		return "The disk is full: " + c.fullest() + ". Make room there, or move it"
	case has("hash mismatch", "do not match the hashes", "do not match the hash"):
		return "The package index serves other files than those that Remora was tested with"
	case has("offline", "network", "connection", "connect error", "could not connect", "dns error", "error sending request",
		"failed to fetch", "timed out", "timeout", "certificate", "no matching distribution found for uv", "not found in the package registry"):
		return "Check that this host reaches its package index, or set UV_DEFAULT_INDEX or pip's index-url to one that it reaches"
	case has("permission denied", "read-only file system"):
		return "Remora must be able to write to " + c.dir
	}
	return ""
}

// fullest names the directory with the least space of those that a build
// writes to.
func (c *Cache) fullest() string {
	settings := settingsForUV(c.environ, "")
	uvCache := lookup(settings.env, "UV_CACHE_DIR")
	if uvCache == "" {
		base := lookup(settings.env, "XDG_CACHE_HOME")
		if base == "" {
			base = filepath.Join(lookup(settings.env, "HOME"), ".cache")
		}
		uvCache = filepath.Join(base, "uv")
	}
	var where string
	least := uint64(1<<64 - 1)
	for _, dir := range []string{c.dir, uvCache, os.TempDir()} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) != nil {
			continue
		}
		if free := st.Bavail * uint64(st.Bsize); free < least {
			where, least = dir, free
		}
	}
	return fmt.Sprintf("%s has %d MiB left", where, least>>20)
}
