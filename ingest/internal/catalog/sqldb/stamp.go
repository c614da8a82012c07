package sqldb

import (
	"context"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

const stampColumns = "size, checkpoint, token, roots, authority, stamped_at"

func scanStamp(s scanner, v *catalog.Stamp) error {
	return s.Scan(&v.Size, &v.Checkpoint, &v.Token, &v.Roots, &v.Authority, timeInto{&v.At})
}

// NewestStamp returns the time stamp over the newest stamped checkpoint.
func (r *Reader) NewestStamp(ctx context.Context) (*catalog.Stamp, error) {
	return get(ctx, r, "the newest time stamp", scanStamp, "SELECT "+stampColumns+" FROM log_stamps ORDER BY size DESC LIMIT 1")
}

// StampOver returns the first time stamp whose checkpoint covers an entry of the
// log. catalog.ErrNotFound while there is none.
func (r *Reader) StampOver(ctx context.Context, entry int64) (*catalog.Stamp, error) {
	return get(ctx, r, "the time stamp over an entry of the log", scanStamp, "SELECT "+stampColumns+" FROM log_stamps WHERE size > $1 ORDER BY size LIMIT 1", entry)
}

// InsertStamp keeps a time stamp. catalog.ErrExists where the checkpoint has one.
func (tx *Tx) InsertStamp(ctx context.Context, v *catalog.Stamp) error {
	_, err := tx.change(ctx, "keeping a time stamp", "INSERT INTO log_stamps ("+stampColumns+") VALUES ($1, $2, $3, $4, $5, $6)",
		v.Size, v.Checkpoint, v.Token, v.Roots, clean(v.Authority), micros(v.At))
	return err
}
