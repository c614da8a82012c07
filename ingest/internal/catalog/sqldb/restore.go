package sqldb

import (
	"context"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

const restoreColumns = "n, size, checkpoint, newest, reason, made_by, made_at"

// LogRestores returns all restores of the custody log, in their order.
func (r *Reader) LogRestores(ctx context.Context) ([]catalog.LogRestore, error) {
	return list(ctx, r, "restores of the custody log", func(s scanner, v *catalog.LogRestore) error {
		return s.Scan(&v.Number, &v.Size, &v.Checkpoint, &v.Newest, &v.Reason, &v.By, timeInto{&v.At})
	}, "SELECT "+restoreColumns+" FROM log_restores ORDER BY n")
}

// InsertLogRestore keeps a restore of the custody log. catalog.ErrExists when there is
// one of its number.
func (tx *Tx) InsertLogRestore(ctx context.Context, v *catalog.LogRestore) error {
	_, err := tx.change(ctx, "keeping a restore of the custody log", "INSERT INTO log_restores ("+restoreColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		v.Number, v.Size, v.Checkpoint, v.Newest, clean(v.Reason), clean(v.By), micros(v.At))
	return err
}
