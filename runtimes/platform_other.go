//go:build unix && !linux

package runtimes

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Remora's servers run on Linux; elsewhere the package only has to build.

func dieWithParent(*syscall.SysProcAttr) {}

func syncTree(string) error { return unix.Sync() }
