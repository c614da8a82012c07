package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const requestColumns = "agency, id, user_id, action, objects, about, asked, digest, event, device, later, asked_at, lapses_at, state, decided_by, decided_at, reason, use_until"

func scanRequest(s scanner, v *catalog.ActRequest) error {
	var later int64
	err := s.Scan(&v.Agency, &v.ID, &v.User, &v.Action, &v.Objects, &v.About, &v.Asked, hexInto(v.Digest[:]), &v.Event, &v.Device, &later, timeInto{&v.AskedAt}, timeInto{&v.Lapses},
		&v.State, &v.DecidedBy, timeInto{&v.DecidedAt}, &v.Reason, timeInto{&v.UseUntil})
	v.Later = later == 1
	return err
}

// ActRequest returns a request. catalog.ErrNotFound.
func (r *Reader) ActRequest(ctx context.Context, agency evidence.AgencyID, id string) (*catalog.ActRequest, error) {
	return get(ctx, r, "a request", scanRequest, "SELECT "+requestColumns+" FROM act_requests WHERE agency = $1 AND id = $2", agency, clean(id))
}

// WaitingRequests returns what waits for a second person and has not lapsed, oldest
// first.
func (r *Reader) WaitingRequests(ctx context.Context, agency evidence.AgencyID, at time.Time) ([]catalog.ActRequest, error) {
	return list(ctx, r, "requests", scanRequest, "SELECT "+requestColumns+" FROM act_requests WHERE agency = $1 AND state = 'waiting' AND lapses_at > $2 ORDER BY asked_at, id", agency, micros(at))
}

// PastRequests returns the newest requests that wait no more, by when they were asked.
func (r *Reader) PastRequests(ctx context.Context, agency evidence.AgencyID, at time.Time, limit int) ([]catalog.ActRequest, error) {
	return list(ctx, r, "requests", scanRequest, fmt.Sprintf("SELECT %s FROM act_requests WHERE agency = $1 AND (state <> 'waiting' OR lapses_at <= $2) ORDER BY asked_at DESC, id LIMIT %d", requestColumns, page(limit)), agency, micros(at))
}

// RequestsAbout returns what waits or is approved about one object, oldest first.
func (r *Reader) RequestsAbout(ctx context.Context, agency evidence.AgencyID, about string, at time.Time) ([]catalog.ActRequest, error) {
	return list(ctx, r, "requests", scanRequest, "SELECT "+requestColumns+` FROM act_requests WHERE agency = $1 AND about = $2
		AND (state = 'waiting' AND lapses_at > $3 OR state = 'approved' AND use_until > $3) ORDER BY asked_at, id`, agency, indexed(clean(about)), micros(at))
}

// RequestOf returns a person's request for the very same in a state, newest first.
// catalog.ErrNotFound.
func (r *Reader) RequestOf(ctx context.Context, agency evidence.AgencyID, user string, digest evidence.Digest, state catalog.RequestState) (*catalog.ActRequest, error) {
	return get(ctx, r, "a request", scanRequest, "SELECT "+requestColumns+" FROM act_requests WHERE agency = $1 AND user_id = $2 AND digest = $3 AND state = $4 ORDER BY asked_at DESC, id LIMIT 1",
		agency, clean(user), digest.String(), string(state))
}

// InsertActRequest keeps a new request.
func (tx *Tx) InsertActRequest(ctx context.Context, v *catalog.ActRequest) error {
	later := 0
	if v.Later {
		later = 1
	}
	_, err := tx.change(ctx, "keeping a request", "INSERT INTO act_requests ("+requestColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
		v.Agency, v.ID, clean(v.User), v.Action, v.Objects, indexed(clean(v.About)), v.Asked, v.Digest.String(), v.Event, clean(v.Device), later, micros(v.AskedAt), micros(v.Lapses),
		string(v.State), clean(v.DecidedBy), micros(v.DecidedAt), clean(v.Reason), micros(v.UseUntil))
	return err
}

// DecideActRequest moves a request from the one state to that of v, with who decided
// that and when. catalog.ErrConflict when it is not in that state any more.
func (tx *Tx) DecideActRequest(ctx context.Context, v *catalog.ActRequest, from catalog.RequestState) error {
	return tx.exec(ctx, "deciding a request", catalog.ErrConflict, `UPDATE act_requests SET state = $4, decided_by = $5, decided_at = $6, reason = $7, use_until = $8
		WHERE agency = $1 AND id = $2 AND state = $3`, v.Agency, clean(v.ID), string(from), string(v.State), clean(v.DecidedBy), micros(v.DecidedAt), clean(v.Reason), micros(v.UseUntil))
}
