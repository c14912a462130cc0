package supervise_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/remora-project/remora/provider/providertest"
	"github.com/remora-project/remora/provider/supervise"
)

// TestMain is also the supervisor, and who launches one and is gone: tests run
// the test binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "launch" {
		if _, err := supervise.Launch(context.Background(), []string{os.Args[0], "supervise"}, os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		if err := supervise.Main(context.Background(), os.Args[2], providertest.FileSink); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
