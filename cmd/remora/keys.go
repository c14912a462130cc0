package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

type keysCmd struct {
	List   keysListCmd   `cmd:"" default:"1" help:"List the access keys."`
	Rotate keysRotateCmd `cmd:"" help:"Make a new access key; the old ones stay valid for a while."`
	Revoke keysRevokeCmd `cmd:"" help:"Make an access key invalid at once."`
}

type keysListCmd struct{}

func (keysListCmd) Run(s *scope) error {
	ring, err := s.keyring()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tMADE\tSTATUS")
	for _, k := range ring.List() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.ID, k.Created.Format(time.RFC3339), k.Status)
	}
	return w.Flush()
}

type keysRotateCmd struct {
	Grace time.Duration `default:"24h" help:"How long the former keys stay valid, so that running jobs go on."`
}

func (c keysRotateCmd) Run(s *scope) error {
	if cfg, err := s.config(); err != nil {
		return err
	} else if cfg.S3.Endpoint != "" {
		return fmt.Errorf("the keys in use are those of the S3 store at %s: rotate them there and in the configuration", cfg.S3.Endpoint)
	}
	ring, err := s.keyring()
	if err != nil {
		return err
	}
	key, err := ring.Rotate(c.Grace)
	if err != nil {
		return err
	}
	fmt.Printf("%s is the access key now; former keys are valid for another %s.\nRun eval \"$(remora env)\" again where you use them.\n", key.ID, c.Grace)
	return nil
}

type keysRevokeCmd struct {
	ID string `arg:"" help:"Access key id."`
}

func (c keysRevokeCmd) Run(s *scope) error {
	ring, err := s.keyring()
	if err != nil {
		return err
	}
	if err := ring.Revoke(c.ID); err != nil {
		return err
	}
	fmt.Printf("%s is no longer valid.\n", c.ID)
	return nil
}
