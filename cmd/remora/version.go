package main

import (
	"fmt"
	"runtime"
)

// version is set by the build: go build -ldflags "-X main.version=…".
var version = "development"

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Printf("remora %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
