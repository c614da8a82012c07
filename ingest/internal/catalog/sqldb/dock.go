package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const dockColumns = "agency, id, station, fingerprint, statement_key, enabled, enrolled_at, last_seen_at, last_address, agent_version, agency_key, certificate_until"

func scanDock(s scanner, d *catalog.Dock) error {
	var enabled int64
	err := s.Scan(&d.Agency, &d.ID, &d.Station, hexInto(d.Fingerprint[:]), &d.StatementKey, &enabled, timeInto{&d.EnrolledAt},
		timeInto{&d.LastSeenAt}, &d.LastAddress, &d.AgentVersion, &d.AgencyKey, timeInto{&d.GoodUntil})
	d.Enabled = enabled == 1
	return err
}

// Dock returns a dock, enabled or not. catalog.ErrNotFound.
func (r *Reader) Dock(ctx context.Context, agency evidence.AgencyID, id evidence.DockID) (*catalog.Dock, error) {
	return get(ctx, r, fmt.Sprintf("dock %q", id), scanDock, "SELECT "+dockColumns+" FROM docks WHERE agency = $1 AND id = $2", agency, id)
}

// Docks returns an agency's docks by id.
func (r *Reader) Docks(ctx context.Context, agency evidence.AgencyID) ([]catalog.Dock, error) {
	return list(ctx, r, "docks", scanDock, "SELECT "+dockColumns+" FROM docks WHERE agency = $1 ORDER BY id", agency)
}

// DocksMark is a text that changes when a dock is enrolled, and when one more or
// one less is let in. It costs a small part of Docks.
func (r *Reader) DocksMark(ctx context.Context, agency evidence.AgencyID) (mark string, err error) {
	var docks, enabled, newest int64
	err = r.one(ctx, "the number of docks", func(s scanner) error { return s.Scan(&docks, &enabled, &newest) },
		"SELECT count(*), coalesce(sum(enabled), 0), coalesce(max(enrolled_at), 0) FROM docks WHERE agency = $1", agency)
	return fmt.Sprintf("%d docks, %d of them let in, the newest of %d", docks, enabled, newest), err
}

// DisabledDocks returns which of an agency's docks are not let in, by id. It costs
// a small part of Docks.
func (r *Reader) DisabledDocks(ctx context.Context, agency evidence.AgencyID) ([]evidence.DockID, error) {
	return list(ctx, r, "disabled docks", func(s scanner, id *evidence.DockID) error { return s.Scan(id) },
		"SELECT id FROM docks WHERE agency = $1 AND enabled = 0 ORDER BY id", agency)
}

// DockKeys returns all statement keys that a dock has or had, newest first.
func (r *Reader) DockKeys(ctx context.Context, agency evidence.AgencyID, id evidence.DockID) ([]catalog.DockKey, error) {
	return list(ctx, r, "the keys of a dock", func(s scanner, k *catalog.DockKey) error {
		return s.Scan(&k.Agency, &k.Dock, &k.PublicKey, timeInto{&k.AddedAt})
	}, "SELECT agency, dock, public_key, added_at FROM dock_keys WHERE agency = $1 AND dock = $2 ORDER BY added_at DESC, public_key", agency, id)
}

// Stations returns an agency's stations by id.
func (r *Reader) Stations(ctx context.Context, agency evidence.AgencyID) ([]catalog.Station, error) {
	return list(ctx, r, "stations", func(s scanner, v *catalog.Station) error {
		return s.Scan(&v.Agency, &v.ID, timeInto{&v.CreatedAt})
	}, "SELECT agency, id, created_at FROM stations WHERE agency = $1 ORDER BY id", agency)
}

const tokenColumns = "hash, agency, dock, station, created_by, created_at, expires_at, used_at, withdrawn_at"

func scanToken(s scanner, t *catalog.DockToken) error {
	return s.Scan(hexInto(t.Hash[:]), &t.Agency, &t.Dock, &t.Station, &t.CreatedBy, timeInto{&t.CreatedAt}, timeInto{&t.ExpiresAt}, timeInto{&t.UsedAt}, timeInto{&t.Withdrawn})
}

