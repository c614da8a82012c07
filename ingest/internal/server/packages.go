package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/export"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// logging is how long a command waits for the running server to take its events
// into the log.
const logging = 30 * time.Second

// inProcess is the custody log that this process writes.
type inProcess struct{ log *audit.Log }

// Await implements export.Log.
func (r inProcess) Await(ctx context.Context, _ int64) error {
	_, _, err := r.log.Sequence(ctx)
	return err
}

// elsewhere is the custody log that the running server writes.
type elsewhere struct{ catalog *sqldb.DB }

// Await implements export.Log.
func (e elsewhere) Await(ctx context.Context, event int64) error {
	ctx, cancel := context.WithTimeout(ctx, logging)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		index, err := e.catalog.LogIndex(ctx, event)
		if err != nil {
			return err
		}
		state, err := e.catalog.LogState(ctx)
		if err != nil {
			return err
		}
		if index != nil && *index < state.Size {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the running server to take event %d into the custody log: %w", event, ctx.Err())
		}
	}
}

// packages is the maker of custody packages.
func (p *parts) packages(log export.Log) *export.Service {
	c := p.config
	return export.New(export.Config{
		Catalog: p.catalog, Blobs: p.vault, Keys: p.secrets.ring, Log: log, Tiles: p.tiles, Agency: c.agency(), LogOrigin: c.logOrigin(), Restored: c.restored,
		LogKey: p.secrets.checkpoint.Public(), DerivativeKey: p.secrets.derivativePublic(), ReceiptKey: p.secrets.receipt.Public(), Host: c.PublicNames[0], Program: "sealdock-ingest " + p.version,
		Witnesses: c.witnessKeys(), Page: export.Page(), Now: p.now, Logger: telemetry.Component(p.log, "export"),
	})
}

// WithPackages runs one step of the command line that makes custody packages. The
// server may be running or not.
func WithPackages(ctx context.Context, c Config, version string, log *slog.Logger, now func() time.Time, step func(*export.Service) error) (err error) {
	p := &parts{config: &c, version: version, log: log, now: now}
	defer func() { err = errors.Join(err, p.close()) }()
	if p.secrets, err = loadSecrets(&c); err != nil {
		return err
	}
	p.unlock, err = durable.LockDir(c.DataDir)
	isRunning := errors.Is(err, durable.ErrLocked)
	if err != nil && !isRunning {
		return err
	}
	c.locked = !isRunning
	if p.catalog, err = c.openCatalog(ctx, now); err != nil {
		return err
	}
	if p.vault, err = blobs.New(c.vaultDir()); err != nil {
		return err
	}
	if isRunning {
		p.tiles = blobs.Tiles(c.logDir())
		return step(p.packages(elsewhere{p.catalog}))
	}
	if p.audit, p.tiles, err = openLog(ctx, &c, p.secrets, p.catalog, log, now); err != nil {
		return err
	}
	return step(p.packages(inProcess{p.audit}))
}

// LogKey is the custody log's public key as text (C2SP signed-note).
func LogKey(ctx context.Context, c Config, now func() time.Time) (string, error) {
	secrets, err := loadOwnSecrets(&c)
	if err != nil {
		return "", err
	}
	db, err := c.openCatalog(ctx, now) // which knows the log's name by now
	if err != nil {
		return "", err
	}
	key, err := tlog.VerifierKey(c.logOrigin(), secrets.checkpoint.Public())
	return key, errors.Join(err, db.Close())
}

// LogProof is the proof that the storing of an item is in the custody log (C2SP
// tlog-proof), for somebody who gets nothing else. It names the recording's path on
// its camera and its hash. The server may be running.
func LogProof(ctx context.Context, c Config, id evidence.EvidenceID, now func() time.Time) (text []byte, err error) {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	item, err := db.ItemRow(ctx, c.agency(), id)
	if err != nil {
		return nil, err
	}
	if item.EventID == 0 {
		return nil, fmt.Errorf("item %s is %s: only what was stored is in the custody log as that", id, item.State)
	}
	event, err := db.Event(ctx, c.agency(), item.EventID)
	if err != nil {
		return nil, err
	}
	state, err := db.LogState(ctx)
	if err != nil {
		return nil, err
	}
	if event.LogIndex == nil || *event.LogIndex >= state.Size {
		return nil, fmt.Errorf("the storing of item %s is not in a signed checkpoint yet: try again in a second, with the server running", id)
	}
	path, err := tlog.ProveInclusion(ctx, blobs.Tiles(c.logDir()), state.Size, *event.LogIndex)
	if err != nil {
		return nil, err
	}
	p := tlog.Proof{Index: *event.LogIndex, Extra: append(append([]byte(nil), event.Salt...), event.JSON...), Path: path, Checkpoint: state.Checkpoint}
	return p.Text(), nil
}
