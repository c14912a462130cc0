package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

type envCmd struct{}

// serverStarts is how long env waits for a server that was started just before
// it, as in `remora serve & eval "$(remora env)"`.
const serverStarts = 3 * time.Second

// Run prints shell assignments. botocore reads the region from
// AWS_DEFAULT_REGION, other SDKs from AWS_REGION, so both are set.
func (envCmd) Run(s *scope) error {
	ready, err := s.running()
	for deadline := time.Now().Add(serverStarts); err != nil && time.Now().Before(deadline) && s.ctx.Err() == nil; {
		time.Sleep(50 * time.Millisecond)
		ready, err = s.running()
	}
	if err != nil {
		return err
	}
	id, secret, err := s.credentials()
	if err != nil {
		return err
	}
	cfg, err := s.config()
	if err != nil {
		return err
	}
	variables := [][2]string{
		{"AWS_ENDPOINT_URL", ready.Endpoint},
		{"AWS_ENDPOINT_URL_S3", ready.S3Endpoint},
		{"AWS_REGION", ready.Region},
		{"AWS_DEFAULT_REGION", ready.Region},
		{"AWS_ACCESS_KEY_ID", id},
		{"AWS_SECRET_ACCESS_KEY", secret},
	}
	// As in a job, so that a script does the same on its author's machine.
	services := cfg.EndpointVariables()
	for _, name := range slices.Sorted(maps.Keys(services)) {
		variables = append(variables, [2]string{name, services[name]})
	}
	for _, v := range variables {
		fmt.Printf("export %s=%s\n", v[0], shellQuote(v[1]))
	}
	// Left-overs of another account would be sent along, and refused.
	fmt.Println("unset AWS_SESSION_TOKEN AWS_PROFILE")
	return nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
