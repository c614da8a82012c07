package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// WithCameras runs one step of the command line on what is known of cameras.
// grace is how long a recording may be on its way before completeness names it.
// The server may be running or not.
func WithCameras(ctx context.Context, c Config, log *slog.Logger, now func() time.Time, grace time.Duration, step func(*cameras.Desk) error) error {
	secrets, err := loadOwnSecrets(&c)
	if err != nil {
		return err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	service, err := c.openFleet(ctx, secrets, db, log, now)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	vault, err := blobs.New(c.vaultDir())
	if err == nil {
		err = step(cameras.New(cameras.Config{
			Catalog: db, Blobs: vault, Agency: c.agency(), Certify: service.Certify, Grace: grace, Now: now, Log: telemetry.Component(log, "cameras"),
		}).CommandLine())
	}
	return errors.Join(err, db.Close())
}
