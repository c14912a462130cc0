package ray

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/remora-project/remora"
)

// Who waits for other clusters' starts can be stopped, and has started nothing.
func TestStoppedBeforeItsTurn(t *testing.T) {
	dir := t.TempDir()
	p := New(Config{Supervisor: []string{"/no/such/program"}, RunDir: dir})
	for range cap(p.starting) {
		p.starting <- struct{}{}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	recorded := false
	spec := remora.ClusterSpec{ID: "c", Runtime: remora.Runtime{Python: "/python"},
		Record: func(context.Context, remora.Handle) error { recorded = true; stop(); return nil }}
	if _, err := p.Start(ctx, spec); !errors.Is(err, context.Canceled) || !recorded {
		t.Errorf("Start returned %v, recorded: %v", err, recorded)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
	if len(p.starting) != cap(p.starting) {
		t.Error("it has given another's turn back")
	}
}
