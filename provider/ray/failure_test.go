package ray_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	remora "github.com/remora-project/remora"
	"github.com/remora-project/remora/provider/ray"
)

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// TestGCSKilled: a driver that does not notice the loss of its cluster is ended
// and says so.
func TestGCSKilled(t *testing.T) {
	b := newBed(t, func(c *ray.Config, _ *remora.ClusterSpec) { c.LostGrace = 300 * time.Millisecond })
	b.start()
	p := b.run(b.script("hang.py"))
	b.logged("hanging")
	kill(t, b.find("gcs_server", "--node-id="))
	exit := b.wait(p)
	if exit.Code == 0 || !strings.Contains(exit.Error, "lost") || !strings.Contains(exit.Error, "head") {
		t.Errorf("exit %+v, want an error that says that the cluster was lost with its head", exit)
	}
	b.eventually("the run's log does not tell of the loss", func() bool {
		return strings.Contains(strings.Join(b.log(remora.ScriptLog, ""), "\n"), "the cluster was lost")
	})
	_, err := b.cluster.Run(b.ctx, remora.Driver{ID: "late", Argv: []string{"/bin/true"}})
	if remora.KindOf(err) != remora.Unavailable {
		t.Errorf("run in a lost cluster: %v", err)
	}
}

// TestWorkerKilled: the driver goes on, and the node is seen to be dead.
func TestWorkerKilled(t *testing.T) {
	b := newBed(t, nil)
	b.start()
	p := b.run(remora.Driver{ID: "d", Argv: []string{"/bin/sh", "-c", "echo up; while :; do sleep 0.01; done"}})
	b.logged("up")
	kill(t, b.find("raylet/raylet", "--node-name=worker-1"))
	b.eventually("the GCS takes the killed node for alive", func() bool {
		nodes, err := b.cluster.Nodes(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		dead := 0
		for _, n := range nodes {
			if !n.Alive {
				dead++
				if n.Head {
					t.Error("the head is dead")
				}
			}
		}
		return dead == 1
	})
	b.eventually("the run's log does not tell of the node", func() bool {
		return strings.Contains(strings.Join(b.log(remora.ScriptLog, ""), "\n"), "worker-1")
	})
	if e := b.wait(b.run(remora.Driver{ID: "next", Argv: []string{"/bin/true"}})); e.Code != 0 {
		t.Errorf("the next driver: %+v", e)
	}
	if err := p.Stop(b.ctx, deadline); err != nil {
		t.Errorf("the first driver is gone: %v", err)
	}
}

// TestStartFails: the error says what the failing process said last.
func TestStartFails(t *testing.T) {
	script := func(t *testing.T, text string) string {
		path := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, python, want string
		within             time.Duration
	}{
		{"NoInterpreter", "/no/such/python", "/no/such/python", time.Minute},
		{"NoRay", script(t, "echo 'No module named ray' >&2; exit 1"), "No module named ray", time.Minute},
		{"NeverJoins", script(t, "echo 'still thinking'; (setsid sleep 1000 &); exec sleep 1000"), "still thinking", 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, func(c *ray.Config, s *remora.ClusterSpec) {
				c.StartTimeout = tt.within
				s.Runtime.Python = tt.python
			})
			_, err := b.provider.Start(b.ctx, b.spec)
			if remora.KindOf(err) != remora.Unavailable || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("start: %v, want an error with %q in it", err, tt.want)
			}
		})
	}
}

// TestLease: a cluster that nobody wants ends by itself, and how its driver
// ended is kept.
func TestLease(t *testing.T) {
	b := newBed(t, func(c *ray.Config, _ *remora.ClusterSpec) { c.Lease = 8 * time.Second })
	b.start()
	b.wait(b.run(remora.Driver{ID: "d", Argv: []string{"/bin/sh", "-c", "exit 9"}}))
	b.eventually("the cluster's processes are there", func() bool { return len(b.processes()) == 0 })
	again, err := b.provider.Adopt(b.ctx, b.cluster.Handle())
	if err != nil {
		t.Fatalf("adopt: %v", err)
	}
	p, err := again.Process(b.ctx, "d")
	if err != nil {
		t.Fatalf("the driver: %v", err)
	}
	if e := b.wait(p); e.Code != 9 {
		t.Errorf("exit %+v, want code 9", e)
	}
}
