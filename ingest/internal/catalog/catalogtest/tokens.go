package catalogtest

import (
	"context"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func apiTokens(s suite) {
	now := s.clock.Now()
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.InsertUser(ctx, &catalog.User{ID: "u1", Agency: "metro-pd", Login: "a.moreno", Name: "A", Password: "x", Role: "auditor", CreatedAt: now})
	})
	one := catalog.APIToken{ID: "01", Hash: evidence.SHA256([]byte("one")), User: "u1", Name: "Reports", Scopes: []string{"evidence.list", "evidence.view"},
		Networks: []string{"10.0.0.0/8", "2001:db8::/32"}, Client: "mobile", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	insert := func(v catalog.APIToken) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertAPIToken(ctx, &v) }
	}
	s.update(insert(one))
	twin := one
	twin.ID, twin.Hash = "02", evidence.SHA256([]byte("two"))
	s.refused(catalog.ErrExists, insert(twin)) // of the same name
	twin.Name, twin.CreatedAt = "Backup", now.Add(time.Second)
	s.update(insert(twin))
	again := twin
	again.ID, again.Name = "03", "Third"
	s.refused(catalog.ErrExists, insert(again)) // of the same secret
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.UseAPIToken(ctx, "01", now.Add(time.Minute), "192.0.2.7")
	})
	got, err := s.db.APIToken(s.Context(), one.Hash)
	s.must(err)
	if got.ID != "01" || !slices.Equal(got.Scopes, one.Scopes) || !slices.Equal(got.Networks, one.Networks) || !got.LastUsedAt.Equal(now.Add(time.Minute)) || got.LastAddress != "192.0.2.7" || got.Client != "mobile" {
		s.Errorf("it is %+v", got)
	}
	all, err := s.db.APITokens(s.Context(), "u1")
	s.must(err)
	if len(all) != 2 || all[0].ID != "02" || len(all[1].Scopes) != 2 {
		s.Errorf("they are %+v", all)
	}
	revoke := func(user, id string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteAPIToken(ctx, user, id) }
	}
	s.refused(catalog.ErrNotFound, revoke("u2", "01"))
	s.update(revoke("u1", "01"))
	s.refused(catalog.ErrNotFound, revoke("u1", "01"))
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.UseAPIToken(ctx, "01", now, "") })
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := tx.DeleteAPITokens(ctx, "u1")
		if n != 1 {
			s.Errorf("%d were revoked", n)
		}
		return err
	})
}

func keptAnswers(s suite) {
	now := s.clock.Now()
	row := catalog.KeptAnswer{Actor: "user:u1", Key: "k-1", Fingerprint: evidence.SHA256([]byte("asked")), CreatedAt: now}
	take := func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertKeptAnswer(ctx, &row) }
	s.update(take)
	s.refused(catalog.ErrExists, take)
	got, err := s.db.KeptAnswer(s.Context(), "user:u1", "k-1")
	s.must(err)
	if got.Status != 0 || got.Kept || got.Fingerprint != row.Fingerprint {
		s.Errorf("before it is answered it is %+v", got)
	}
	row.Status, row.Header, row.Body, row.Kept = 200, `{"Location":"/x"}`, "done", true
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.SetKeptAnswer(ctx, &row) })
	if got, err = s.db.KeptAnswer(s.Context(), "user:u1", "k-1"); err != nil || got.Status != 200 || got.Body != "done" || got.Header != row.Header || !got.Kept {
		s.Errorf("answered, it is %+v, %v", got, err)
	}
	other := row
	other.Actor = "token:t1"
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertKeptAnswer(ctx, &other) })
	if n, err := s.db.CountKeptAnswers(s.Context(), "user:u1"); err != nil || n != 1 {
		s.Errorf("%d of one actor, %v", n, err)
	}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DropKeptAnswer(ctx, "token:t1", "k-1") })
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DropKeptAnswersBefore(ctx, now) })
	if _, err := s.db.KeptAnswer(s.Context(), "user:u1", "k-1"); err != nil {
		s.Errorf("it was forgotten early: %v", err)
	}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DropKeptAnswersBefore(ctx, now.Add(time.Microsecond))
	})
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.SetKeptAnswer(ctx, &row) })
}