// DockTokens returns the tokens of an agency that are neither used, withdrawn nor
// expired, newest first.
func (r *Reader) DockTokens(ctx context.Context, agency evidence.AgencyID) ([]catalog.DockToken, error) {
	return list(ctx, r, "enrolment tokens", scanToken, "SELECT "+tokenColumns+` FROM dock_tokens
		WHERE agency = $1 AND used_at = 0 AND withdrawn_at = 0 AND expires_at > $2 ORDER BY created_at DESC, hash`, agency, micros(r.now()))
}

// DockToken returns a token by its hash, whatever became of it. catalog.ErrNotFound.
func (r *Reader) DockToken(ctx context.Context, agency evidence.AgencyID, hash evidence.Digest) (*catalog.DockToken, error) {
	return get(ctx, r, "an enrolment token", scanToken, "SELECT "+tokenColumns+" FROM dock_tokens WHERE agency = $1 AND hash = $2", agency, hash.String())
}

// WithdrawDockToken takes a token back that nobody has used. catalog.ErrConflict when it
// was used, or withdrawn before.
func (tx *Tx) WithdrawDockToken(ctx context.Context, agency evidence.AgencyID, hash evidence.Digest, at time.Time) error {
	return tx.exec(ctx, "withdrawing an enrolment token", catalog.ErrConflict,
		"UPDATE dock_tokens SET withdrawn_at = $3 WHERE agency = $1 AND hash = $2 AND used_at = 0 AND withdrawn_at = 0", agency, hash.String(), micros(at))
}

// WithdrawDockTokens takes back all tokens of a dock that are open, and returns how many
// there were.
func (tx *Tx) WithdrawDockTokens(ctx context.Context, agency evidence.AgencyID, dock evidence.DockID, at time.Time) (int64, error) {
	return tx.change(ctx, fmt.Sprintf("withdrawing the enrolment tokens of dock %q", dock),
		"UPDATE dock_tokens SET withdrawn_at = $3 WHERE agency = $1 AND dock = $2 AND used_at = 0 AND withdrawn_at = 0 AND expires_at > $3", agency, dock, micros(at))
}

// InsertDockToken keeps a new enrolment token.
func (tx *Tx) InsertDockToken(ctx context.Context, t *catalog.DockToken) error {
	_, err := tx.change(ctx, fmt.Sprintf("keeping an enrolment token for dock %q", t.Dock),
		"INSERT INTO dock_tokens ("+tokenColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0)",
		t.Hash.String(), t.Agency, t.Dock, t.Station, clean(t.CreatedBy), micros(t.CreatedAt), micros(t.ExpiresAt))
	return err
}

// ConsumeDockToken marks a token used, once, and returns it.
// catalog.ErrNotFound, ErrTokenUsed, ErrTokenWithdrawn, ErrTokenExpired.
func (tx *Tx) ConsumeDockToken(ctx context.Context, hash evidence.Digest, at time.Time) (*catalog.DockToken, error) {
	const what = "an enrolment token"
	t, err := get(ctx, &tx.Reader, what, scanToken, "SELECT "+tokenColumns+" FROM dock_tokens WHERE hash = $1"+tx.engine.forUpdate(), hash.String())
	if err != nil {
		return nil, err
	}
	if err := usable(what, t.UsedAt, t.ExpiresAt, at); err != nil {
		return nil, err
	}
	if !t.Withdrawn.IsZero() {
		return nil, fmt.Errorf("using %s: %w", what, catalog.ErrTokenWithdrawn)
	}
	t.UsedAt = at.UTC().Truncate(time.Microsecond)
	return t, tx.exec(ctx, "using "+what, catalog.ErrTokenUsed, "UPDATE dock_tokens SET used_at = $2 WHERE hash = $1 AND used_at = 0", hash.String(), micros(at))
}

// usable reports why a one-time token may not be used.
func usable(what string, used, expires, at time.Time) error {
	switch {
	case !used.IsZero():
		return fmt.Errorf("using %s: %w", what, catalog.ErrTokenUsed)
	case !at.Before(expires):
		return fmt.Errorf("using %s: %w", what, catalog.ErrTokenExpired)
	}
	return nil
}

