package sqldb

import (
	"context"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const apiTokenColumns = "id, token_hash, user_id, name, scopes, networks, created_at, expires_at, last_used_at, last_address, client"

func scanAPIToken(s scanner, v *catalog.APIToken) error {
	var scopes, networks string
	err := s.Scan(&v.ID, hexInto(v.Hash[:]), &v.User, &v.Name, &scopes, &networks, timeInto{&v.CreatedAt}, timeInto{&v.ExpiresAt}, timeInto{&v.LastUsedAt}, &v.LastAddress, &v.Client)
	v.Scopes, v.Networks = strings.Fields(scopes), strings.Fields(networks)
	return err
}

// APIToken returns a token by the hash of its secret. catalog.ErrNotFound.
func (r *Reader) APIToken(ctx context.Context, hash evidence.Digest) (*catalog.APIToken, error) {
	return get(ctx, r, "a token", scanAPIToken, "SELECT "+apiTokenColumns+" FROM api_tokens WHERE token_hash = $1", hash.String())
}

// APITokens returns a user's tokens, newest first.
func (r *Reader) APITokens(ctx context.Context, user string) ([]catalog.APIToken, error) {
	return list(ctx, r, "tokens", scanAPIToken, "SELECT "+apiTokenColumns+" FROM api_tokens WHERE user_id = $1 ORDER BY created_at DESC, id", clean(user))
}

// InsertAPIToken keeps a new token. catalog.ErrExists when the user has one of its name.
func (tx *Tx) InsertAPIToken(ctx context.Context, v *catalog.APIToken) error {
	_, err := tx.change(ctx, "keeping a token", "INSERT INTO api_tokens ("+apiTokenColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		v.ID, v.Hash.String(), clean(v.User), indexed(clean(v.Name)), strings.Join(v.Scopes, "\n"), strings.Join(v.Networks, "\n"),
		micros(v.CreatedAt), micros(v.ExpiresAt), micros(v.LastUsedAt), clean(v.LastAddress), v.Client)
	return err
}

// UseAPIToken notes when and from where a token was used last. catalog.ErrNotFound.
func (tx *Tx) UseAPIToken(ctx context.Context, id string, at time.Time, address string) error {
	return tx.exec(ctx, "noting the use of a token", catalog.ErrNotFound, "UPDATE api_tokens SET last_used_at = $2, last_address = $3 WHERE id = $1", clean(id), micros(at), clean(address))
}

// DeleteAPIToken takes one of a user's tokens away. catalog.ErrNotFound.
func (tx *Tx) DeleteAPIToken(ctx context.Context, user, id string) error {
	return tx.exec(ctx, "revoking a token", catalog.ErrNotFound, "DELETE FROM api_tokens WHERE user_id = $1 AND id = $2", clean(user), clean(id))
}

// DeleteAPITokens takes all of a user's tokens away, and returns how many.
func (tx *Tx) DeleteAPITokens(ctx context.Context, user string) (int64, error) {
	return tx.change(ctx, "revoking tokens", "DELETE FROM api_tokens WHERE user_id = $1", clean(user))
}

const answerColumns = "actor, key, fingerprint, status, header, body, kept, created_at"

func scanAnswer(s scanner, v *catalog.KeptAnswer) error {
	var kept int64
	err := s.Scan(&v.Actor, &v.Key, hexInto(v.Fingerprint[:]), &v.Status, &v.Header, &v.Body, &kept, timeInto{&v.CreatedAt})
	v.Kept = kept == 1
	return err
}

// KeptAnswer returns what came of a key. catalog.ErrNotFound.
func (r *Reader) KeptAnswer(ctx context.Context, actor, key string) (*catalog.KeptAnswer, error) {
	return get(ctx, r, "a kept answer", scanAnswer, "SELECT "+answerColumns+" FROM kept_answers WHERE actor = $1 AND key = $2", clean(actor), clean(key))
}

// CountKeptAnswers counts an actor's keys.
func (r *Reader) CountKeptAnswers(ctx context.Context, actor string) (n int64, err error) {
	err = r.one(ctx, "the number of kept answers", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*) FROM kept_answers WHERE actor = $1", clean(actor))
	return n, err
}

// InsertKeptAnswer takes a key that is not answered yet. catalog.ErrExists.
func (tx *Tx) InsertKeptAnswer(ctx context.Context, v *catalog.KeptAnswer) error {
	_, err := tx.change(ctx, "taking a key", "INSERT INTO kept_answers ("+answerColumns+") VALUES ($1, $2, $3, 0, '', '', 0, $4)",
		clean(v.Actor), clean(v.Key), v.Fingerprint.String(), micros(v.CreatedAt))
	return err
}

// SetKeptAnswer keeps what was answered. catalog.ErrNotFound.
func (tx *Tx) SetKeptAnswer(ctx context.Context, v *catalog.KeptAnswer) error {
	kept := 0
	if v.Kept {
		kept = 1
	}
	return tx.exec(ctx, "keeping an answer", catalog.ErrNotFound, "UPDATE kept_answers SET status = $3, header = $4, body = $5, kept = $6 WHERE actor = $1 AND key = $2",
		clean(v.Actor), clean(v.Key), int64(v.Status), v.Header, v.Body, kept)
}

// DropKeptAnswer lets a key be used again. One that is not there is no error.
func (tx *Tx) DropKeptAnswer(ctx context.Context, actor, key string) error {
	_, err := tx.change(ctx, "letting a key go", "DELETE FROM kept_answers WHERE actor = $1 AND key = $2", clean(actor), clean(key))
	return err
}

// DropKeptAnswersBefore forgets what is older.
func (tx *Tx) DropKeptAnswersBefore(ctx context.Context, at time.Time) error {
	_, err := tx.change(ctx, "forgetting old answers", "DELETE FROM kept_answers WHERE created_at < $1", micros(at))
	return err
}
