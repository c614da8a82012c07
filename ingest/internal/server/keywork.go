package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/rotation"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// RotateKeys gives the agency a new key pair and wraps all recordings' keys to it,
// or goes on where a former run ended: see rotation.Run. The server may be running.
func RotateKeys(ctx context.Context, c Config, fresh bool, log *slog.Logger, now func() time.Time, progress func(rotation.Summary)) (summary rotation.Summary, err error) {
	err = c.withRing(ctx, now, func(db *sqldb.DB, ring *keys.Ring) (err error) {
		by, from := local()
		summary, err = rotation.Run(ctx, rotation.Config{
			Catalog: db, Keys: ring, Agency: c.agency(), Actor: by, Source: from.Address, Now: now, Log: telemetry.Component(log, "rotation"),
		}, fresh, progress)
		return err
	})
	return summary, err
}

// KeyState is one key pair of the agency with what stands on it.
type KeyState struct {
	keys.Generation
	Newest  bool
	Gone    bool  // things stand on it, and its pair is not here
	Wrapped int64 // recordings' keys, of all attempts
	Docks   int64 // that are let in and wrap to it
}

// KeyStates lists the agency's key pairs, oldest first.
func KeyStates(ctx context.Context, c Config, now func() time.Time) (states []KeyState, err error) {
	err = c.withRing(ctx, now, func(db *sqldb.DB, ring *keys.Ring) (err error) {
		states, err = c.keyStates(ctx, db, ring)
		return err
	})
	return states, err
}

func (c *Config) keyStates(ctx context.Context, db *sqldb.DB, ring *keys.Ring) ([]KeyState, error) {
	generations, err := ring.Generations(c.agency())
	if err != nil {
		return nil, err
	}
	uses, err := db.KeyUses(ctx, c.agency())
	if err != nil {
		return nil, err
	}
	states := make([]KeyState, len(generations))
	at := map[string]int{}
	for i, g := range generations {
		states[i] = KeyState{Generation: g, Newest: i == len(generations)-1}
		at[string(g.ID)] = i
		if g.Number == 1 {
			at[""] = i // from before it was noted
		}
	}
	for _, use := range uses {
		i, known := at[use.AgencyKey]
		if !known {
			i = len(states)
			states = append(states, KeyState{Generation: keys.Generation{Agency: c.agency(), ID: keys.ID(use.AgencyKey)}, Gone: true})
			at[use.AgencyKey] = i
		}
		states[i].Wrapped += use.Wrapped
		states[i].Docks += use.Docks
	}
	return states, nil
}

// Credentials are what one person signs in with. The code, of an authenticator app or
// a recovery code, is for who has a second factor.
type Credentials struct{ Login, Password, Code string }

// RetireKey destroys an older key pair of the agency, on which nothing may stand
// any more. Two administrators sign in for it. The server may be running.
func RetireKey(ctx context.Context, c Config, id keys.ID, requester, approver Credentials, now func() time.Time) (err error) {
	return c.withRing(ctx, now, func(db *sqldb.DB, ring *keys.Ring) error {
		acts, err := c.keyActs(ctx, db, now)
		if err != nil {
			return err
		}
		return acts.retire(ctx, ring, id, acts.both(requester, approver))
	})
}

// withRing runs one step that needs catalog and keys.
func (c *Config) withRing(ctx context.Context, now func() time.Time, step func(*sqldb.DB, *keys.Ring) error) error {
	ring, err := c.openRing()
	if err != nil {
		return err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	return errors.Join(step(db, ring), db.Close())
}
