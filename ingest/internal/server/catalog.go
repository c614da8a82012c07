package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
)

// openCatalog opens the catalog of a server that exists. It makes none: a wrong
// address is an error and never an empty store.
func (c *Config) openCatalog(ctx context.Context, now func() time.Time) (*sqldb.DB, error) {
	if path, ok := strings.CutPrefix(c.catalogURL(), "sqlite:"); ok {
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no catalog at %s: correct catalog in the configuration, or restore the file from your backup", path)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the catalog: %w", err)
		}
	}
	return sqldb.Open(ctx, c.catalogURL(), now)
}
