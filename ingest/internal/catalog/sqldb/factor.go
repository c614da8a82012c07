package sqldb

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// SetSessionFactor notes what was shown in a session, and when.
// catalog.ErrNotFound.
func (tx *Tx) SetSessionFactor(ctx context.Context, hash evidence.Digest, factor string, at time.Time) error {
	return tx.exec(ctx, "noting a factor", catalog.ErrNotFound,
		"UPDATE sessions SET factor = $2, factor_at = $3 WHERE token_hash = $1", hash.String(), factor, micros(at))
}

// OpenSessions ends the restriction of a user's sessions to the own account.
func (tx *Tx) OpenSessions(ctx context.Context, user string) error {
	_, err := tx.change(ctx, "opening sessions", "UPDATE sessions SET must_enrol = 0 WHERE user_id = $1", clean(user))
	return err
}

const passkeyColumns = "id, user_id, name, credential, sign_count, created_at, last_used_at"

func scanPasskey(s scanner, v *catalog.Passkey) error {
	return s.Scan(&v.ID, &v.User, &v.Name, &v.Credential, &v.SignCount, timeInto{&v.CreatedAt}, timeInto{&v.LastUsedAt})
}

// Passkey returns a passkey by its credential id. catalog.ErrNotFound.
func (r *Reader) Passkey(ctx context.Context, id string) (*catalog.Passkey, error) {
	return get(ctx, r, "a passkey", scanPasskey, "SELECT "+passkeyColumns+" FROM passkeys WHERE id = $1", clean(id))
}

// Passkeys returns a user's passkeys, oldest first.
func (r *Reader) Passkeys(ctx context.Context, user string) ([]catalog.Passkey, error) {
	return list(ctx, r, "passkeys", scanPasskey, "SELECT "+passkeyColumns+" FROM passkeys WHERE user_id = $1 ORDER BY created_at, id", clean(user))
}

// InsertPasskey keeps a new passkey. catalog.ErrExists when there is one of its
// id, whosever it is.
func (tx *Tx) InsertPasskey(ctx context.Context, p *catalog.Passkey) error {
	_, err := tx.change(ctx, "keeping a passkey", "INSERT INTO passkeys ("+passkeyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		clean(p.ID), clean(p.User), clean(p.Name), p.Credential, int64(p.SignCount), micros(p.CreatedAt), micros(p.LastUsedAt))
	return err
}

// UsePasskey keeps what a use changed. A sign count must go up, or be zero for
// good: otherwise it is catalog.ErrConflict, and nothing is changed.
func (tx *Tx) UsePasskey(ctx context.Context, id, credential string, signCount uint32, at time.Time) error {
	return tx.exec(ctx, "using a passkey", catalog.ErrConflict,
		"UPDATE passkeys SET credential = $2, sign_count = $3, last_used_at = $4 WHERE id = $1 AND (sign_count < $3 OR sign_count = 0 AND $3 = 0)",
		clean(id), credential, int64(signCount), micros(at))
}

// DeletePasskey takes a user's passkey away. catalog.ErrNotFound.
func (tx *Tx) DeletePasskey(ctx context.Context, user, id string) error {
	return tx.exec(ctx, "removing a passkey", catalog.ErrNotFound, "DELETE FROM passkeys WHERE user_id = $1 AND id = $2", clean(user), clean(id))
}

const authenticatorColumns = "user_id, secret, last_step, created_at, last_used_at"

// Authenticator returns a user's authenticator app. catalog.ErrNotFound.
func (r *Reader) Authenticator(ctx context.Context, user string) (*catalog.Authenticator, error) {
	return get(ctx, r, "an authenticator", func(s scanner, v *catalog.Authenticator) error {
		return s.Scan(&v.User, &v.Secret, &v.LastStep, timeInto{&v.CreatedAt}, timeInto{&v.LastUsedAt})
	}, "SELECT "+authenticatorColumns+" FROM authenticators WHERE user_id = $1", clean(user))
}

// InsertAuthenticator keeps a user's app. catalog.ErrExists when there is one.
func (tx *Tx) InsertAuthenticator(ctx context.Context, a *catalog.Authenticator) error {
	_, err := tx.change(ctx, "keeping an authenticator", "INSERT INTO authenticators ("+authenticatorColumns+") VALUES ($1, $2, $3, $4, $5)",
		clean(a.User), a.Secret, a.LastStep, micros(a.CreatedAt), micros(a.LastUsedAt))
	return err
}

// UseAuthenticator takes a code of a time step, once: catalog.ErrConflict when
// one of this step or of a later one was taken before.
func (tx *Tx) UseAuthenticator(ctx context.Context, user string, step int64, at time.Time) error {
	return tx.exec(ctx, "taking a code", catalog.ErrConflict,
		"UPDATE authenticators SET last_step = $2, last_used_at = $3 WHERE user_id = $1 AND last_step < $2", clean(user), step, micros(at))
}

// DeleteAuthenticator takes a user's app away. catalog.ErrNotFound.
func (tx *Tx) DeleteAuthenticator(ctx context.Context, user string) error {
	return tx.exec(ctx, "removing an authenticator", catalog.ErrNotFound, "DELETE FROM authenticators WHERE user_id = $1", clean(user))
}