// RegisterDock adds a dock, or enrols it anew with another certificate and
// key, and its station where that is new. The statement key joins DockKeys.
func (tx *Tx) RegisterDock(ctx context.Context, d *catalog.Dock) error {
	what := fmt.Sprintf("registering dock %q", d.ID)
	if err := tx.notRetired(ctx, d.Agency, d.AgencyKey); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if _, err := tx.change(ctx, what, "INSERT INTO stations (agency, id, created_at) VALUES ($1, $2, $3) ON CONFLICT (agency, id) DO NOTHING",
		d.Agency, d.Station, micros(d.EnrolledAt)); err != nil {
		return err
	}
	if _, err := tx.change(ctx, what, "INSERT INTO docks ("+dockColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '', $8, $9, $10)
		ON CONFLICT (agency, id) DO UPDATE SET station = excluded.station, fingerprint = excluded.fingerprint, statement_key = excluded.statement_key,
		enabled = excluded.enabled, enrolled_at = excluded.enrolled_at, agent_version = excluded.agent_version, agency_key = excluded.agency_key,
		certificate_until = excluded.certificate_until`,
		d.Agency, d.ID, d.Station, d.Fingerprint.String(), d.StatementKey, flag(d.Enabled), micros(d.EnrolledAt), clean(d.AgentVersion), d.AgencyKey, micros(d.GoodUntil)); err != nil {
		return err
	}
	if err := tx.moveAlerts(ctx, d.Agency, d.ID, d.Station); err != nil {
		return err
	}
	_, err := tx.change(ctx, what, `INSERT INTO dock_keys (agency, dock, public_key, added_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (agency, dock, public_key) DO NOTHING`, d.Agency, d.ID, d.StatementKey, micros(d.EnrolledAt))
	return err
}

// SetDockEnabled lets a dock in or keeps it out. catalog.ErrNotFound.
func (tx *Tx) SetDockEnabled(ctx context.Context, agency evidence.AgencyID, id evidence.DockID, enabled bool) error {
	return tx.exec(ctx, fmt.Sprintf("changing dock %q", id), catalog.ErrNotFound,
		"UPDATE docks SET enabled = $3 WHERE agency = $1 AND id = $2", agency, id, flag(enabled))
}

// DockSeen notes a dock's connection. catalog.ErrNotFound.
func (tx *Tx) DockSeen(ctx context.Context, agency evidence.AgencyID, id evidence.DockID, at time.Time, address, version string) error {
	return tx.exec(ctx, fmt.Sprintf("noting the connection of dock %q", id), catalog.ErrNotFound,
		"UPDATE docks SET last_seen_at = $3, last_address = $4, agent_version = $5 WHERE agency = $1 AND id = $2",
		agency, id, micros(at), clean(address), clean(version))
}

// DockHasActed reports whether a dock has ever done anything but enrol: connected, handed
// something over, or had it carried here.
func (r *Reader) DockHasActed(ctx context.Context, agency evidence.AgencyID, id evidence.DockID) (bool, error) {
	var n int64
	err := r.one(ctx, fmt.Sprintf("the acts of dock %q", id), func(s scanner) error { return s.Scan(&n) },
		`SELECT count(*) FROM (SELECT 1 FROM events WHERE agency = $1 AND actor_id = $2 AND actor_kind = 'dock' AND type <> $3 LIMIT 1) AS acts`,
		agency, id, evidence.EventDockEnrolled)
	return n > 0, err
}

// DeleteDock removes a dock that never did anything; its keys and its events stay.
// catalog.ErrConflict when it was seen, catalog.ErrNotFound when there is none.
func (tx *Tx) DeleteDock(ctx context.Context, agency evidence.AgencyID, id evidence.DockID) error {
	dock, err := tx.Dock(ctx, agency, id)
	if err != nil {
		return err
	}
	acted, err := tx.DockHasActed(ctx, agency, id)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("removing dock %q", id)
	if acted || !dock.LastSeenAt.IsZero() {
		return fmt.Errorf("%s, which was in use: it %w", what, catalog.ErrConflict)
	}
	return tx.exec(ctx, what, catalog.ErrConflict, "DELETE FROM docks WHERE agency = $1 AND id = $2 AND last_seen_at = 0", agency, id)
}
