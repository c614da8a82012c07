package fs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/durable"
)

// blob is a vault.Blob on a file that nobody writes any more.
type blob struct {
	*durable.File
	size int64
}

func (b *blob) Size() int64 { return b.size }

// Open implements vault.Store.
func (s *Store) Open(ctx context.Context, key vault.Key) (vault.Blob, error) {
	return s.read(ctx, key, s.path(vault.Committed, key))
}

// OpenQuarantined implements vault.Store.
func (s *Store) OpenQuarantined(ctx context.Context, key vault.Key) (vault.Blob, error) {
	n, err := s.aside(key)
	if err != nil {
		return nil, fmt.Errorf("opening blob %s: %w", key, err)
	}
	return s.read(ctx, key, filepath.Join(s.dir, asideName(key, max(n, 1))))
}

func (s *Store) read(ctx context.Context, key vault.Key, path string) (vault.Blob, error) {
	if err := errors.Join(ctx.Err(), key.Check()); err != nil {
		return nil, fmt.Errorf("opening blob %s: %w", key, err)
	}
	f, err := durable.OpenRead(path)
	if err != nil {
		return nil, fmt.Errorf("opening blob %s: %w", key, err)
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening blob %s: %w", key, err), f.Close())
	}
	return &blob{f, size}, nil
}

// List implements vault.Store. Files that are no blob's are listed as Foreign.
func (s *Store) List(ctx context.Context, each func(vault.Info) error) error {
	for _, p := range []vault.Place{vault.Committed, vault.Partial, vault.Quarantined} {
		err := filepath.WalkDir(filepath.Join(s.dir, folder(p)), func(path string, entry fs.DirEntry, err error) error {
			if err := errors.Join(ctx.Err(), err); err != nil {
				return err
			}
			if entry.IsDir() {
				return nil
			}
			return s.listed(p, path, entry, each)
		})
		if err != nil {
			return fmt.Errorf("listing the evidence store: %w", err)
		}
	}
	return nil
}

func (s *Store) listed(p vault.Place, path string, entry fs.DirEntry, each func(vault.Info) error) error {
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // committed, moved or dropped since the folder was read
	}
	if err != nil {
		return err
	}
	short, err := filepath.Rel(s.dir, path)
	if err != nil {
		return err
	}
	found := vault.Info{Place: vault.Foreign, Name: short, Size: info.Size(), Modified: info.ModTime().UTC()}
	if key, err := parseName(p, short); err == nil && info.Mode().IsRegular() {
		found.Key, found.Place = key, p
	}
	return each(found)
}
