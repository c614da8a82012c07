package catalogtest

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func provisioners(s suite) {
	now := s.clock.Now()
	one := catalog.Provisioner{ID: "p1", Agency: Agency, Name: "entra", TokenHash: evidence.SHA256([]byte("one")), Networks: []string{"192.0.2.0/24", "2001:db8::/32"}, MadeAt: now, MadeBy: "local", ExpiresAt: now.Add(time.Hour)}
	put := func(p catalog.Provisioner) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertProvisioner(ctx, &p) }
	}
	s.update(put(one))
	got, err := s.db.Provisioner(s.Context(), one.TokenHash)
	s.must(err)
	is(s, "provisioner", fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", one))
	_, err = s.db.Provisioner(s.Context(), evidence.SHA256([]byte("other")))
	s.isError(err, catalog.ErrNotFound)
	again := one
	again.ID, again.TokenHash, again.Networks = "p2", evidence.SHA256([]byte("two")), nil
	s.refused(catalog.ErrExists, put(again)) // the name stands
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.TouchProvisioner(ctx, "p1", now.Add(time.Minute))
	})
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndProvisioner(ctx, "p1", now.Add(time.Hour)) })
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndProvisioner(ctx, "p1", now) })
	again.MadeAt = now.Add(2 * time.Hour)
	s.update(put(again))
	all, err := s.db.Provisioners(s.Context(), Agency)
	s.must(err)
	is(s, "provisioners", len(all), 2)
	is(s, "the end of the former", all[0].EndedAt, now.Add(time.Hour))
	is(s, "its last use", all[0].LastUsedAt, now.Add(time.Minute))
	is(s, "networks of the latter", len(all[1].Networks), 0)
}

func provisionedPeople(s suite) {
	now := s.clock.Now()
	person := func(user, client, name, external string) catalog.ProvisionedPerson {
		now = now.Add(time.Second)
		return catalog.ProvisionedPerson{User: user, Provisioner: client, Agency: Agency, UserName: name, ExternalID: external, DisplayName: "The " + name, Profile: `{"a":1}`, Active: true, MadeAt: now, ChangedAt: now, Version: 1}
	}
	one, two, three := person("u1", "entra", "B.Okafor@Metro", "E1"), person("u2", "entra", "second", "E2"), person("u3", "okta", "third", "E1")
	for _, p := range []catalog.ProvisionedPerson{one, two, three} {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertProvisionedPerson(ctx, &p) })
	}
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertProvisionedPerson(ctx, &one) })
	got, err := s.db.ProvisionedPerson(s.Context(), "u1")
	s.must(err)
	is(s, "provisioned person", *got, one)
	find := func(f catalog.ProvisionedFilter, skip, limit int) string {
		f.Agency, f.Provisioner = Agency, "entra"
		some, all, err := s.db.ProvisionedPeople(s.Context(), f, skip, limit)
		s.must(err)
		names := fmt.Sprint(all)
		for _, p := range some {
			names += " " + p.User
		}
		return names
	}
	for what, c := range map[string]struct {
		f           catalog.ProvisionedFilter
		skip, limit int
		want        string
	}{
		"all": {want: "2 u1 u2", limit: 10}, "a page": {skip: 1, limit: 1, want: "2 u2"}, "only how many": {want: "2"}, "past the end": {skip: 5, limit: 5, want: "2"},
		"by name, in another case": {f: catalog.ProvisionedFilter{UserName: "b.okafor@metro"}, limit: 5, want: "1 u1"},
		"by the directory's id":    {f: catalog.ProvisionedFilter{ExternalID: "E1"}, limit: 5, want: "1 u1"},
		"its case counts":          {f: catalog.ProvisionedFilter{ExternalID: "e1"}, limit: 5, want: "0"},
		"by what they are called":  {f: catalog.ProvisionedFilter{DisplayName: "THE SECOND"}, limit: 5, want: "1 u2"},
		"by two things":            {f: catalog.ProvisionedFilter{ID: "u2", ExternalID: "E1"}, limit: 5, want: "0"},
		"literally":                {f: catalog.ProvisionedFilter{UserName: "%"}, limit: 5, want: "0"},
		"another's":                {f: catalog.ProvisionedFilter{ID: "u3"}, limit: 5, want: "0"},
	} {
		is(s, what, find(c.f, c.skip, c.limit), c.want)
	}
	both, err := s.db.ProvisionedByExternalID(s.Context(), Agency, "E1")
	s.must(err)
	is(s, "of one id", len(both), 2)
	none, err := s.db.ProvisionedByExternalID(s.Context(), Agency, "")
	s.must(err)
	is(s, "of no id", len(none), 0)
	one.Active, one.UserName, one.RemovedAt, one.Version = false, "Okafor", now.Add(time.Hour), 2
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.UpdateProvisionedPerson(ctx, &one) })
	is(s, "without who was removed", find(catalog.ProvisionedFilter{}, 0, 5), "1 u2")
	got, err = s.db.ProvisionedPerson(s.Context(), "u1")
	s.must(err)
	is(s, "removed person", *got, one)
}

