package catalogtest

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func phones(s suite) {
	now := s.clock.Now()
	set := func(p catalog.Phone) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.SetPhone(ctx, &p) })
	}
	p := catalog.Phone{User: "u1", Number: "c2VhbGVk", NumberKey: "aa", Channel: "sms", CreatedAt: now}
	set(p)
	p.Number, p.NumberKey, p.Channel, p.CreatedAt = "b3RoZXI", "bb", "call", now.Add(time.Minute)
	set(p)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.UsePhone(ctx, "u1", now.Add(time.Hour)) })
	p.LastUsedAt = now.Add(time.Hour)
	got, err := s.db.Phone(s.Context(), "u1")
	s.must(err)
	is(s, "phone", *got, p)
	n, err := s.db.CountPhones(s.Context(), "metro-pd")
	s.must(err)
	is(s, "phones of nobody's account", n, 0)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.UsePhone(ctx, "u2", now) })

	code := catalog.PhoneCode{BoundTo: evidence.SHA256([]byte("sign-in")), Purpose: "sign-in", User: "u1", Number: "c2VhbGVk", NumberKey: "aa", Channel: "sms", Hash: evidence.SHA256([]byte("1")), SentAt: now, ExpiresAt: now.Add(5 * time.Minute)}
	send := func(c catalog.PhoneCode) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.SendPhoneCode(ctx, "metro-pd", &c) })
	}
	take := func(purpose string, hash evidence.Digest) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.TakePhoneCode(ctx, code.BoundTo, purpose, hash)
		}
	}
	count := func(user, key string, after time.Time) (n catalog.PhoneSends) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) (err error) {
			n, err = tx.CountPhoneSends(ctx, "metro-pd", user, key, after)
			return err
		})
		return n
	}
	send(code)
	first := code.Hash
	code.Hash, code.SentAt, code.NumberKey = evidence.SHA256([]byte("2")), now.Add(time.Minute), "bb"
	send(code)
	s.refused(catalog.ErrConflict, take("sign-in", first))
	s.refused(catalog.ErrConflict, take("confirm", code.Hash))
	kept, err := s.db.PhoneCode(s.Context(), code.BoundTo, "sign-in")
	s.must(err)
	is(s, "code", *kept, code)
	s.update(take("sign-in", code.Hash))
	s.refused(catalog.ErrConflict, take("sign-in", code.Hash))
	is(s, "sends", count("u1", "bb", now.Add(-time.Second)), catalog.PhoneSends{User: 2, Number: 1, Agency: 2})
	is(s, "sends of another", count("u2", "cc", now.Add(-time.Second)), catalog.PhoneSends{Agency: 2})
	is(s, "later sends", count("u1", "aa", now), catalog.PhoneSends{User: 1, Agency: 1})

	send(code)
	later := code
	later.BoundTo, later.SentAt, later.ExpiresAt = evidence.SHA256([]byte("later")), code.ExpiresAt, code.ExpiresAt.Add(time.Minute)
	send(later)
	_, err = s.db.PhoneCode(s.Context(), code.BoundTo, "sign-in")
	s.isError(err, catalog.ErrNotFound)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeletePhone(ctx, "u1") })
	_, err = s.db.PhoneCode(s.Context(), later.BoundTo, "sign-in")
	s.isError(err, catalog.ErrNotFound)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeletePhone(ctx, "u1") })
}
