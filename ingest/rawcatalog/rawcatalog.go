// Package rawcatalog opens the database behind a server's catalog, for tools that fill one
// and measure what becomes of it: the benchmark does. The server must not run. It knows
// root keys in clear alone, and only a catalog in a file.
package rawcatalog

import (
	"database/sql"
	"path/filepath"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
)

// Open opens the catalog in a data folder. end closes it.
func Open(dataDir string) (db *sql.DB, end func() error, err error) {
	ring, err := keys.Open(filepath.Join(dataDir, "keys"))
	if err != nil {
		return nil, nil, err
	}
	key, err := ring.CatalogKey()
	if err != nil {
		return nil, nil, err
	}
	return sqldb.Raw(filepath.Join(dataDir, "catalog.db"), key)
}
