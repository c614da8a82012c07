package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

// DockToken makes the text with which one dock enrols, once, until the given
// time has passed. The server may be running or not.
func DockToken(ctx context.Context, c Config, station evidence.StationID, dock evidence.DockID, valid time.Duration, now func() time.Time) (string, error) {
	tokens, err := DockTokens(ctx, c, station, []evidence.DockID{dock}, valid, now)
	if err != nil {
		return "", err
	}
	return tokens[0], nil
}

// DockTokens makes a token for each of the docks, in their order. After an error
// some may be known to the server; nobody has them, and they expire.
func DockTokens(ctx context.Context, c Config, station evidence.StationID, docks []evidence.DockID, valid time.Duration, now func() time.Time) (tokens []string, err error) {
	authority, err := identity.LoadAuthority(c.authorityDir())
	if err != nil {
		return nil, err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	service, err := fleet.New(fleet.Config{Catalog: db, Agency: c.agency(), Certificate: authority.Certificate(), Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	tokens, _, err = service.Docks().MakeTokens(ctx, station, docks, valid)
	return tokens, err
}
