package keys

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// The catalog's key, under the root like the agencies' private keys.
const (
	catalogName    = "catalog.key"
	catalogMagic   = "sealdock/catalog-key/v1\n"
	catalogKeySize = 32
)

// ErrNoCatalogKey means that no key of the catalog is kept here: the catalog is in
// clear, as those of earlier programs, or not in a file of the server's.
var ErrNoCatalogKey = errors.New("there is no key of the catalog")

// NewCatalogKey makes a key under which a catalog is sealed.
func NewCatalogKey() []byte {
	key := make([]byte, catalogKeySize)
	rand.Read(key) // never fails: crypto/rand ends the program instead
	return key
}

// KeepCatalogKey writes the key of the catalog under the root. One that is there is
// never replaced.
func (r *Ring) KeepCatalogKey(key []byte) error {
	if r.root == nil {
		return errInMemory
	}
	if err := writeCatalogKey(r.dir, r.root, key); err != nil {
		return fmt.Errorf("keeping the catalog's key: %w", err)
	}
	return nil
}

func writeCatalogKey(dir string, root root, key []byte) error {
	if len(key) != catalogKeySize {
		return fmt.Errorf("it has %d bytes, not %d", len(key), catalogKeySize)
	}
	wrapped, err := root.wrap(catalogMagic, nil, key)
	if err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, catalogName), append([]byte(catalogMagic), wrapped...))
}

// CatalogKey returns the key of the catalog. The error wraps ErrNoCatalogKey where there
// is none.
func (r *Ring) CatalogKey() ([]byte, error) {
	if r.root == nil {
		if r.catalog == nil {
			return nil, ErrNoCatalogKey
		}
		return bytes.Clone(r.catalog), nil
	}
	path := filepath.Join(r.dir, catalogName)
	file, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNoCatalogKey, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the catalog's key: %w", err)
	}
	wrapped, ok := bytes.CutPrefix(file, []byte(catalogMagic))
	if !ok {
		return nil, fmt.Errorf("reading the catalog's key: %s is no such file of a known version", path)
	}
	key, err := r.root.unwrap(catalogMagic, nil, wrapped)
	if err != nil || len(key) != catalogKeySize {
		return nil, fmt.Errorf("reading the catalog's key: %s does not open with this root key: one of the two files is damaged or from another server", path)
	}
	return key, nil
}

// CatalogKey returns the key of the catalog that the escrow holds; nil when it was made
// before there was one.
func (e *Escrow) CatalogKey() []byte { return bytes.Clone(e.catalog) }
