package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const freezeColumns = "agency, id, scope, value, reason, made_by, made_at, end_reason, ended_by, ended_at"

func scanFreeze(s scanner, f *catalog.Freeze) error {
	return s.Scan(&f.Agency, &f.ID, &f.Scope, &f.Value, &f.Reason, &f.By, timeInto{&f.At}, &f.EndReason, &f.EndedBy, timeInto{&f.EndedAt})
}

// Freezes returns all freezes, also those that have ended, in the order in which they
// were made.
func (r *Reader) Freezes(ctx context.Context, agency evidence.AgencyID) ([]catalog.Freeze, error) {
	return list(ctx, r, "freezes", scanFreeze, "SELECT "+freezeColumns+" FROM freezes WHERE agency = $1 ORDER BY made_at, id", agency)
}

// InsertFreeze puts a freeze in force.
func (tx *Tx) InsertFreeze(ctx context.Context, f *catalog.Freeze) error {
	_, err := tx.change(ctx, "freezing", "INSERT INTO freezes ("+freezeColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, '', '', 0)",
		f.Agency, f.ID, f.Scope, clean(f.Value), clean(f.Reason), clean(f.By), micros(f.At))
	return err
}

// EndFreeze ends a freeze. catalog.ErrConflict when it is not in force.
func (tx *Tx) EndFreeze(ctx context.Context, agency evidence.AgencyID, id, reason, by string, at time.Time) error {
	return tx.exec(ctx, "ending freeze "+clean(id), catalog.ErrConflict,
		"UPDATE freezes SET end_reason = $3, ended_by = $4, ended_at = $5 WHERE agency = $1 AND id = $2 AND ended_at = 0",
		agency, clean(id), clean(reason), clean(by), micros(at))
}

// FreezesOver returns the freezes that stand against deleting an item, the first of them
// first.
func (r *Reader) FreezesOver(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) ([]catalog.Freeze, error) {
	return list(ctx, r, "freezes over an item", scanFreeze, "SELECT "+freezeColumns+` FROM freezes
		WHERE agency = $1 AND ended_at = 0 AND (scope = 'agency' OR scope = 'item' AND value = $2 OR EXISTS (
			SELECT 1 FROM items WHERE items.agency = $1 AND items.id = $2 AND (scope = 'station' AND station = value OR scope = 'camera' AND camera = value OR scope = 'item' AND kind = 'derivative' AND original = value
				OR scope = 'officer' AND value <> '' AND (officer_id = value OR wearer_id = value)))) ORDER BY made_at, id`, agency, id.String())
}

// mayDelete is asked by everything that takes evidence away for good, in the same
// transaction. catalog.ErrFrozen names the first freeze that stands against it.
func (tx *Tx) mayDelete(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) error {
	against, err := tx.FreezesOver(ctx, agency, id)
	if err != nil || len(against) == 0 {
		return err
	}
	f := &against[0]
	return fmt.Errorf("item %s: %w: %s %s since %s, freeze %s (%q)", id, catalog.ErrFrozen, f.Scope, f.Value, f.At.UTC().Format(time.DateTime+" UTC"), f.ID, f.Reason)
}
