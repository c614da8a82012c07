package catalogtest

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// powers keeps every field of roles, groups and grants, and counts each change.
func powers(s suite) {
	now := s.clock.Now()
	user := &catalog.User{ID: "u1", Agency: Agency, Login: "jo", Name: "Jo", Role: "r1", OfficerID: "B1", CreatedAt: now}
	grant := &catalog.Grant{Agency: Agency, ID: "g1", Holder: catalog.ToGroup, HolderID: "t1", Role: "r1", Scope: catalog.OnStation, Value: "north", Until: now.Add(time.Hour), ViewOnly: true,
		Networks: []string{"192.0.2.0/24", "2001:db8::/32"}, Clients: []string{"web"}, Reason: "case 17", MadeAt: now, MadeBy: "u9"}
	role := &catalog.Role{Agency: Agency, ID: "r1", Name: "Clerk", About: "x", Actions: []string{"evidence.list"}, UpdatedAt: now, UpdatedBy: "u9"}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for _, err := range []error{tx.InsertUser(ctx, user), tx.PutRole(ctx, role), tx.PutGroup(ctx, &catalog.Group{Agency: Agency, ID: "t1", Name: "Team", MadeAt: now, MadeBy: "u9"}), tx.InsertGrant(ctx, grant), tx.PowersChanged(ctx, Agency)} {
			if err != nil {
				return err
			}
		}
		for _, want := range []bool{true, false} {
			changed, err := tx.SetMember(ctx, Agency, catalog.Member{Group: "t1", User: "u1"}, true)
			is(s, "membership changed", changed, want)
			if err != nil {
				return err
			}
		}
		return nil
	})
	twin := *role
	twin.ID, twin.Name = "r2", "CLERK"
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.PutRole(ctx, &twin) })
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.PutGroup(ctx, &catalog.Group{Agency: Agency, ID: "t2", Name: "team", MadeAt: now})
	})
	p, err := s.db.Powers(s.Context(), Agency)
	s.must(err)
	if len(p.Roles) != 1 || len(p.Groups) != 1 || len(p.Members) != 1 || len(p.Grants) != 1 || p.Version != 1 || p.Officers["u1"] != "B1" {
		s.Fatalf("powers %+v", p)
	}
	got := p.Grants[0]
	is(s, "networks", len(got.Networks), 2)
	is(s, "clients", len(got.Clients), 1)
	got.Networks, got.Clients, grant.Networks, grant.Clients = nil, nil, nil, nil
	if got.Until != grant.Until || got.Reason != grant.Reason || !got.ViewOnly || got.Holder != grant.Holder || got.Value != grant.Value || got.MadeBy != grant.MadeBy {
		s.Errorf("grant %+v", got)
	}
	u, version, err := s.db.UserStanding(s.Context(), "u1")
	s.must(err)
	is(s, "officer id", u.OfficerID, "B1")
	is(s, "version", version, 1)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndGrant(ctx, Agency, "g1", now, "u9") })
	s.refused(catalog.ErrConflict, func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndGrant(ctx, Agency, "g1", now, "u9") })
	if p, err = s.db.Powers(s.Context(), Agency); err != nil || len(p.Grants) != 0 {
		s.Errorf("an ended grant stands: %v", err)
	}
	if p, err = s.db.Powers(s.Context(), "other-pd"); err != nil || len(p.Roles)+len(p.Grants)+len(p.Groups)+len(p.Members)+len(p.Officers) != 0 || p.Version != 0 {
		s.Errorf("another agency has %+v (%v)", p, err)
	}
}

// invitations are used once, and only the newest of a person holds.
func invitations(s suite) {
	now := s.clock.Now()
	insert := func(hash byte) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertInvitation(ctx, &catalog.Invitation{Hash: evidence.Digest{hash}, Agency: Agency, User: "u1", MadeAt: now, MadeBy: "u9", ExpiresAt: now.Add(time.Hour)})
		})
	}
	use := func(hash byte, at time.Time) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.UseInvitation(ctx, evidence.Digest{hash}, at) }
	}
	insert(1)
	insert(2)
	s.refused(catalog.ErrNotFound, use(1, now))
	s.refused(catalog.ErrTokenExpired, use(2, now.Add(time.Hour)))
	s.update(use(2, now))
	s.refused(catalog.ErrTokenUsed, use(2, now))
}
