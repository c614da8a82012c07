package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/stamp"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// openStamp returns who keeps the custody log stamped; nil where no authority is
// configured.
func (c *Config) openStamp(catalog *sqldb.DB, log *slog.Logger, now func() time.Time) (*stamp.Service, error) {
	if c.StampURL == "" {
		return nil, nil
	}
	roots, err := os.ReadFile(c.StampRoots)
	if err != nil {
		return nil, fmt.Errorf("timestamp_authority: %w", err)
	}
	return stamp.New(stamp.Config{
		Catalog: catalog, Agency: c.agency(), Origin: c.logOrigin(), URL: c.StampURL, Roots: roots, Every: time.Duration(c.StampEvery),
		Client: &http.Client{}, Now: now, Logger: telemetry.Component(log, "stamp"),
	})
}

// StampLog has the custody log's newest checkpoint stamped now. The server may be
// running or not.
func StampLog(ctx context.Context, c Config, log *slog.Logger, now func() time.Time) (v *catalog.Stamp, err error) {
	if c.StampURL == "" {
		return nil, errors.New("no time-stamp authority is configured: set timestamp_url and timestamp_authority")
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := c.openStamp(db, log, now)
	if err != nil {
		return nil, err
	}
	v, err = s.Stamp(ctx)
	if errors.Is(err, catalog.ErrExists) {
		return db.NewestStamp(ctx)
	}
	return v, err
}
