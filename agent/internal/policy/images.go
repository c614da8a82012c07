package policy

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Images keeps firmware images, each fetched once for all cameras of a dock. An
// image that Open gives is whole and right by its SHA-256. Safe for concurrent
// use.
type Images struct {
	folder string
	mu     sync.Mutex // held while files change
}

// NewImages keeps images in a folder, made when the first one comes.
func NewImages(folder string) *Images { return &Images{folder: filepath.Join(folder, "firmware")} }

func (i *Images) whole(sum evidence.Digest) string {
	return filepath.Join(i.folder, sum.String()+".bin")
}
func (i *Images) partial(sum evidence.Digest) string {
	return filepath.Join(i.folder, sum.String()+".part")
}

// Has reports whether an image is there, whole.
func (i *Images) Has(sum evidence.Digest) bool {
	_, err := os.Stat(i.whole(sum))
	return err == nil
}

// Open opens an image for reading. The error wraps fs.ErrNotExist when it is not
// there yet.
func (i *Images) Open(sum evidence.Digest) (*os.File, error) { return os.Open(i.whole(sum)) }

// Receive appends what comes to the part that is there already, and makes it a
// whole image when its length and hash are right. from is called with the first
// byte that is missing, and gives the rest. A broken stream keeps what came; a
// wrong image is dropped whole.
func (i *Images) Receive(f *evidence.Firmware, from func(offset uint64) (io.Reader, error)) (err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.Has(f.SHA256) {
		return nil
	}
	if err := durable.MkdirAll(i.folder, 0o700); err != nil {
		return fmt.Errorf("fetching firmware %s: %w", f.Release, err)
	}
	file, err := durable.OpenFile(i.partial(f.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		file, err = durable.CreateFile(i.partial(f.SHA256), 0o600)
	}
	if err != nil {
		return fmt.Errorf("fetching firmware %s: %w", f.Release, err)
	}
	complete, err := i.fill(f, file, from)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("fetching firmware %s: %w", f.Release, err)
	}
	if !complete {
		return errors.Join(fmt.Errorf("fetching firmware %s: the image that came is not the one that its maker signed; it is fetched again", f.Release), durable.Remove(i.partial(f.SHA256)))
	}
	return durable.Rename(i.partial(f.SHA256), i.whole(f.SHA256))
}

// fill brings the file to its full length and says whether it is the right one.
func (i *Images) fill(f *evidence.Firmware, file *durable.File, from func(offset uint64) (io.Reader, error)) (right bool, err error) {
	size, err := file.Size()
	if err != nil {
		return false, err
	}
	at := uint64(size)
	if at < f.Length {
		r, err := from(at)
		if err != nil {
			return false, err
		}
		buffer := make([]byte, 256<<10)
		for at < f.Length {
			n, err := r.Read(buffer[:min(uint64(len(buffer)), f.Length-at)])
			if n > 0 {
				if _, err := file.WriteAt(buffer[:n], int64(at)); err != nil {
					return false, err
				}
				at += uint64(n)
			}
			if err != nil {
				return false, errors.Join(fmt.Errorf("after %d of %d bytes: %w", at, f.Length, err), file.Sync())
			}
		}
	}
	if err := file.Sync(); err != nil {
		return false, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, int64(at))); err != nil {
		return false, err
	}
	return at == f.Length && evidence.Digest(sum.Sum(nil)) == f.SHA256, nil
}

// Keep removes every image that none of the offers names.
func (i *Images) Keep(offers []Firmware) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	entries, err := os.ReadDir(i.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tidying firmware images: %w", err)
	}
	wanted := map[string]bool{}
	for n := range offers {
		wanted[offers[n].SHA256.String()] = true
	}
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		if wanted[name] {
			continue
		}
		if err := durable.Remove(filepath.Join(i.folder, e.Name())); err != nil {
			return fmt.Errorf("tidying firmware images: %w", err)
		}
	}
	return nil
}
