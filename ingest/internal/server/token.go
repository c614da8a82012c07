package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

// tokensAtOnce is how many tokens one transaction makes.
const tokensAtOnce = 500

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
	if err := evidence.CheckName("station", string(station)); err != nil {
		return nil, err
	}
	for _, dock := range docks {
		if err := evidence.CheckName("dock", string(dock)); err != nil {
			return nil, err
		}
	}
	authority, err := identity.LoadAuthority(c.authorityDir())
	if err != nil {
		return nil, err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for len(docks) > 0 {
		some := docks[:min(tokensAtOnce, len(docks))]
		docks = docks[len(some):]
		rows := make([]*catalog.DockToken, len(some))
		at := now().UTC().Truncate(time.Microsecond)
		for i, dock := range some {
			text, secret, err := identity.NewEnrolmentToken(authority.Certificate())
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, text)
			rows[i] = &catalog.DockToken{Hash: evidence.SHA256(secret[:]), Agency: c.agency(), Dock: dock, Station: station, CreatedBy: "local", CreatedAt: at, ExpiresAt: at.Add(valid)}
		}
		if err := keepTokens(ctx, db, rows); err != nil {
			return nil, fmt.Errorf("making an enrolment token: %w", err)
		}
	}
	return tokens, nil
}

// keepTokens enters tokens, each with its event.
func keepTokens(ctx context.Context, db *sqldb.DB, tokens []*catalog.DockToken) error {
	return db.Update(ctx, func(tx *sqldb.Tx) error {
		for _, token := range tokens {
			if err := tx.InsertDockToken(ctx, token); err != nil {
				return err
			}
			_, err := tx.AppendEvent(ctx, evidence.Event{
				Version: 1, Agency: token.Agency, Type: evidence.EventDockTokenMade, At: token.CreatedAt, Actor: evidence.Actor{Kind: "user", ID: "local"}, Source: "local",
				Object: evidence.DockObject(token.Dock), Outcome: evidence.OutcomeDone,
				Details: map[string]string{"station": string(token.Station), "expires_at": token.ExpiresAt.Format(time.RFC3339)},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
