package control_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/control"
	"golang.org/x/sys/unix"
)

// A control plane that is killed takes the clusters along that nobody has been
// given, and no others.
func TestKilledWithWarmClusters(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.job("j", counted+"while [ ! -e \"$out/go\" ]; do sleep 0.02; done\n")
	p := b.warmPlane(warmShell, warmPython)
	r := p.start("j")
	b.started("count")
	p.open("s")
	p.eval("s", "x = 1", "")
	p.pool(2)
	given := []string{b.clusterOf(b.run(r.ID).Handle), b.clusterOf(b.session("s").Handle)}
	p.kill()
	b.eventually(func() bool { return len(b.host.Clusters()) == 2 }, "clusters of the killed control plane are left")
	if left := b.host.Clusters(); !sameElements(left, given) || !isWarm(given[0]) || !isWarm(given[1]) {
		t.Errorf("the clusters %q are left, %q were given away", left, given)
	}
	p = b.warmPlane(warmShell, warmPython)
	p.eval("s", "x", "1")
	p.end("s")
	b.touch("go")
	b.want(r.ID, remora.Succeeded)
	if n := b.executions("count"); n != 1 {
		t.Errorf("the script was executed %d times", n)
	}
}

// The locks of those that were killed are removed, and no others.
func TestFormerOwners(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	dir := filepath.Join(b.dir, "warm")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"owner-dead", "owner-alive"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if name == "owner-alive" {
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.warmPlane(warmShell)
	if exists(filepath.Join(dir, "owner-dead")) || !exists(filepath.Join(dir, "owner-alive")) {
		t.Error("of the former locks the wrong ones are left")
	}
}

// Until it is assigned a cluster ends with the control plane, and the run is
// provisioned again; from then on it is the run's.
func TestKilledWhileAWarmClusterIsHandedOut(t *testing.T) {
	t.Parallel()
	for _, moment := range append(moments([]string{handleRecorded, assigned}), "after "+runningStored, "after "+driverStarted) {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.job("j", counted+"echo first\n")
			p := b.warmPlane(warmShell)
			warm := p.pool(1)
			p.killAtMoment(moment)
			p.accept(control.StartRequest{JobName: "j"})
			b.eventually(func() bool { return isClosed(p.killed) }, "the control plane did not come to %q", moment)
			p.kill()
			kept := !strings.HasSuffix(moment, handleRecorded) && moment != "before "+assigned
			b.eventually(func() bool { return slices.Contains(b.host.Clusters(), warm[0]) == kept && len(b.host.Clusters()) <= 1 },
				"the clusters are %q", b.host.Clusters())
			b.plane()
			runs, _, err := b.store.ListRuns(t.Context(), "j", remora.Page{Limit: 10})
			if err != nil || len(runs) != 1 {
				t.Fatalf("the runs are %s (%v)", describe(runs...), err)
			}
			r := b.want(runs[0].ID, remora.Succeeded)
			if id := b.clusterOf(r.Handle); (id == warm[0]) != kept || b.executions("count") != 1 {
				t.Errorf("the run was executed %d times, last on %s; %s was ready", b.executions("count"), id, warm[0])
			}
			if log := b.log(r.ID); !slices.Contains(log, "first") {
				t.Errorf("the run's log is %q", log)
			}
		})
	}
}

func TestKilledWhileAWarmClusterIsHandedToASession(t *testing.T) {
	t.Parallel()
	for _, moment := range moments([]string{handleRecorded, assigned}) {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			p := b.warmPlane(warmPython)
			warm := p.pool(1)
			p.killAtMoment(moment)
			p.create("s")
			b.eventually(func() bool { return isClosed(p.killed) }, "the control plane did not come to %q", moment)
			p.kill()
			kept := moment == "after "+assigned
			b.eventually(func() bool { return slices.Contains(b.host.Clusters(), warm[0]) == kept && len(b.host.Clusters()) <= 1 },
				"the clusters are %q", b.host.Clusters())
			p = b.plane()
			p.ready("s")
			p.eval("s", "print('first')", "first\n")
			if id := b.clusterOf(b.session("s").Handle); (id == warm[0]) != kept {
				t.Errorf("the session is on %s; %s was ready", id, warm[0])
			}
			p.end("s")
			if log := b.logBelow(sessionPrefix, "s"); !slices.Contains(log, "first") {
				t.Errorf("the session's log is %q", log)
			}
		})
	}
}
