package providertest

import (
	"os"
	"os/exec"
	"path/filepath"

	remora "github.com/remora-project/remora"
	"golang.org/x/sys/unix"
)

// owner is a file with a lock on it, as the owner of a cluster holds it.
func (b *bed) owner() *os.File {
	b.t.Helper()
	f, err := os.Create(filepath.Join(b.t.TempDir(), "owner"))
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { f.Close() })
	return f
}

// testAssign: a cluster that was started without a target for its logs gets one
// later, once, and outlives its owner from then on.
func testAssign(b *bed) {
	owner := b.owner()
	spec := b.spec()
	target := spec.Logs
	spec.Logs, spec.Owner = remora.LogTarget{}, owner.Name()
	c := b.start(spec)
	if m, err := c.Memory(b.ctx); err != nil || m < 0 {
		b.t.Errorf("memory %d, %v", m, err)
	}
	for range 2 {
		if err := c.Assign(b.ctx, target); err != nil {
			b.t.Fatalf("assign: %v", err)
		}
	}
	b.wantKind(c.Assign(b.ctx, remora.LogTarget{Prefix: target.Prefix, Stream: "another"}), remora.WrongState, "assign to another")
	owner.Close()
	adopted, err := b.Provider().Adopt(b.ctx, c.Handle())
	if err != nil {
		b.t.Fatalf("adopt after the owner's end: %v", err)
	}
	b.wantExit(b.wait(b.run(adopted, sh("says", "echo assigned"))), 0, 0)
	b.logged(target.Stream, "assigned")
}

// testOwner: a cluster that nobody has been given ends with its owner.
func testOwner(b *bed) {
	owner := b.owner()
	spec := b.spec()
	spec.Logs, spec.Owner = remora.LogTarget{}, owner.Name()
	c := b.start(spec)
	owner.Close()
	b.eventually(func() bool {
		_, err := b.Provider().Adopt(b.ctx, c.Handle())
		return remora.KindOf(err) == remora.NotFound
	}, "the cluster of an owner that has ended is still there")
	if pids, err := b.Processes(spec.ID); err != nil || len(pids) > 0 {
		b.t.Errorf("processes %v are left (%v)", pids, err)
	}
}

// testDial: a driver is reached by the socket whose path it was given.
func testDial(b *bed) {
	c := b.start(b.spec())
	_, err := c.Dial(b.ctx, "listens")
	b.wantKind(err, remora.Unavailable, "dial a driver that is not there")
	python, err := exec.LookPath("python3")
	if err != nil {
		b.t.Fatal(err)
	}
	p := b.run(c, remora.Driver{ID: "listens", Argv: []string{python, "-c", `
import os, socket
s = socket.socket(socket.AF_UNIX)
s.bind(os.environ["REMORA_SOCKET"])
s.listen()
peer, _ = s.accept()
peer.sendall(b"hello " + peer.recv(100))
`}})
	var answer []byte
	b.eventually(func() bool {
		conn, err := c.Dial(b.ctx, "listens")
		if err != nil {
			return false
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("you")); err != nil {
			return false
		}
		answer = make([]byte, 100)
		n, _ := conn.Read(answer)
		answer = answer[:n]
		return n > 0
	}, "the driver does not answer on its socket")
	if string(answer) != "hello you" {
		b.t.Errorf("the driver answers %q", answer)
	}
	b.wantExit(b.wait(p), 0, 0)
}
