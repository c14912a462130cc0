// Package python carries the Python of Remora that runs in jobs' own processes,
// for package runtimes to lay out on disk.
package python

import "embed"

// Files holds the package remora. Patterns, not folders: a folder would leave
// out __init__.py, or take compiled files along.
//
//go:embed remora/*.py remora/*/*.py remora/*/*/*.py
var Files embed.FS
