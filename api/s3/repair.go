package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/versity/versitygw/backend/posix"
)

// Multipart uploads that nobody has touched for so long are removed, as S3 users
// do with a lifecycle rule.
const (
	abandonedAfter = 7 * 24 * time.Hour
	sweepEvery     = time.Hour
)

const inProgress = ".inprogress"

// linkName matches the name under which the backend links a file before it
// renames it over an existing object: dot, the object's name, and the time in
// nanoseconds.
var linkName = regexp.MustCompile(`^\..+\.sgwtmp\.[0-9]{19}$`)

// uploadsDir is where a bucket keeps multipart uploads: a directory per key,
// named for the key's hash, and in it a directory per upload with a file per
// part.
var uploadsDir = filepath.FromSlash(posix.MetaTmpMultipartDir)

func uploadDir(key, uploadID string) string {
	return filepath.Join(uploadsDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))), uploadID)
}

// repair brings the directory back to what was acknowledged: temporary files go,
// and an upload whose completion was interrupted can be completed again.
func (d *directory) repair(ctx context.Context, log *slog.Logger) error {
	err := d.eachBucket(func(bucket string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := removeFiles(filepath.Join(d.buckets, bucket, posix.MetaTmpDir), nil); err != nil {
			return err
		}
		if err := d.repairUploads(bucket); err != nil {
			return err
		}
		if !d.unclean {
			return nil
		}
		return removeLinks(ctx, filepath.Join(d.buckets, bucket))
	})
	if err != nil {
		return fmt.Errorf("repair %s: %w", d.buckets, err)
	}
	return d.sweep(ctx, log, time.Now())
}

func (d *directory) eachBucket(do func(bucket string) error) error {
	entries, err := os.ReadDir(d.buckets)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := do(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// repairUploads renames uploads that were being completed back to what they are
// called while they are open: with the other name every further request for
// them fails, or waits for a completion that nobody works on.
func (d *directory) repairUploads(bucket string) error {
	return d.eachUpload(bucket, func(key, name string) error {
		uploads := filepath.Join(d.buckets, bucket, uploadsDir, key)
		if err := errors.Join(removeFiles(uploads, nil), removeFiles(filepath.Join(uploads, name), linkName)); err != nil {
			return err
		}
		id, _, _ := strings.Cut(name, ".")
		if !strings.HasSuffix(name, inProgress) || id == "" {
			return nil
		}
		from, to := filepath.Join(bucket, uploadsDir, key, name), filepath.Join(bucket, uploadsDir, key, id)
		if d.sidecar != "" {
			err := os.Rename(filepath.Join(d.sidecar, from), filepath.Join(d.sidecar, to))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return os.Rename(filepath.Join(d.buckets, from), filepath.Join(d.buckets, to))
	})
}

// eachUpload calls do for every multipart upload of a bucket, with the names of
// the directories it is in.
func (d *directory) eachUpload(bucket string, do func(key, name string) error) error {
	root := filepath.Join(d.buckets, bucket, uploadsDir)
	keys, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range keys {
		uploads, err := os.ReadDir(filepath.Join(root, key.Name()))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, upload := range uploads {
			if upload.IsDir() {
				if err := do(key.Name(), upload.Name()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sweepPeriodically removes abandoned uploads until ctx ends.
func (d *directory) sweepPeriodically(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := d.sweep(ctx, log, time.Now()); err != nil && ctx.Err() == nil {
				log.Warn("cannot remove abandoned multipart uploads", "error", err)
			}
		}
	}
}

// sweep removes the uploads whose last sign of life is abandonedAfter ago.
func (d *directory) sweep(ctx context.Context, log *slog.Logger, now time.Time) error {
	return d.eachBucket(func(bucket string) error {
		return d.eachUpload(bucket, func(key, name string) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			upload := filepath.Join(bucket, uploadsDir, key, name)
			// A part that is added or replaced touches the directory.
			info, err := os.Stat(filepath.Join(d.buckets, upload))
			if errors.Is(err, os.ErrNotExist) || err == nil && now.Sub(info.ModTime()) < abandonedAfter {
				return nil
			}
			if err != nil {
				return err
			}
			log.Info("removing abandoned multipart upload", "bucket", bucket, "upload", name, "last", info.ModTime())
			if err := os.RemoveAll(filepath.Join(d.buckets, upload)); err != nil {
				return err
			}
			os.Remove(filepath.Join(d.buckets, filepath.Dir(upload))) // unless the key has other uploads
			if d.sidecar == "" {
				return nil
			}
			return os.RemoveAll(filepath.Join(d.sidecar, upload))
		})
	})
}

// removeFiles removes the regular files in a directory whose name matches; nil
// matches all.
func removeFiles(dir string, name *regexp.Regexp) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && (name == nil || name.MatchString(e.Name())) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeLinks looks for interrupted replacements below a bucket: whole objects
// under a name that nobody gave them. It reads every directory, so it is done
// only after a process was killed.
func removeLinks(ctx context.Context, bucket string) error {
	return filepath.WalkDir(bucket, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case e.IsDir() && e.Name() == posix.MetaTmpDir:
			return fs.SkipDir
		case e.Type().IsRegular() && linkName.MatchString(e.Name()):
			return os.Remove(path)
		}
		return nil
	})
}
