package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Freeze stops all deletion in a scope, from this moment on. The server may be running.
func Freeze(ctx context.Context, c Config, scope catalog.FreezeScope, value, reason string, now func() time.Time) (f catalog.Freeze, err error) {
	if err := checkFreeze(scope, value); err != nil {
		return f, err
	}
	if reason, err = reasonFor("it is frozen", reason); err != nil {
		return f, err
	}
	var id [8]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	f = catalog.Freeze{Agency: c.agency(), ID: hex.EncodeToString(id[:]), Scope: scope, Value: value, Reason: reason, By: "local", At: now().UTC().Truncate(time.Microsecond)}
	return f, c.recordFreeze(ctx, evidence.EventFrozen, &f, reason, now, func(tx *sqldb.Tx) error { return tx.InsertFreeze(ctx, &f) })
}

// EndFreeze lets what a freeze stopped be deleted again, unless another one stands.
func EndFreeze(ctx context.Context, c Config, id, reason string, now func() time.Time) error {
	reason, err := reasonFor("the freeze is ended", reason)
	if err != nil {
		return err
	}
	all, err := Freezes(ctx, c, now)
	if err != nil {
		return err
	}
	for i := range all {
		if f := &all[i]; f.ID == id && f.EndedAt.IsZero() {
			return c.recordFreeze(ctx, evidence.EventFreezeEnded, f, reason, now, func(tx *sqldb.Tx) error {
				return tx.EndFreeze(ctx, c.agency(), id, reason, "local", now())
			})
		}
	}
	return fmt.Errorf("no freeze %q is in force: sealdock-ingest freezes lists them", id)
}

// Freezes returns all freezes, also those that have ended.
func Freezes(ctx context.Context, c Config, now func() time.Time) (all []catalog.Freeze, err error) {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	all, err = db.Freezes(ctx, c.agency())
	return all, errors.Join(err, db.Close())
}

// recordFreeze does something to a freeze, in one transaction with its event.
func (c *Config) recordFreeze(ctx context.Context, kind evidence.EventType, f *catalog.Freeze, reason string, now func() time.Time, act func(tx *sqldb.Tx) error) error {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	by, from := local()
	err = db.Update(ctx, func(tx *sqldb.Tx) error {
		if err := act(tx); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: c.agency(), Type: kind, At: now().UTC().Truncate(time.Microsecond), Actor: by, Source: from.Address, Object: evidence.FreezeObject(f.ID),
			Outcome: evidence.OutcomeDone, Reason: reason, Details: map[string]string{"scope": string(f.Scope), "value": f.Value},
		})
		return err
	})
	return errors.Join(err, db.Close())
}

func checkFreeze(scope catalog.FreezeScope, value string) error {
	switch scope {
	case catalog.FreezeAgency:
		if value != "" {
			return fmt.Errorf("a freeze of the agency is of everything: %q is too much", value)
		}
		return nil
	case catalog.FreezeItem:
		_, err := evidence.ParseEvidenceID(value)
		return err
	case catalog.FreezeStation, catalog.FreezeCamera, catalog.FreezeOfficer:
		if strings.TrimSpace(value) != value || value == "" || len(value) > 200 {
			return fmt.Errorf("which %s is frozen? %q is none", scope, value)
		}
		return nil
	}
	return fmt.Errorf("%q cannot be frozen: agency, station, camera, officer or item can", scope)
}

// reasonFor bounds a reason that the custody log keeps.
func reasonFor(what, reason string) (string, error) {
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > maxReason || strings.ToValidUTF8(reason, "") != reason {
		return "", fmt.Errorf("say why %s, in at most %d bytes: the custody log keeps it", what, maxReason)
	}
	return reason, nil
}
