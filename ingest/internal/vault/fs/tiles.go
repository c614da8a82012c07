package fs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealdock/sealdock/internal/durable"
)

// maxTile bounds what is read as one resource of a log, in bytes.
const maxTile = 256*(64<<10+2) + 1

// TileStore keeps the resources of a log as files; it implements tlog.Tiles.
// Safe for concurrent use.
type TileStore struct {
	dir  string
	made folders
}

// Tiles returns the log storage in dir, which is made when something is put.
func Tiles(dir string) *TileStore { return &TileStore{dir: dir} }

// Get implements tlog.Tiles.
func (t *TileStore) Get(ctx context.Context, path string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkResource(path); err != nil {
		return nil, err
	}
	file := filepath.Join(t.dir, filepath.FromSlash(path))
	info, err := os.Lstat(file)
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxTile {
		return nil, fmt.Errorf("reading the log: %s is no file, or longer than %d bytes", file, maxTile)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	return data, nil
}

// Put implements tlog.Tiles. When a tile has become full, its partial forms are
// dropped, as C2SP tlog-tiles allows: readers fall back to the full one.
func (t *TileStore) Put(ctx context.Context, path string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkResource(path); err != nil {
		return err
	}
	file := filepath.Join(t.dir, filepath.FromSlash(path))
	if err := t.made.make(filepath.Dir(file)); err != nil {
		return fmt.Errorf("writing the log: %w", full(err))
	}
	if err := durable.WriteFile(file, data, fileMode); err != nil {
		return fmt.Errorf("writing the log: %w", full(err))
	}
	if strings.HasPrefix(path, "tile/") && !strings.Contains(path, ".p/") {
		t.made.forget(file + ".p")
		if err := os.RemoveAll(file + ".p"); err != nil {
			return fmt.Errorf("writing the log: dropping what %s replaces: %w", path, err)
		}
	}
	return nil
}

// checkResource accepts what the log's names are made of, and nothing that
// leaves the folder.
func checkResource(path string) error {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '/' && r != '.' && r != '-'
	}
	if !fs.ValidPath(path) || path == "." || len(path) > 200 || strings.ContainsFunc(path, odd) {
		return fmt.Errorf("log resource %q: not a name of the log", path)
	}
	return nil
}

// forget lets make look again.
func (f *folders) forget(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.made, path)
}
