package control_test

import (
	"context"
	"errors"
	"time"

	"github.com/remora-project/remora"
)

type provider struct {
	remora.Provider
	*gate
}

func (p provider) Start(ctx context.Context, spec remora.ClusterSpec) (remora.Cluster, error) {
	p.pass("before", clusterStarted)
	c, err := p.Provider.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	p.pass("after", clusterStarted)
	return cluster{c, p.gate}, nil
}

func (p provider) Adopt(ctx context.Context, h remora.Handle) (remora.Cluster, error) {
	if err := p.pass("at", "adoption"); err != nil {
		return nil, err
	}
	c, err := p.Provider.Adopt(ctx, h)
	if err != nil {
		return nil, err
	}
	return cluster{c, p.gate}, nil
}

type cluster struct {
	remora.Cluster
	*gate
}

func (c cluster) Run(ctx context.Context, d remora.Driver) (remora.Process, error) {
	c.pass("before", driverStarted)
	p, err := c.Cluster.Run(ctx, d)
	if err != nil {
		return nil, err
	}
	c.pass("after", driverStarted)
	return process{p, c.gate}, nil
}

func (c cluster) Process(ctx context.Context, id string) (remora.Process, error) {
	c.open()
	p, err := c.Cluster.Process(ctx, id)
	if err != nil {
		return nil, err
	}
	return process{p, c.gate}, nil
}

func (c cluster) Stop(ctx context.Context) error {
	if err := c.pass("before", clusterStopped); err != nil {
		return err
	}
	err := c.Cluster.Stop(ctx)
	c.pass("after", clusterStopped)
	return err
}

func (c cluster) Nodes(ctx context.Context) ([]remora.Node, error) {
	if err := errors.Join(c.pass("at", nodes), c.hang(ctx, nodes)); err != nil {
		return nil, err
	}
	return c.Cluster.Nodes(ctx)
}

func (c cluster) Memory(ctx context.Context) (int64, error) {
	if err := errors.Join(c.pass("at", memory), c.hang(ctx, memory)); err != nil {
		return 0, err
	}
	_, err := c.Cluster.Memory(ctx)
	return 1 << 20, err // the fake has no processes that wait
}

func (c cluster) Assign(ctx context.Context, t remora.LogTarget) error {
	if err := errors.Join(c.pass("before", assigned), c.hang(ctx, assigned)); err != nil {
		return err
	}
	err := c.Cluster.Assign(ctx, t)
	c.pass("after", assigned)
	return err
}

type process struct {
	remora.Process
	*gate
}

func (p process) Wait(ctx context.Context) (remora.Exit, error) {
	p.open()
	exit, err := p.Process.Wait(ctx)
	if ctx.Err() == nil {
		p.pass("before", driverEnded)
		p.pass("after", driverEnded)
	}
	return exit, err
}

func (p process) Stop(ctx context.Context, grace time.Duration) error {
	if err := p.pass("at", driverStopped); err != nil {
		return err
	}
	return p.Process.Stop(ctx, grace)
}

func (p process) Elapsed(ctx context.Context) (time.Duration, error) {
	p.open()
	t, err := p.Process.Elapsed(ctx)
	return t + p.older, err
}
