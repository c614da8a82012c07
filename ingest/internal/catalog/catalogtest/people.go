package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func users(s suite) {
	u := &catalog.User{ID: "0123", Agency: Agency, Login: "Jane.Doe", Name: "Jane", Email: "jane@example.org", Password: "$argon2id$x", Role: "admin",
		CreatedAt: s.clock.Now(), PasswordChangedAt: s.clock.Now()}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertUser(ctx, u) })
	for _, login := range []string{"jane.doe", "JANE.DOE"} {
		got, err := s.db.UserByLogin(s.Context(), login)
		s.must(err)
		is(s, "user", *got, *u)
	}
	twin := *u
	twin.ID, twin.Login = "4567", "jane.DOE"
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertUser(ctx, &twin) })
	u.Name, u.DisabledAt, u.Role = "Jane D.", s.clock.Now(), "officer"
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.UpdateUser(ctx, u) })
	got, err := s.db.User(s.Context(), "0123")
	s.must(err)
	is(s, "user", *got, *u)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.UpdateUser(ctx, &twin) })
	all, err := s.db.Users(s.Context(), Agency)
	s.must(err)
	n, err := s.db.CountUsers(s.Context())
	s.must(err)
	is(s, "users", int64(len(all)), n)
	for _, odd := range []string{"nobody", "", "a\x00b", "\xff", strings.Repeat("x", 10_000)} {
		_, err = s.db.UserByLogin(s.Context(), odd)
		s.isError(err, catalog.ErrNotFound)
	}
}

func sessions(s suite) {
	now := s.clock.Now()
	var made []catalog.Session
	for n := range 4 {
		made = append(made, catalog.Session{TokenHash: evidence.Digest{byte(n + 1)}, User: "u1", CreatedAt: now, LastUsedAt: now.Add(time.Duration(n) * time.Minute),
			ExpiresAt: now.Add(12 * time.Hour), Address: "192.0.2.1", Agent: "Browser\x00", Factor: "password", FactorAt: now, MustEnrol: n == 0})
	}
	made[3].ExpiresAt = now.Add(time.Minute)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for n := range made {
			if err := tx.InsertSession(ctx, &made[n]); err != nil {
				return err
			}
		}
		return tx.TouchSession(ctx, made[0].TokenHash, now.Add(time.Hour))
	})
	all, err := s.db.Sessions(s.Context(), "u1")
	s.must(err)
	is(s, "sessions", len(all), 4)
	is(s, "last used first", all[0].TokenHash, made[0].TokenHash)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := tx.DeleteExpiredSessions(ctx, now.Add(2*time.Minute), now.Add(90*time.Second))
		is(s, "expired and idle sessions", n, 2)
		return err
	})
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := tx.DeleteUserSessions(ctx, "u1", made[0].TokenHash)
		is(s, "other sessions", n, 1)
		return errors.Join(err, tx.DeleteSession(ctx, evidence.Digest{99}))
	})
	got, err := s.db.Session(s.Context(), made[0].TokenHash)
	s.must(err)
	is(s, "last use", got.LastUsedAt, now.Add(time.Hour))
	is(s, "what was shown", fmt.Sprint(got.Factor, got.FactorAt, got.MustEnrol), fmt.Sprint("password", now, true))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return errors.Join(tx.SetSessionFactor(ctx, made[0].TokenHash, "passkey", now.Add(time.Hour)), tx.OpenSessions(ctx, "u1"))
	})
	got, err = s.db.Session(s.Context(), made[0].TokenHash)
	s.must(err)
	is(s, "what was shown later", fmt.Sprint(got.Factor, got.FactorAt, got.MustEnrol), fmt.Sprint("passkey", now.Add(time.Hour), false))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteSession(ctx, made[0].TokenHash) })
	_, err = s.db.Session(s.Context(), made[0].TokenHash)
	s.isError(err, catalog.ErrNotFound)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.TouchSession(ctx, made[0].TokenHash, now) })
}

