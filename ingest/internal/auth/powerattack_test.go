package auth

import (
	"context"
	"errors"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Attack 35: nobody gets further by what they may hand out, and it is on record.
func TestNobodyHandsOutWhatTheyHaveNot(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newOffice(t, db)
		boss := o.Desk(o.actor(o.chief))
		helpdesk, err := boss.PutRole(t.Context(), "", "Helpdesk", "", []string{string(ListAccounts), string(ManageAccount)})
		o.must(err)
		_, err = boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToRole, HolderID: helpdesk, Role: helpdesk, Scope: catalog.OnAgency})
		o.must(err)
		meID, me := o.joined("mallory", Role(helpdesk))
		victim, token, err := boss.Invite(t.Context(), NewPerson{Login: "next.chief", Name: "Next", Role: Administrator})
		o.must(err)
		group, err := boss.PutGroup(t.Context(), "", "Chiefs")
		o.must(err)
		_, err = boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToGroup, HolderID: group, Role: string(Administrator), Scope: catalog.OnAgency})
		o.must(err)
		k := o.Desk(o.actor(me))
		every := []string{}
		for _, d := range Deeds() {
			every = append(every, string(d.Action))
		}
		for what, try := range map[string]func() error{
			"invite an administrator": func() error {
				_, _, err := k.Invite(t.Context(), NewPerson{Login: "x1", Name: "X", Role: Administrator})
				return err
			},
			"take another's invitation": func() error { _, err := k.InviteAgain(t.Context(), victim); return err },
			"edit the own role": func() error {
				_, err := k.PutRole(t.Context(), helpdesk, "Helpdesk", "", every)
				return err
			},
			"make a strong role":     func() error { _, err := k.PutRole(t.Context(), "", "Strong", "", every); return err },
			"change the own account": func() error { return k.Change(t.Context(), meID, Administrator, "") },
			"take the own officer id": func() error {
				return k.Change(t.Context(), meID, Role(helpdesk), "B1")
			},
			"grant to oneself": func() error {
				_, err := k.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "mallory", Role: string(Administrator), Scope: catalog.OnAgency})
				return err
			},
			"join a strong group": func() error { return k.SetMember(t.Context(), group, meID, true) },
			"disable oneself":     func() error { return k.Disable(t.Context(), meID) },
		} {
			if err := try(); !errors.Is(err, ErrBeyond) && !errors.Is(err, ErrOwn) {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused := 0
		for _, kind := range []evidence.EventType{evidence.EventUserInvited, evidence.EventRoleChanged, evidence.EventUserChanged, evidence.EventGrantMade, evidence.EventGroupChanged, evidence.EventUserDisabled} {
			refused += o.events(kind, evidence.OutcomeRefused)
		}
		if refused != 9 {
			t.Errorf("%d refusals on record, want 9", refused)
		}
		if a := o.actor(me); May(a, DownloadItem, Object{Agency: metro}) || May(a, ManageKeys, Object{Agency: metro}) {
			t.Error("more may be done than before")
		}
		o.must(o.Join(t.Context(), token, password, Origin{})) // the invitation still holds
		_, weak := o.joined("weak", Officer)
		for _, err := range []error{o.Desk(o.actor(weak)).Disable(t.Context(), meID), o.Desk(nil).Disable(t.Context(), meID)} {
			if !errors.Is(err, ErrForbidden) {
				t.Errorf("without the right: %v", err)
			}
		}
		if _, err := o.Desk(o.actor(weak)).People(t.Context(), ""); !errors.Is(err, ErrForbidden) {
			t.Errorf("an officer lists people: %v", err)
		}
	})
}

// However many take each other's powers away at once, one who manages people remains.
func TestTheLastWhoManagesPeopleStays(t *testing.T) {
	engines(t, func(t *testing.T, db *sqldb.DB) {
		o := newOffice(t, db)
		boss := o.actor(o.chief)
		otherID, other := o.joined("other", Administrator)
		both := []*Actor{boss, o.actor(other)}
		for round := range 20 {
			errs := make(chan error, 2)
			for i, a := range both {
				go func() { errs <- o.Desk(a).Disable(context.Background(), both[1-i].User) }()
			}
			won := 0
			for range both {
				switch err := <-errs; {
				case err == nil:
					won++
				case !errors.Is(err, ErrLastManager) && !errors.Is(err, ErrForbidden):
					t.Fatalf("round %d: %v", round, err)
				}
			}
			if won != 1 {
				t.Fatalf("round %d: %d of two won", round, won)
			}
			for _, id := range []string{boss.User, otherID} {
				if u, err := db.User(t.Context(), id); err == nil && !u.DisabledAt.IsZero() {
					k := o.Desk(both[0])
					if id == boss.User {
						k = o.Desk(both[1])
					}
					o.must(k.Enable(t.Context(), id))
				}
			}
		}
		other, err := o.SignIn(t.Context(), "other", password, "", Origin{Address: "192.0.2.77"})
		o.must(err)
		k := o.Desk(o.actor(other))
		o.must(k.Disable(t.Context(), boss.User))
		for what, err := range map[string]error{
			"the role's grant": k.EndGrant(t.Context(), shippedGrant(Administrator)),
			"the role's actions": func() error {
				_, err := k.PutRole(t.Context(), string(Administrator), "Administrator", "", []string{string(ListItems)})
				return err
			}(),
		} {
			if !errors.Is(err, ErrLastManager) {
				t.Errorf("%s went: %v", what, err)
			}
		}
		// An end, a network or another client on the way in is no way that stays.
		spare, err := k.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "other", Role: string(Administrator), Scope: catalog.OnAgency, Networks: []string{"10.0.0.0/8"}})
		o.must(err)
		if err := k.EndGrant(t.Context(), shippedGrant(Administrator)); !errors.Is(err, ErrLastManager) {
			t.Errorf("a narrow grant was enough: %v", err)
		}
		o.must(k.EndGrant(t.Context(), spare))
		if !May(o.actor(other), ManageAccount, Object{Agency: metro}) {
			t.Error("nobody manages people")
		}
	})
}
