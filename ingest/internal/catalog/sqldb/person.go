package sqldb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const userColumns = "id, agency, login, name, email, password, role, created_at, password_changed_at, last_sign_in_at, disabled_at, officer_id, dormant_at, enabled_at"

func scanUser(s scanner, u *catalog.User) error {
	return s.Scan(&u.ID, &u.Agency, &u.Login, &u.Name, &u.Email, &u.Password, &u.Role,
		timeInto{&u.CreatedAt}, timeInto{&u.PasswordChangedAt}, timeInto{&u.LastSignInAt}, timeInto{&u.DisabledAt}, &u.OfficerID, timeInto{&u.DormantAt}, timeInto{&u.EnabledAt})
}

// loginKey is what logins are compared by.
func loginKey(login string) string { return strings.ToLower(clean(login)) }

// User returns a user by id. catalog.ErrNotFound.
func (r *Reader) User(ctx context.Context, id string) (*catalog.User, error) {
	return get(ctx, r, "a user", scanUser, "SELECT "+userColumns+" FROM users WHERE id = $1", clean(id))
}

// UserByLogin returns a user by login, whatever its case. catalog.ErrNotFound.
func (r *Reader) UserByLogin(ctx context.Context, login string) (*catalog.User, error) {
	return get(ctx, r, "a user by login", scanUser, "SELECT "+userColumns+" FROM users WHERE login_key = $1", loginKey(login))
}

// Users returns an agency's users by login.
func (r *Reader) Users(ctx context.Context, agency evidence.AgencyID) ([]catalog.User, error) {
	return list(ctx, r, "users", scanUser, "SELECT "+userColumns+" FROM users WHERE agency = $1 ORDER BY login_key", agency)
}

// WithoutFactor returns the ids of an agency's users who may sign in and have neither
// passkey nor app here, without those whom an OpenID Connect provider signs in.
func (r *Reader) WithoutFactor(ctx context.Context, agency evidence.AgencyID) ([]string, error) {
	return list(ctx, r, "users without a second factor", func(s scanner, id *string) error { return s.Scan(id) }, `SELECT id FROM users WHERE agency = $1 AND disabled_at = 0
		AND NOT EXISTS (SELECT 1 FROM passkeys k WHERE k.user_id = users.id) AND NOT EXISTS (SELECT 1 FROM authenticators a WHERE a.user_id = users.id)
		AND NOT EXISTS (SELECT 1 FROM directory_people d WHERE d.user_id = users.id AND d.source LIKE 'oidc:%') ORDER BY login_key`, agency)
}

// CountUsers counts the users of all agencies.
func (r *Reader) CountUsers(ctx context.Context) (int64, error) {
	var n int64
	err := r.one(ctx, "the number of users", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*) FROM users")
	return n, err
}

// InsertUser adds a user. catalog.ErrExists when id or login is taken.
func (tx *Tx) InsertUser(ctx context.Context, u *catalog.User) error {
	_, err := tx.change(ctx, "adding a user", "INSERT INTO users ("+userColumns+", login_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
		clean(u.ID), u.Agency, clean(u.Login), clean(u.Name), clean(u.Email), u.Password, u.Role,
		micros(u.CreatedAt), micros(u.PasswordChangedAt), micros(u.LastSignInAt), micros(u.DisabledAt), clean(u.OfficerID), micros(u.DormantAt), micros(u.EnabledAt), loginKey(u.Login))
	return err
}

// UpdateUser changes all of a user but id, agency, login and CreatedAt.
// catalog.ErrNotFound.
func (tx *Tx) UpdateUser(ctx context.Context, u *catalog.User) error {
	return tx.exec(ctx, "changing a user", catalog.ErrNotFound,
		"UPDATE users SET name = $2, email = $3, password = $4, role = $5, password_changed_at = $6, last_sign_in_at = $7, disabled_at = $8, officer_id = $9, dormant_at = $10, enabled_at = $11 WHERE id = $1",
		clean(u.ID), clean(u.Name), clean(u.Email), u.Password, u.Role, micros(u.PasswordChangedAt), micros(u.LastSignInAt), micros(u.DisabledAt), clean(u.OfficerID), micros(u.DormantAt), micros(u.EnabledAt))
}

const sessionColumns = "token_hash, user_id, created_at, last_used_at, expires_at, address, agent, factor, factor_at, must_enrol"

func scanSession(s scanner, v *catalog.Session) error {
	return s.Scan(hexInto(v.TokenHash[:]), &v.User, timeInto{&v.CreatedAt}, timeInto{&v.LastUsedAt}, timeInto{&v.ExpiresAt}, &v.Address, &v.Agent,
		&v.Factor, timeInto{&v.FactorAt}, &v.MustEnrol)
}

// Session returns a session by its token's hash, expired or not. catalog.ErrNotFound.
func (r *Reader) Session(ctx context.Context, hash evidence.Digest) (*catalog.Session, error) {
	return get(ctx, r, "a session", scanSession, "SELECT "+sessionColumns+" FROM sessions WHERE token_hash = $1", hash.String())
}