func setupTokens(s suite) {
	now := s.clock.Now()
	insert := func(hash byte) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertSetupToken(ctx, &catalog.SetupToken{Hash: evidence.Digest{hash}, CreatedAt: now, ExpiresAt: now.Add(time.Hour)})
		})
	}
	consume := func(hash byte, at time.Time) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.ConsumeSetupToken(ctx, evidence.Digest{hash}, at)
		}
	}
	insert(1)
	insert(2)
	s.refused(catalog.ErrNotFound, consume(1, now))
	s.refused(catalog.ErrTokenExpired, consume(2, now.Add(time.Hour)))
	s.update(consume(2, now))
	s.refused(catalog.ErrTokenUsed, consume(2, now))
	got, err := s.db.SetupToken(s.Context(), evidence.Digest{2})
	s.must(err)
	is(s, "used at", got.UsedAt, now)
}

func loginFailures(s suite) {
	now := s.clock.Now()
	long := strings.Repeat("é", 5000)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for n := range 5 {
			login := "Jane"
			if n == 4 {
				login = long
			}
			if err := tx.InsertLoginFailure(ctx, &catalog.LoginFailure{Login: login, Address: "192.0.2.1", At: now.Add(time.Duration(n) * time.Minute)}); err != nil {
				return err
			}
		}
		return tx.LockLogin(ctx, "jane", now.Add(time.Hour))
	})
	count := func(login, address string, since time.Time, want int64) {
		s.Helper()
		n, err := s.db.CountLoginFailures(s.Context(), login, address, since)
		s.must(err)
		is(s, "failures", n, want)
	}
	count("JANE", "", now, 4)
	count("jane", "", now.Add(time.Minute), 3)
	count("", "192.0.2.1", now, 5)
	count("jane", "192.0.2.9", now, 0)
	count(long, "", now, 1)
	until, err := s.db.LoginLockedUntil(s.Context(), "Jane")
	s.must(err)
	is(s, "locked until", until, now.Add(time.Hour))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.ClearLoginFailures(ctx, "JANE") })
	count("jane", "", now, 0)
	until, err = s.db.LoginLockedUntil(s.Context(), "jane")
	s.must(err)
	is(s, "lock", until.IsZero(), true)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := tx.DeleteLoginFailures(ctx, now.Add(time.Hour))
		is(s, "old failures", n, 1)
		return err
	})
}

func settings(s suite) {
	_, err := s.db.Setting(s.Context(), Agency, "retention")
	s.isError(err, catalog.ErrNotFound)
	for _, value := range []string{"30d", "60d"} {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.SetSetting(ctx, &catalog.Setting{Agency: Agency, Name: "retention", Value: value, UpdatedAt: s.clock.Now(), UpdatedBy: "u1"})
		})
	}
	got, err := s.db.Setting(s.Context(), Agency, "retention")
	s.must(err)
	is(s, "value", got.Value, "60d")
	all, err := s.db.Settings(s.Context(), Agency)
	s.must(err)
	is(s, "settings", len(all), 1)
	for range 2 {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.UnsetSetting(ctx, Agency, "retention") })
	}
	_, err = s.db.Setting(s.Context(), Agency, "retention")
	s.isError(err, catalog.ErrNotFound)
}

func passwordHistory(s suite) {
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.InsertUser(ctx, &catalog.User{ID: "u7", Agency: Agency, Login: "o.history", Name: "O", Role: "operator", CreatedAt: s.clock.Now()}); err != nil {
			return err
		}
		for n, password := range []string{"one", "two", "three", "four"} {
			if err := tx.KeepPassword(ctx, "u7", password, s.clock.Now().Add(time.Duration(n)*time.Hour), 3); err != nil {
				return err
			}
		}
		return nil
	})
	kept, err := s.db.PasswordHistory(s.Context(), "u7", 24)
	s.must(err)
	is(s, "former passwords", strings.Join(kept, " "), "four three two")
	kept, err = s.db.PasswordHistory(s.Context(), "u7", 1)
	s.must(err)
	is(s, "the newest alone", strings.Join(kept, " "), "four")
}
