package fake_test

import (
	"encoding/json"
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
