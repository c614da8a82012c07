package catalogtest

import (
	"context"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func directoryPeople(s suite) {
	now := s.clock.Now()
	put := func(p catalog.DirectoryPerson) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertDirectoryPerson(ctx, &p) }
	}
	one := catalog.DirectoryPerson{User: "u1", Source: "ldap", Subject: "6f9e", Refresh: "sealed", CheckedAt: now}
	s.update(put(one))
	s.update(put(catalog.DirectoryPerson{User: "u2", Source: "oidc:https://id.example.org", Subject: "6f9e", CheckedAt: now.Add(time.Minute)}))
	s.update(put(catalog.DirectoryPerson{User: "u3", Source: "ldap", Subject: strings.Repeat("long ", 2000), CheckedAt: now}))
	s.refused(catalog.ErrExists, put(catalog.DirectoryPerson{User: "u4", Source: "ldap", Subject: "6f9e"}))
	s.refused(catalog.ErrExists, put(catalog.DirectoryPerson{User: "u1", Source: "ldap", Subject: "other"}))

	got, err := s.db.DirectoryPersonBy(s.Context(), "ldap", "6f9e")
	s.must(err)
	is(s, "person by subject", *got, one)
	_, err = s.db.DirectoryPersonBy(s.Context(), "ldap", "6F9E")
	s.isError(err, catalog.ErrNotFound)
	_, err = s.db.DirectoryPerson(s.Context(), "u4")
	s.isError(err, catalog.ErrNotFound)

	one.Refresh, one.CheckedAt, one.CutOffAt = "", now.Add(time.Hour), now.Add(2*time.Hour)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.UpdateDirectoryPerson(ctx, &one) })
	got, err = s.db.DirectoryPerson(s.Context(), "u1")
	s.must(err)
	is(s, "changed person", *got, one)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.UpdateDirectoryPerson(ctx, &catalog.DirectoryPerson{User: "u4"})
	})
}

// directoryDue: who has a session and waited long enough, the longest first.
func directoryDue(s suite) {
	now := s.clock.Now()
	add := func(user string, agency evidence.AgencyID, checked time.Time, session byte) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			if err := tx.InsertUser(ctx, &catalog.User{ID: user, Agency: agency, Login: user, Name: user, CreatedAt: now}); err != nil {
				return err
			}
			if session != 0 {
				if err := tx.InsertSession(ctx, &catalog.Session{TokenHash: evidence.SHA256([]byte{session}), User: user, CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour)}); err != nil {
					return err
				}
			}
			return tx.InsertDirectoryPerson(ctx, &catalog.DirectoryPerson{User: user, Source: "ldap", Subject: user, CheckedAt: checked})
		})
	}
	add("late", "due-pd", now.Add(-time.Minute), 1)
	add("later", "due-pd", now.Add(-time.Hour), 2)
	add("fresh", "due-pd", now, 3)
	add("away", "due-pd", now.Add(-time.Hour), 0)
	add("foreign", "other-due-pd", now.Add(-time.Hour), 4)
	due, err := s.db.DirectoryPeopleDue(s.Context(), "due-pd", now.Add(-time.Minute))
	s.must(err)
	is(s, "people due", len(due), 2)
	is(s, "the longest waiting", due[0].User, "later")
	is(s, "the other", due[1].User, "late")
}
