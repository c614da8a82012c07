package fs

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
)

const extension = ".floe"

// folders of the places, below the store's folder.
func folder(p vault.Place) string {
	switch p {
	case vault.Committed:
		return "blobs"
	case vault.Quarantined:
		return "quarantine"
	}
	return "partial"
}

// name returns the path of a blob, below the store's folder.
func name(p vault.Place, key vault.Key) string {
	file := key.ID.String() + "-" + strconv.FormatUint(uint64(key.Attempt), 10) + extension
	if p == vault.Committed {
		return filepath.Join(folder(p), string(key.Agency), file[:2], file)
	}
	return filepath.Join(folder(p), string(key.Agency), file)
}

// asideName is name for the n-th blob of a key in quarantine, from 1.
func asideName(key vault.Key, n int) string {
	first := name(vault.Quarantined, key)
	if n == 1 {
		return first
	}
	return first + "." + strconv.Itoa(n)
}

// Path is where a blob of the store in dir lies.
func Path(dir string, p vault.Place, key vault.Key) string { return filepath.Join(dir, name(p, key)) }

// parseName is the inverse of name and of asideName. It accepts nothing that they do
// not make.
func parseName(p vault.Place, path string) (vault.Key, error) {
	if p == vault.Quarantined {
		for n := 2; n <= vault.MaxAside; n++ {
			if rest, ok := strings.CutSuffix(path, extension+"."+strconv.Itoa(n)); ok {
				path = rest + extension
				break
			}
		}
	}
	parts := strings.Split(filepath.ToSlash(path), "/")
	if len(parts) < 3 {
		return vault.Key{}, fmt.Errorf("%s is not the name of a blob", path)
	}
	id, attempt, ok := strings.Cut(strings.TrimSuffix(parts[len(parts)-1], extension), "-")
	n, err := strconv.ParseUint(attempt, 10, 32)
	if !ok || err != nil {
		return vault.Key{}, fmt.Errorf("%s is not the name of a blob", path)
	}
	key := vault.Key{Agency: evidence.AgencyID(parts[1]), Attempt: uint32(n)}
	if key.ID, err = evidence.ParseEvidenceID(id); err != nil {
		return vault.Key{}, fmt.Errorf("%s is not the name of a blob: %w", path, err)
	}
	if err := key.Check(); err != nil || name(p, key) != path {
		return vault.Key{}, fmt.Errorf("%s is not the name of a blob", path)
	}
	return key, nil
}
