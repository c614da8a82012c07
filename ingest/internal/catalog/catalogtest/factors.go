package catalogtest

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func passkeys(s suite) {
	now := s.clock.Now()
	one := catalog.Passkey{ID: "AQID", User: "u1", Name: "Blue key", Credential: `{"id":"AQID"}`, SignCount: 4, CreatedAt: now}
	synced := catalog.Passkey{ID: "BAUG", User: "u1", Name: "Phone", Credential: "{}", CreatedAt: now.Add(time.Second)}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.InsertPasskey(ctx, &one); err != nil {
			return err
		}
		return tx.InsertPasskey(ctx, &synced)
	})
	twin := one
	twin.User = "u2"
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertPasskey(ctx, &twin) })
	use := func(id string, count uint32) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.UsePasskey(ctx, id, `{"used":true}`, count, now.Add(time.Hour))
		}
	}
	for _, count := range []uint32{0, 3, 4} {
		s.refused(catalog.ErrConflict, use("AQID", count))
	}
	s.update(use("AQID", 1<<32-1))
	s.update(use("BAUG", 0))
	s.update(use("BAUG", 0))
	s.update(use("BAUG", 1))
	s.refused(catalog.ErrConflict, use("BAUG", 0))
	got, err := s.db.Passkey(s.Context(), "AQID")
	s.must(err)
	one.SignCount, one.LastUsedAt, one.Credential = 1<<32-1, now.Add(time.Hour), `{"used":true}`
	is(s, "passkey", *got, one)
	all, err := s.db.Passkeys(s.Context(), "u1")
	s.must(err)
	is(s, "passkeys", len(all), 2)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeletePasskey(ctx, "u2", "AQID") })
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeletePasskey(ctx, "u1", "AQID") })
	_, err = s.db.Passkey(s.Context(), "AQID")
	s.isError(err, catalog.ErrNotFound)
}

func authenticators(s suite) {
	now := s.clock.Now()
	a := catalog.Authenticator{User: "u1", Secret: "c2VhbGVk", LastStep: 100, CreatedAt: now}
	insert := func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertAuthenticator(ctx, &a) }
	s.update(insert)
	s.refused(catalog.ErrExists, insert)
	use := func(step int64) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.UseAuthenticator(ctx, "u1", step, now.Add(time.Minute))
		}
	}
	s.refused(catalog.ErrConflict, use(100))
	s.refused(catalog.ErrConflict, use(99))
	s.update(use(101))
	s.refused(catalog.ErrConflict, use(101))
	got, err := s.db.Authenticator(s.Context(), "u1")
	s.must(err)
	a.LastStep, a.LastUsedAt = 101, now.Add(time.Minute)
	is(s, "authenticator", *got, a)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteAuthenticator(ctx, "u1") })
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteAuthenticator(ctx, "u1") })
}

func recoveryCodes(s suite) {
	now := s.clock.Now()
	replace := func(user string, hashes ...evidence.Digest) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.ReplaceRecoveryCodes(ctx, user, hashes, now) })
	}
	use := func(user string, hash byte) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.UseRecoveryCode(ctx, user, evidence.Digest{hash}, now)
		}
	}
	left := func(want int64) {
		s.Helper()
		n, err := s.db.CountRecoveryCodes(s.Context(), "u1")
		s.must(err)
		is(s, "codes left", n, want)
	}
	replace("u1", evidence.Digest{1}, evidence.Digest{2})
	replace("u2", evidence.Digest{3})
	left(2)
	s.refused(catalog.ErrConflict, use("u1", 3))
	s.update(use("u1", 1))
	s.refused(catalog.ErrConflict, use("u1", 1))
	left(1)
	replace("u1", evidence.Digest{4})
	s.refused(catalog.ErrConflict, use("u1", 2))
	left(1)
	replace("u1")
	left(0)
	s.update(use("u2", 3))
}

func knownPlaces(s suite) {
	now := s.clock.Now()
	note := func(place string, at time.Time) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.NotePlace(ctx, "u1", catalog.PlaceNetwork, place, at, 3)
		})
	}
	known := func(place string, kind catalog.PlaceKind, want bool) {
		s.Helper()
		got, err := s.db.KnownPlace(s.Context(), "u1", kind, place)
		s.must(err)
		is(s, place, got, want)
	}
	known("192.0.2.0/24", catalog.PlaceNetwork, false)
	for n := range 3 {
		note(fmt.Sprintf("192.0.%d.0/24", n), now.Add(time.Duration(n)*time.Minute))
	}
	known("192.0.0.0/24", catalog.PlaceNetwork, true)
	known("192.0.0.0/24", catalog.PlaceDevice, false)
	note("192.0.0.0/24", now.Add(time.Hour))
	note("192.0.9.0/24", now.Add(time.Hour))
	known("192.0.0.0/24", catalog.PlaceNetwork, true)
	known("192.0.1.0/24", catalog.PlaceNetwork, false)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.ForgetPlaces(ctx, "u1") })
	known("192.0.0.0/24", catalog.PlaceNetwork, false)
}

func ceremonies(s suite) {
	now := s.clock.Now()
	c := catalog.Ceremony{TokenHash: evidence.Digest{1}, Kind: "second", User: "u1", Session: evidence.Digest{7}, Data: "x", CreatedAt: now, ExpiresAt: now.Add(5 * time.Minute)}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertCeremony(ctx, &c) })
	got, err := s.db.Ceremony(s.Context(), evidence.Digest{1})
	s.must(err)
	is(s, "ceremony", *got, c)
	end := func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndCeremony(ctx, evidence.Digest{1}) }
	s.update(end)
	s.refused(catalog.ErrNotFound, end)
	later := c
	later.TokenHash, later.CreatedAt, later.ExpiresAt = evidence.Digest{2}, c.ExpiresAt, c.ExpiresAt.Add(time.Minute)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.InsertCeremony(ctx, &c); err != nil {
			return err
		}
		return tx.InsertCeremony(ctx, &later)
	})
	_, err = s.db.Ceremony(s.Context(), evidence.Digest{1})
	s.isError(err, catalog.ErrNotFound)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndUserCeremonies(ctx, "u1") })
	_, err = s.db.Ceremony(s.Context(), evidence.Digest{2})
	s.isError(err, catalog.ErrNotFound)
}
