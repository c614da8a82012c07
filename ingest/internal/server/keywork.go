package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/rotation"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
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

// Credentials are what one person signs in with.
type Credentials struct{ Login, Password string }

// RetireKey destroys an older key pair of the agency, on which nothing may stand
// any more. Two administrators sign in for it. The server must not be running: no
// offer of a dock is on its way then.
func RetireKey(ctx context.Context, c Config, id keys.ID, requester, approver Credentials, now func() time.Time) (err error) {
	unlock, err := durable.LockDir(c.DataDir)
	if errors.Is(err, durable.ErrLocked) {
		return fmt.Errorf("a server runs on %s: stop it for this: %w", c.DataDir, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return c.withRing(ctx, now, func(db *sqldb.DB, ring *keys.Ring) error {
		states, err := c.keyStates(ctx, db, ring)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(states, func(s KeyState) bool { return s.ID == id })
		if at < 0 { // gone already; a former run, which is on record, may have been cut short
			return ring.Retire(c.agency(), id)
		}
		switch s := states[at]; {
		case s.Newest:
			return fmt.Errorf("key %s is the newest one, to which everything is wrapped: rotate first", id)
		case s.Wrapped > 0:
			return fmt.Errorf("%d recordings' keys are wrapped to key %s: run sealdock-ingest keys rotate first; nothing was destroyed", s.Wrapped, id)
		case s.Docks > 0:
			return fmt.Errorf("%d docks still wrap to key %s: enrol them again with new tokens, or disable them, first; nothing was destroyed", s.Docks, id)
		}
		people, err := c.twoPeople(ctx, db, requester, approver, now)
		if err != nil {
			return err
		}
		return recorded(ctx, db, c.peopleEvent(evidence.EventKeyRetired, evidence.KeyObject(string(id)), people, nil), func() error { return ring.Retire(c.agency(), id) })
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

// twoPeople signs two administrators in, and out again: what they are asked for
// takes both. Each sign-in, refused ones too, is on record.
func (c *Config) twoPeople(ctx context.Context, db *sqldb.DB, requester, approver Credentials, now func() time.Time) (both [2]*auth.Actor, err error) {
	secrets, err := loadOwnSecrets(c)
	if err != nil {
		return both, err
	}
	service, err := auth.New(auth.Config{Catalog: db, Agency: c.agency(), Pepper: secrets.pepper, Now: now})
	if err != nil {
		return both, err
	}
	for i, who := range []Credentials{requester, approver} {
		if both[i], err = signInOnce(ctx, service, who); err != nil {
			return both, fmt.Errorf("signing in %s: %w", who.Login, err)
		}
		if !auth.May(both[i], auth.ManageKeys, auth.Object{Agency: c.agency()}) {
			return both, fmt.Errorf("%s: %w", who.Login, auth.ErrForbidden)
		}
	}
	if both[0].User == both[1].User {
		return both, errors.New("the same person asks and approves: this takes two")
	}
	return both, nil
}

func signInOnce(ctx context.Context, service *auth.Service, who Credentials) (*auth.Actor, error) {
	_, from := local()
	token, err := service.SignIn(ctx, who.Login, who.Password, "", from)
	if err != nil {
		return nil, err
	}
	actor, err := service.Actor(ctx, token, from)
	return actor, errors.Join(err, service.SignOut(ctx, token, from))
}

// peopleEvent is an event of two people at the command line.
func (c *Config) peopleEvent(kind evidence.EventType, object string, people [2]*auth.Actor, details map[string]string) evidence.Event {
	e := c.keyEvent(kind, object, map[string]string{"approved_by": people[1].User, "approved_by_name": people[1].Name})
	e.Actor = people[0].Custody()
	for name, value := range details {
		e.Details[name] = value
	}
	return e
}
