package s3

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/xattr"
	"github.com/versity/versitygw/backend/meta"
	"golang.org/x/sys/unix"

	"github.com/remora-project/remora"
)

// directory is Config.Dir, taken over by this process. All paths are absolute.
type directory struct {
	buckets string
	sidecar string // empty: metadata is in extended attributes
	lock    *os.File
	former  string // the working directory before Open
	unclean bool   // the last process that had it open was killed
}

// Words in the file that remembers where metadata is kept.
const (
	inAttributes = "xattr"
	inSidecar    = "sidecar"
)

// openDirectory makes the layout and takes the lock.
func openDirectory(path string) (*directory, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	d := &directory{buckets: filepath.Join(root, "buckets")}
	if d.former, err = os.Getwd(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.buckets, 0o700); err != nil {
		return nil, err
	}
	if d.lock, err = os.OpenFile(filepath.Join(root, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		d.lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, remora.Unavailablef("api/s3: open", root, "%s is in use by another process", root)
		}
		return nil, fmt.Errorf("lock %s: %w", root, err)
	}
	info, err := d.lock.Stat()
	if err == nil {
		d.unclean = info.Size() > 0
		_, err = d.lock.WriteAt([]byte("open\n"), 0)
	}
	if err == nil {
		err = d.placeMetadata(root)
	}
	if err != nil {
		d.lock.Close()
		return nil, err
	}
	return d, nil
}

// placeMetadata decides once per directory where metadata goes. Extended
// attributes are preferred: they are set on the file before it gets its name, so
// that content and metadata appear in one step. The sidecar is for file systems
// that have none (tmpfs before Linux 6.6, some network file systems).
func (d *directory) placeMetadata(root string) error {
	decision := filepath.Join(root, "metadata")
	word, err := os.ReadFile(decision)
	if errors.Is(err, os.ErrNotExist) {
		word = []byte(inSidecar)
		if hasAttributes(d.buckets) {
			word = []byte(inAttributes)
		}
		err = writeDurably(decision, append(word, '\n'))
	}
	if err != nil {
		return err
	}
	switch where := strings.TrimSpace(string(word)); where {
	case inAttributes:
		if !hasAttributes(d.buckets) {
			return fmt.Errorf("the metadata of %s is in extended attributes, which its file system does not "+
				"support: move it back, with its attributes, to one that does", root)
		}
		return nil
	case inSidecar:
		d.sidecar = filepath.Join(root, "sidecar")
		return os.MkdirAll(d.sidecar, 0o700)
	default:
		return fmt.Errorf("%s says %q; %q and %q are known", decision, where, inAttributes, inSidecar)
	}
}

// hasAttributes tries to set one, in the size of what an object usually has.
func hasAttributes(dir string) bool {
	f, err := os.CreateTemp(dir, ".probe")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return xattr.FSet(f, "user.remora.probe", make([]byte, 2<<10)) == nil
}

func (d *directory) metadata() meta.MetadataStorer {
	if d.sidecar == "" {
		return meta.XattrMeta{}
	}
	sidecar, _ := meta.NewSideCar(d.sidecar) // fails only where there is no directory
	return sidecar
}

// close gives the directory back. clean says that nothing was cut short.
func (d *directory) close(clean bool) {
	if clean {
		d.lock.Truncate(0)
	}
	d.lock.Close()
	os.Chdir(d.former) // it may be gone
}

// writeDurably writes a small file that is either whole or not there.
func writeDurably(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
