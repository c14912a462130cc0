package s3

import (
	"errors"
	"log/slog"
	"os"
	"testing"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3err"
)

// fullMetadata refuses everything, as an ext4 file whose 4 KiB are used up.
type fullMetadata struct{ meta.MetadataStorer }

func (fullMetadata) StoreAttribute(*os.File, string, string, string, []byte) error {
	return s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)
}

func TestManyParts(t *testing.T) {
	m := durableMetadata{fullMetadata{}, slog.New(slog.DiscardHandler)}
	if err := m.StoreAttribute(nil, "bucket", "key", partsAttribute, make([]byte, 30<<10)); err != nil {
		t.Errorf("an object of many parts cannot be stored: %v", err)
	}
	if err := m.StoreAttribute(nil, "bucket", "key", etagAttribute, []byte("etag")); err == nil {
		t.Error("an object lost its ETag and nobody noticed")
	}
}

// TestContentIsFlushedFirst sees whether the flush comes before the attribute: it
// fails on a file that cannot be flushed.
func TestContentIsFlushedFirst(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	m := durableMetadata{fullMetadata{}, slog.New(slog.DiscardHandler)}
	var known s3err.S3Error
	if err := m.StoreAttribute(w, "bucket", "key", etagAttribute, nil); err == nil || errors.As(err, &known) {
		t.Errorf("the attribute came first: %v", err)
	}
	if err := m.StoreAttribute(w, "bucket", "key", "content-type", nil); !errors.As(err, &known) {
		t.Errorf("every attribute flushes: %v", err)
	}
}
