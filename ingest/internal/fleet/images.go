package fleet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Image is a published firmware image, open for reading. It belongs to one
// caller.
type Image struct {
	file *durable.File
	size int64
}

// ReadAt implements io.ReaderAt.
func (i *Image) ReadAt(p []byte, off int64) (int, error) { return i.file.ReadAt(p, off) }

// Size is the length in bytes.
func (i *Image) Size() int64 { return i.size }

// Close ends reading.
func (i *Image) Close() error { return i.file.Close() }

// Image opens an image that is published for the agency. The error wraps
// catalog.ErrNotFound when there is none, or none any more.
func (s *Service) Image(ctx context.Context, agency evidence.AgencyID, sum evidence.Digest) (*Image, error) {
	row, err := s.Catalog.FirmwareImage(ctx, agency, sum)
	if err != nil {
		return nil, err
	}
	file, err := durable.OpenRead(s.imagePath(agency, sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the image of firmware %s %s is gone from %s: publish it again, or restore the folder from your backup: %w", row.Model, row.Release, s.Images, err)
	}
	if err != nil {
		return nil, err
	}
	size, err := file.Size()
	if err == nil && uint64(size) != row.Length {
		err = fmt.Errorf("the image of firmware %s %s has %d bytes, want %d: publish it again", row.Model, row.Release, size, row.Length)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Image{file, size}, nil
}

// imagePath is where an image is, by its hash.
func (s *Service) imagePath(agency evidence.AgencyID, sum evidence.Digest) string {
	return filepath.Join(s.Images, string(agency), sum.String()+".bin")
}

// stage writes an image into a new file beside its place, durable but for its
// name, and compares it with its statement. The caller places or removes it.
func (s *Service) stage(ctx context.Context, from io.Reader, f *evidence.Firmware) (path string, err error) {
	place := s.imagePath(s.Agency, f.SHA256)
	if err := durable.MkdirAll(filepath.Dir(place), 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(place), durable.TempPrefix+rand.Text())
	file, err := durable.CreateFile(path, 0o600)
	if err != nil {
		return "", err
	}
	err = copyImage(ctx, file, from, f)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, durable.Remove(path))
	}
	return path, nil
}

// copyImage copies no more than the statement's length.
func copyImage(ctx context.Context, to *durable.File, from io.Reader, f *evidence.Firmware) error {
	hash := sha256.New()
	in := io.LimitReader(from, int64(f.Length)+1)
	buffer := make([]byte, 1<<20)
	var length uint64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(in, buffer)
		if n > 0 {
			hash.Write(buffer[:n])
			if _, err := to.WriteAt(buffer[:n], int64(length)); err != nil {
				return err
			}
			length += uint64(n)
		}
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the firmware image: %w", err)
		}
	}
	if length > f.Length {
		return fmt.Errorf("the image is longer than the %d bytes of its statement: the two files do not belong together", f.Length)
	}
	if length < f.Length {
		return fmt.Errorf("the image has %d bytes, its statement says %d: it is cut off, or the two files do not belong together", length, f.Length)
	}
	if evidence.Digest(hash.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("the image has another SHA-256 than its statement says: it is damaged, or the two files do not belong together")
	}
	return nil
}