// CountRecoveryCodes counts a user's unused recovery codes.
func (r *Reader) CountRecoveryCodes(ctx context.Context, user string) (int64, error) {
	var n int64
	err := r.one(ctx, "the number of recovery codes", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at = 0", clean(user))
	return n, err
}

// ReplaceRecoveryCodes keeps new recovery codes of a user in place of all
// former ones. None: there are none any more.
func (tx *Tx) ReplaceRecoveryCodes(ctx context.Context, user string, hashes []evidence.Digest, at time.Time) error {
	if _, err := tx.change(ctx, "dropping recovery codes", "DELETE FROM recovery_codes WHERE user_id = $1", clean(user)); err != nil {
		return err
	}
	for _, hash := range hashes {
		if _, err := tx.change(ctx, "keeping a recovery code", "INSERT INTO recovery_codes (user_id, hash, created_at, used_at) VALUES ($1, $2, $3, 0)",
			clean(user), hash.String(), micros(at)); err != nil {
			return err
		}
	}
	return nil
}

// UseRecoveryCode takes a recovery code, once: catalog.ErrConflict when there is
// no such code, or it was used before.
func (tx *Tx) UseRecoveryCode(ctx context.Context, user string, hash evidence.Digest, at time.Time) error {
	return tx.exec(ctx, "taking a recovery code", catalog.ErrConflict,
		"UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at = 0", clean(user), hash.String(), micros(at))
}

// KnownPlace reports whether a user was at a place before.
func (r *Reader) KnownPlace(ctx context.Context, user string, kind catalog.PlaceKind, place string) (bool, error) {
	var n int64
	err := r.one(ctx, "a known place", func(s scanner) error { return s.Scan(&n) },
		"SELECT count(*) FROM known_places WHERE user_id = $1 AND kind = $2 AND place = $3", clean(user), kind, clean(place))
	return n > 0, err
}

// NotePlace remembers that a user was at a place. Of each kind the keep places
// that were used last are remembered.
func (tx *Tx) NotePlace(ctx context.Context, user string, kind catalog.PlaceKind, place string, at time.Time, keep int) error {
	if _, err := tx.change(ctx, "remembering a place", `INSERT INTO known_places (user_id, kind, place, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
		ON CONFLICT (user_id, kind, place) DO UPDATE SET last_at = excluded.last_at`, clean(user), kind, clean(place), micros(at)); err != nil {
		return err
	}
	_, err := tx.change(ctx, "forgetting old places", `DELETE FROM known_places WHERE user_id = $1 AND kind = $2 AND place NOT IN (
		SELECT place FROM known_places WHERE user_id = $1 AND kind = $2 ORDER BY last_at DESC, place LIMIT $3)`, clean(user), kind, keep)
	return err
}

// ForgetPlaces makes every place new to a user again.
func (tx *Tx) ForgetPlaces(ctx context.Context, user string) error {
	_, err := tx.change(ctx, "forgetting places", "DELETE FROM known_places WHERE user_id = $1", clean(user))
	return err
}

// Ceremony returns what waits under a token's hash, expired or not.
// catalog.ErrNotFound.
func (r *Reader) Ceremony(ctx context.Context, hash evidence.Digest) (*catalog.Ceremony, error) {
	return get(ctx, r, "a ceremony", func(s scanner, c *catalog.Ceremony) error {
		return s.Scan(hexInto(c.TokenHash[:]), &c.Kind, &c.User, hexInto(c.Session[:]), &c.Data, timeInto{&c.CreatedAt}, timeInto{&c.ExpiresAt})
	}, "SELECT token_hash, kind, user_id, session_hash, data, created_at, expires_at FROM ceremonies WHERE token_hash = $1", hash.String())
}

// InsertCeremony keeps a ceremony, and drops all that have expired before it
// began.
func (tx *Tx) InsertCeremony(ctx context.Context, c *catalog.Ceremony) error {
	if _, err := tx.change(ctx, "dropping expired ceremonies", "DELETE FROM ceremonies WHERE expires_at <= $1", micros(c.CreatedAt)); err != nil {
		return err
	}
	_, err := tx.change(ctx, "keeping a ceremony", "INSERT INTO ceremonies (token_hash, kind, user_id, session_hash, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		c.TokenHash.String(), c.Kind, clean(c.User), c.Session.String(), c.Data, micros(c.CreatedAt), micros(c.ExpiresAt))
	return err
}

// EndCeremony takes a ceremony away. catalog.ErrNotFound when somebody else did.
func (tx *Tx) EndCeremony(ctx context.Context, hash evidence.Digest) error {
	return tx.exec(ctx, "ending a ceremony", catalog.ErrNotFound, "DELETE FROM ceremonies WHERE token_hash = $1", hash.String())
}

// EndUserCeremonies takes away all that waits for a user.
func (tx *Tx) EndUserCeremonies(ctx context.Context, user string) error {
	_, err := tx.change(ctx, "ending ceremonies", "DELETE FROM ceremonies WHERE user_id = $1", clean(user))
	return err
}