func provisionedGroups(s suite) {
	now := s.clock.Now()
	one := catalog.ProvisionedGroup{ID: "g1", Provisioner: "entra", Agency: Agency, Name: "Evidence-Admins", ExternalID: "E9", MadeAt: now, ChangedAt: now, Version: 1}
	put := func(g catalog.ProvisionedGroup) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertProvisionedGroup(ctx, &g) }
	}
	s.update(put(one))
	same := one
	same.ID, same.Name = "g2", "evidence-admins"
	s.refused(catalog.ErrExists, put(same))
	same.Provisioner = "okta"
	s.update(put(same))
	add := func(group, user string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.AddProvisionedMember(ctx, group, user) }
	}
	s.update(add("g1", "u1"))
	s.update(add("g1", "u2"))
	s.refused(catalog.ErrExists, add("g1", "u1"))
	members, err := s.db.ProvisionedMembers(s.Context(), "g1")
	s.must(err)
	is(s, "members", fmt.Sprint(members), "[u1 u2]")
	f := catalog.ProvisionedFilter{Agency: Agency, Provisioner: "entra", DisplayName: "EVIDENCE-ADMINS", Member: "u2"}
	some, all, err := s.db.ProvisionedGroups(s.Context(), f, 0, 10)
	s.must(err)
	is(s, "groups found", all, 1)
	is(s, "the group", some[0], one)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DropProvisionedMember(ctx, "g1", "u2") })
	_, all, err = s.db.ProvisionedGroups(s.Context(), f, 0, 0)
	s.must(err)
	is(s, "groups of who went out", all, 0)
	of, err := s.db.ProvisionedGroupsOf(s.Context(), "u1")
	s.must(err)
	is(s, "groups of a person", len(of), 1)
	one.RemovedAt, one.Version = now.Add(time.Hour), 2
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.UpdateProvisionedGroup(ctx, &one) })
	of, err = s.db.ProvisionedGroupsOf(s.Context(), "u1")
	s.must(err)
	is(s, "groups of a person, without the removed", len(of), 0)
	again := one
	again.ID, again.RemovedAt = "g3", time.Time{}
	s.update(put(again)) // the name is free again
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.UpdateProvisionedGroup(ctx, &catalog.ProvisionedGroup{ID: "g9"})
	})
}

func usersRenamed(s suite) {
	for _, login := range []string{"old", "taken"} {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			if err := tx.InsertUser(ctx, &catalog.User{ID: login, Agency: Agency, Login: login, Name: login, CreatedAt: s.clock.Now()}); err != nil {
				return err
			}
			return tx.InsertDirectoryPerson(ctx, &catalog.DirectoryPerson{User: login, Source: "provisioned", Subject: login})
		})
	}
	rename := func(id, login string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.RenameUser(ctx, id, login) }
	}
	s.refused(catalog.ErrExists, rename("old", "TAKEN"))
	s.refused(catalog.ErrNotFound, rename("nobody", "x"))
	s.update(rename("old", "New"))
	u, err := s.db.UserByLogin(s.Context(), "new")
	s.must(err)
	is(s, "renamed", u.Login, "New")
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.RelinkDirectoryPerson(ctx, "old", "ldap", "6f9e")
	})
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.RelinkDirectoryPerson(ctx, "taken", "ldap", "6f9e")
	})
	link, err := s.db.DirectoryPerson(s.Context(), "old")
	s.must(err)
	is(s, "linked anew", link.Source+" "+link.Subject, "ldap 6f9e")
}