// Sessions returns a user's sessions, last used first.
func (r *Reader) Sessions(ctx context.Context, user string) ([]catalog.Session, error) {
	return list(ctx, r, "sessions", scanSession, "SELECT "+sessionColumns+" FROM sessions WHERE user_id = $1 ORDER BY last_used_at DESC, token_hash LIMIT 500", clean(user))
}

// InsertSession keeps a new session.
func (tx *Tx) InsertSession(ctx context.Context, s *catalog.Session) error {
	_, err := tx.change(ctx, "keeping a session", "INSERT INTO sessions ("+sessionColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		s.TokenHash.String(), clean(s.User), micros(s.CreatedAt), micros(s.LastUsedAt), micros(s.ExpiresAt), clean(s.Address), clean(s.Agent),
		s.Factor, micros(s.FactorAt), flag(s.MustEnrol))
	return err
}

// TouchSession notes a use. catalog.ErrNotFound.
func (tx *Tx) TouchSession(ctx context.Context, hash evidence.Digest, at time.Time) error {
	return tx.exec(ctx, "noting the use of a session", catalog.ErrNotFound,
		"UPDATE sessions SET last_used_at = $2 WHERE token_hash = $1", hash.String(), micros(at))
}

// DeleteSession ends a session; a missing one is no error.
func (tx *Tx) DeleteSession(ctx context.Context, hash evidence.Digest) error {
	_, err := tx.change(ctx, "ending a session", "DELETE FROM sessions WHERE token_hash = $1", hash.String())
	return err
}

// DeleteUserSessions ends all sessions of a user but the one given (the zero
// digest: all) and returns how many.
func (tx *Tx) DeleteUserSessions(ctx context.Context, user string, but evidence.Digest) (int64, error) {
	return tx.change(ctx, "ending the sessions of a user", "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2", clean(user), but.String())
}

// DeleteExpiredSessions ends the sessions that are past their time at now, or
// unused since idleSince, and returns how many.
func (tx *Tx) DeleteExpiredSessions(ctx context.Context, now, idleSince time.Time) (int64, error) {
	return tx.change(ctx, "ending expired sessions", "DELETE FROM sessions WHERE expires_at <= $1 OR last_used_at < $2", micros(now), micros(idleSince))
}

// SetupToken returns a setup token. catalog.ErrNotFound.
func (r *Reader) SetupToken(ctx context.Context, hash evidence.Digest) (*catalog.SetupToken, error) {
	return get(ctx, r, "a setup token", func(s scanner, t *catalog.SetupToken) error {
		return s.Scan(hexInto(t.Hash[:]), timeInto{&t.CreatedAt}, timeInto{&t.ExpiresAt}, timeInto{&t.UsedAt})
	}, "SELECT hash, created_at, expires_at, used_at FROM setup_tokens WHERE hash = $1", hash.String())
}

// InsertSetupToken keeps a new setup token; older unused ones are dropped.
func (tx *Tx) InsertSetupToken(ctx context.Context, t *catalog.SetupToken) error {
	if _, err := tx.change(ctx, "dropping older setup tokens", "DELETE FROM setup_tokens WHERE used_at = 0"); err != nil {
		return err
	}
	_, err := tx.change(ctx, "keeping a setup token", "INSERT INTO setup_tokens (hash, created_at, expires_at) VALUES ($1, $2, $3)",
		t.Hash.String(), micros(t.CreatedAt), micros(t.ExpiresAt))
	return err
}

// ConsumeSetupToken marks a token used, once.
// catalog.ErrNotFound, ErrTokenUsed, ErrTokenExpired.
func (tx *Tx) ConsumeSetupToken(ctx context.Context, hash evidence.Digest, at time.Time) error {
	t, err := tx.SetupToken(ctx, hash)
	if err != nil {
		return err
	}
	if err := usable("a setup token", t.UsedAt, t.ExpiresAt, at); err != nil {
		return err
	}
	return tx.exec(ctx, "using a setup token", catalog.ErrTokenUsed, "UPDATE setup_tokens SET used_at = $2 WHERE hash = $1 AND used_at = 0", hash.String(), micros(at))
}

// InsertLoginFailure notes a refused sign-in.
func (tx *Tx) InsertLoginFailure(ctx context.Context, f *catalog.LoginFailure) error {
	_, err := tx.change(ctx, "noting a refused sign-in", "INSERT INTO login_failures (login_key, address, at) VALUES ($1, $2, $3)",
		indexed(loginKey(f.Login)), indexed(clean(f.Address)), micros(f.At))
	return err
}

// indexed shortens hostile text to what an index takes; what it stands for
// then is a digest.
func indexed(s string) string {
	if len(s) > maxColumn {
		return evidence.SHA256([]byte(s)).String()
	}
	return s
}

