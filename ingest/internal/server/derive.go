package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (s *secrets) derivativePublic() ed25519.PublicKey {
	if s.derivative == nil {
		return nil
	}
	return s.derivative.Public()
}

// makeDerivativeKey makes the key that signs derivatives, in a folder from before there
// was one.
func (c *Config) makeDerivativeKey(ctx context.Context, db *sqldb.DB, s *secrets) error {
	if s.derivative != nil {
		return nil
	}
	made, err := db.CountItems(ctx, catalog.ItemFilter{Agency: c.agency(), Kind: evidence.KindDerivative})
	if err != nil {
		return err
	}
	if made.Items > 0 {
		return fmt.Errorf("%s is missing, and %d derivatives are signed by it: restore it from your backup", c.derivativeKey(), made.Items)
	}
	key, err := identity.NewStatementKey(identity.PurposeDerivative)
	if err == nil {
		err = key.Save(c.derivativeKey())
	}
	if err != nil {
		return fmt.Errorf("making the key that signs derivatives: %w", err)
	}
	s.derivative = key
	return nil
}

// deriving is the maker of derivatives. It wants a custody that runs.
func (p *parts) deriving() *derive.Service {
	return derive.New(derive.Config{
		Catalog: p.catalog, Originals: p.packages(inProcess{p.audit}), Store: p.custody, Agency: p.config.agency(), Program: "sealdock-ingest " + p.version,
		Most: p.config.ClipMiB << 20, Now: p.now, Logger: telemetry.Component(p.log, "derive"),
	})
}

// clipFor makes a clip for the command line.
func (p *parts) clipFor(ctx context.Context, c derive.Clip) reply {
	id, err := p.derive.Make(ctx, export.CommandLine(), c)
	if err != nil {
		return reply{End: true, Error: err.Error()}
	}
	return reply{End: true, Item: id.String()}
}

// MakeClip makes a clip of a stored recording, and returns its evidence id. A running
// server does it, without one this process.
func MakeClip(ctx context.Context, c Config, version string, wanted derive.Clip, log *slog.Logger, now func() time.Time) (id evidence.EvidenceID, err error) {
	conn, err := c.dialLocal(ctx)
	if err != nil {
		return id, err
	}
	if conn == nil {
		var end reply
		if err := alone(ctx, c, version, log, now, func(p *parts) error {
			end = p.clipFor(ctx, wanted)
			return nil
		}); err != nil {
			return id, err
		}
		if end.Error != "" {
			return id, errors.New(end.Error)
		}
		return evidence.ParseEvidenceID(end.Item)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	end, err := ask(conn, request{Clip: &wanted}, nil)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return id, err
	}
	return evidence.ParseEvidenceID(end.Item)
}
