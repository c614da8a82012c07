package sqldb

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const phoneColumns = "user_id, number, number_key, channel, created_at, last_used_at"

// Phone returns where codes are sent to a user. catalog.ErrNotFound.
func (r *Reader) Phone(ctx context.Context, user string) (*catalog.Phone, error) {
	return get(ctx, r, "a phone", func(s scanner, v *catalog.Phone) error {
		return s.Scan(&v.User, &v.Number, &v.NumberKey, &v.Channel, timeInto{&v.CreatedAt}, timeInto{&v.LastUsedAt})
	}, "SELECT "+phoneColumns+" FROM phones WHERE user_id = $1", clean(user))
}

// CountPhones counts the users of an agency who have a phone and are not disabled.
func (r *Reader) CountPhones(ctx context.Context, agency evidence.AgencyID) (int64, error) {
	var n int64
	err := r.one(ctx, "the number of phones", func(s scanner) error { return s.Scan(&n) },
		"SELECT count(*) FROM phones p JOIN users u ON u.id = p.user_id WHERE u.agency = $1 AND u.disabled_at = 0", agency)
	return n, err
}

// SetPhone keeps a user's phone in place of the former one.
func (tx *Tx) SetPhone(ctx context.Context, p *catalog.Phone) error {
	_, err := tx.change(ctx, "keeping a phone", "INSERT INTO phones ("+phoneColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id) DO UPDATE SET
		number = excluded.number, number_key = excluded.number_key, channel = excluded.channel, created_at = excluded.created_at, last_used_at = excluded.last_used_at`,
		clean(p.User), p.Number, p.NumberKey, p.Channel, micros(p.CreatedAt), micros(p.LastUsedAt))
	return err
}

// UsePhone notes that a code of a user's phone was taken. catalog.ErrNotFound.
func (tx *Tx) UsePhone(ctx context.Context, user string, at time.Time) error {
	return tx.exec(ctx, "using a phone", catalog.ErrNotFound, "UPDATE phones SET last_used_at = $2 WHERE user_id = $1", clean(user), micros(at))
}

// DeletePhone takes a user's phone away, with the codes that were sent to it.
// catalog.ErrNotFound.
func (tx *Tx) DeletePhone(ctx context.Context, user string) error {
	if err := tx.DropPhoneCodes(ctx, user); err != nil {
		return err
	}
	return tx.exec(ctx, "removing a phone", catalog.ErrNotFound, "DELETE FROM phones WHERE user_id = $1", clean(user))
}

const phoneCodeColumns = "bound_to, purpose, user_id, number, number_key, channel, hash, sent_at, expires_at"

// PhoneCode returns the code that was sent last for a sign-in or session, expired or
// not. catalog.ErrNotFound.
func (r *Reader) PhoneCode(ctx context.Context, boundTo evidence.Digest, purpose string) (*catalog.PhoneCode, error) {
	return get(ctx, r, "a code by phone", func(s scanner, v *catalog.PhoneCode) error {
		return s.Scan(hexInto(v.BoundTo[:]), &v.Purpose, &v.User, &v.Number, &v.NumberKey, &v.Channel, hexInto(v.Hash[:]), timeInto{&v.SentAt}, timeInto{&v.ExpiresAt})
	}, "SELECT "+phoneCodeColumns+" FROM phone_codes WHERE bound_to = $1 AND purpose = $2", boundTo.String(), purpose)
}

// SendPhoneCode keeps a code that is sent now, in place of the former one of its
// sign-in or session, and counts it. Codes that have expired are dropped.
func (tx *Tx) SendPhoneCode(ctx context.Context, agency evidence.AgencyID, c *catalog.PhoneCode) error {
	if _, err := tx.change(ctx, "dropping expired codes", "DELETE FROM phone_codes WHERE expires_at <= $1", micros(c.SentAt)); err != nil {
		return err
	}
	if _, err := tx.change(ctx, "keeping a code", "INSERT INTO phone_codes ("+phoneCodeColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (bound_to, purpose) DO UPDATE SET
		user_id = excluded.user_id, number = excluded.number, number_key = excluded.number_key, channel = excluded.channel, hash = excluded.hash, sent_at = excluded.sent_at, expires_at = excluded.expires_at`,
		c.BoundTo.String(), c.Purpose, clean(c.User), c.Number, c.NumberKey, c.Channel, c.Hash.String(), micros(c.SentAt), micros(c.ExpiresAt)); err != nil {
		return err
	}
	_, err := tx.change(ctx, "counting a code", "INSERT INTO phone_sends (id, agency, user_id, number_key, sent_at) VALUES ($1, $2, $3, $4, $5)",
		rand.Text(), agency, clean(c.User), c.NumberKey, micros(c.SentAt))
	return err
}

// CountPhoneSends counts the codes that were sent after a time, to a user, to a number
// and in an agency, and forgets those from before.
func (tx *Tx) CountPhoneSends(ctx context.Context, agency evidence.AgencyID, user, numberKey string, after time.Time) (n catalog.PhoneSends, err error) {
	if _, err := tx.change(ctx, "forgetting codes that were sent", "DELETE FROM phone_sends WHERE agency = $1 AND sent_at <= $2", agency, micros(after)); err != nil {
		return n, err
	}
	err = tx.one(ctx, "the number of codes that were sent", func(s scanner) error { return s.Scan(&n.Agency, &n.User, &n.Number) },
		`SELECT count(*), count(CASE WHEN user_id = $2 THEN 1 END), count(CASE WHEN number_key = $3 THEN 1 END) FROM phone_sends WHERE agency = $1`, agency, clean(user), numberKey)
	return n, err
}

// TakePhoneCode takes a code away, once: catalog.ErrConflict when it is not there, or
// is another one.
func (tx *Tx) TakePhoneCode(ctx context.Context, boundTo evidence.Digest, purpose string, hash evidence.Digest) error {
	return tx.exec(ctx, "taking a code by phone", catalog.ErrConflict, "DELETE FROM phone_codes WHERE bound_to = $1 AND purpose = $2 AND hash = $3", boundTo.String(), purpose, hash.String())
}

// DropPhoneCodes takes away all codes that were sent for a user.
func (tx *Tx) DropPhoneCodes(ctx context.Context, user string) error {
	_, err := tx.change(ctx, "dropping codes by phone", "DELETE FROM phone_codes WHERE user_id = $1", clean(user))
	return err
}