// CountLoginFailures counts the refused sign-ins since a time: of a login, from
// an address; "" means any.
func (r *Reader) CountLoginFailures(ctx context.Context, login, address string, since time.Time) (int64, error) {
	var w where
	w.and("at >= ?", micros(since))
	w.andIf("login_key", indexed(loginKey(login)))
	w.andIf("address", indexed(clean(address)))
	var n int64
	err := r.one(ctx, "the number of refused sign-ins", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*) FROM login_failures"+w.String(), w.args...)
	return n, err
}

// DeleteLoginFailures forgets the refused sign-ins before a time and returns
// how many. The custody events of them stay.
func (tx *Tx) DeleteLoginFailures(ctx context.Context, before time.Time) (int64, error) {
	return tx.change(ctx, "forgetting refused sign-ins", "DELETE FROM login_failures WHERE at < $1", micros(before))
}

// ClearLoginFailures forgets the refused sign-ins and the lock of a login.
func (tx *Tx) ClearLoginFailures(ctx context.Context, login string) error {
	if _, err := tx.change(ctx, "forgetting refused sign-ins", "DELETE FROM login_failures WHERE login_key = $1", indexed(loginKey(login))); err != nil {
		return err
	}
	_, err := tx.change(ctx, "unlocking a login", "DELETE FROM login_locks WHERE login_key = $1", indexed(loginKey(login)))
	return err
}

// LockLogin refuses a login until a time.
func (tx *Tx) LockLogin(ctx context.Context, login string, until time.Time) error {
	_, err := tx.change(ctx, "locking a login", `INSERT INTO login_locks (login_key, locked_until) VALUES ($1, $2)
		ON CONFLICT (login_key) DO UPDATE SET locked_until = excluded.locked_until`, indexed(loginKey(login)), micros(until))
	return err
}

// LoginLockedUntil returns until when a login is refused, as last set; the zero
// time when it was never locked.
func (r *Reader) LoginLockedUntil(ctx context.Context, login string) (time.Time, error) {
	all, err := list(ctx, r, "the lock of a login", func(s scanner, t *time.Time) error { return s.Scan(timeInto{t}) },
		"SELECT locked_until FROM login_locks WHERE login_key = $1", indexed(loginKey(login)))
	if err != nil || len(all) == 0 {
		return time.Time{}, err
	}
	return all[0], nil
}

const settingColumns = "agency, name, value, updated_at, updated_by"

func scanSetting(s scanner, v *catalog.Setting) error {
	return s.Scan(&v.Agency, &v.Name, &v.Value, timeInto{&v.UpdatedAt}, &v.UpdatedBy)
}

// Setting returns a value. catalog.ErrNotFound.
func (r *Reader) Setting(ctx context.Context, agency evidence.AgencyID, name string) (*catalog.Setting, error) {
	return get(ctx, r, fmt.Sprintf("setting %q", clean(name)), scanSetting, "SELECT "+settingColumns+" FROM settings WHERE agency = $1 AND name = $2", agency, clean(name))
}

// Settings returns an agency's settings by name.
func (r *Reader) Settings(ctx context.Context, agency evidence.AgencyID) ([]catalog.Setting, error) {
	return list(ctx, r, "settings", scanSetting, "SELECT "+settingColumns+" FROM settings WHERE agency = $1 ORDER BY name", agency)
}

// SetSetting keeps a value.
func (tx *Tx) SetSetting(ctx context.Context, s *catalog.Setting) error {
	_, err := tx.change(ctx, "keeping a setting", "INSERT INTO settings ("+settingColumns+`) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (agency, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		s.Agency, clean(s.Name), clean(s.Value), micros(s.UpdatedAt), clean(s.UpdatedBy))
	return err
}

// UnsetSetting forgets a value; a missing one is no error.
func (tx *Tx) UnsetSetting(ctx context.Context, agency evidence.AgencyID, name string) error {
	_, err := tx.change(ctx, "forgetting a setting", "DELETE FROM settings WHERE agency = $1 AND name = $2", agency, clean(name))
	return err
}

// PasswordHistory returns the passwords that a user has had, as they were
// stored, newest first, of which limit are kept.
func (r *Reader) PasswordHistory(ctx context.Context, user string, limit int) ([]string, error) {
	return list(ctx, r, "former passwords", func(s scanner, v *string) error { return s.Scan(v) },
		fmt.Sprintf("SELECT password FROM password_history WHERE user_id = $1 ORDER BY at DESC LIMIT %d", limit), clean(user))
}

// KeepPassword remembers a user's password of a time and forgets all but the
// newest keep.
func (tx *Tx) KeepPassword(ctx context.Context, user, password string, at time.Time, keep int) error {
	_, err := tx.change(ctx, "remembering a password", `INSERT INTO password_history (user_id, at, password) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, at) DO UPDATE SET password = excluded.password`, clean(user), micros(at), password)
	if err != nil {
		return err
	}
	_, err = tx.change(ctx, "forgetting older passwords", fmt.Sprintf(`DELETE FROM password_history WHERE user_id = $1 AND at NOT IN
		(SELECT at FROM password_history WHERE user_id = $1 ORDER BY at DESC LIMIT %d)`, keep), clean(user))
	return err
}
