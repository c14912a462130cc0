package fake_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/fake"
	"github.com/remora-project/remora/provider/providertest"
)

func TestContract(t *testing.T) { providertest.Run(t, harness) }

func harness(t *testing.T) providertest.Harness {
	logs, dir := t.TempDir(), filepath.Join(t.TempDir(), "run")
	sink, err := providertest.FileSink(logs)
	if err != nil {
		t.Fatal(err)
	}
	host := fake.NewHost(dir, sink)
	return providertest.Harness{
		Provider:  func() remora.Provider { return fake.New(host) },
		Runtime:   remora.Runtime{Name: "none"},
		Lines:     func(group, stream string) []string { return providertest.FileLog(logs, group, stream) },
		Processes: host.Processes,
		Dir:       dir,
		Lose: func(t *testing.T, h remora.Handle) {
			var id struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(h, &id); err != nil {
				t.Fatal(err)
			}
			if err := host.Lose(id.ID); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestFaults(t *testing.T) {
	logs := t.TempDir()
	sink, err := providertest.FileSink(logs)
	if err != nil {
		t.Fatal(err)
	}
	host := fake.NewHost(filepath.Join(t.TempDir(), "run"), sink)
	p := fake.New(host)
	recorded := 0
	spec := remora.ClusterSpec{ID: "c", Workers: 1,
		Record: func(context.Context, remora.Handle) error { recorded++; return nil }}

	broken := errors.New("no room")
	host.Inject(fake.Faults{Start: func(_ context.Context, n int) error {
		if n == 1 {
			return broken
		}
		return nil
	}})
	if _, err := p.Start(t.Context(), spec); !errors.Is(err, broken) || recorded != 1 || len(host.Clusters()) != 0 {
		t.Errorf("start: %v, recorded %d times, clusters %q", err, recorded, host.Clusters())
	}
	c, err := p.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Start(t.Context(), spec); remora.KindOf(err) != remora.AlreadyExists {
		t.Errorf("start of a cluster that is there: %v", err)
	}
	host.KillNode("c", 1)
	nodes, err := c.Nodes(t.Context())
	if err != nil || !nodes[0].Alive || nodes[1].Alive {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
	host.Inject(fake.Faults{Run: func(context.Context, remora.Driver) error { return broken }})
	if _, err := c.Run(t.Context(), remora.Driver{ID: "d", Argv: []string{"/bin/true"}}); !errors.Is(err, broken) {
		t.Errorf("run: %v", err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}

	// A start that is slow until nobody waits any more.
	host.Inject(fake.Faults{Start: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }})
	ctx, cancel := context.WithCancel(t.Context())
	spec.Record = func(context.Context, remora.Handle) error { cancel(); return nil }
	if _, err := p.Start(ctx, spec); !errors.Is(err, context.Canceled) || len(host.Clusters()) != 0 {
		t.Errorf("start: %v, clusters %q", err, host.Clusters())
	}
}
