package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (d *desk) sweep() int {
	d.t.Helper()
	n, err := d.DisableDormant(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// person adds an account with the password of all tests.
func (d *desk) person(login string, role Role) *catalog.User {
	d.t.Helper()
	stored, err := d.hasher.Hash(d.t.Context(), password)
	if err != nil {
		d.t.Fatal(err)
	}
	now := d.now()
	u := &catalog.User{ID: "id-" + login, Agency: "metro-pd", Login: login, Name: "The " + login, Role: string(role), Password: stored, CreatedAt: now, PasswordChangedAt: now}
	if err := d.db.Update(d.t.Context(), func(tx *sqldb.Tx) error { return tx.InsertUser(d.t.Context(), u) }); err != nil {
		d.t.Fatal(err)
	}
	return u
}

func (d *desk) stands(login string) bool {
	d.t.Helper()
	u, err := d.db.UserByLogin(d.t.Context(), login)
	if err != nil {
		d.t.Fatal(err)
	}
	return u.DisabledAt.IsZero()
}

func TestAccountsThatNobodyUsesAreDisabled(t *testing.T) {
	const day = 24 * time.Hour
	d := newDesk(t)
	d.setUp() // a.moreno, the administrator
	d.person("officer", Officer)
	d.wait(90*day - time.Hour)
	d.comes("a.moreno")
	if n := d.sweep(); n != 0 {
		t.Fatalf("an hour before: %d", n)
	}
	d.wait(time.Hour)
	if n := d.sweep(); n != 1 || d.stands("officer") || !d.stands("a.moreno") || d.sweep() != 0 {
		t.Fatalf("after 90 days: %d", n)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: evidence.EventUserDisabled}, 10)
	if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].JSON), "for 90 days") || !strings.Contains(string(rows[0].JSON), `"id":"accounts"`) {
		t.Errorf("on record: %+v %v", rows, err)
	}
	var told *DormantError
	if _, err := d.signIn("officer", "a wrong one, of fair length"); err == nil || errors.As(err, &told) || err.Error() != ErrSignIn.Error() {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := d.signIn("officer", password); !errors.As(err, &told) || !errors.Is(err, ErrSignIn) || !slices.Equal(told.Ask, []string{"Alba Moreno"}) {
		t.Errorf("with the right one: %v", err)
	}
	actor := d.actor(d.comes("a.moreno"))
	if all, err := d.Desk(actor).People(t.Context(), "officer"); err != nil || len(all) != 1 || !all[0].Dormant || all[0].Standing != Disabled {
		t.Errorf("in the list: %+v %v", all, err)
	}
	if err := d.Desk(actor).Enable(t.Context(), "id-officer"); err != nil {
		t.Fatal(err)
	}
	if n := d.sweep(); n != 0 || !d.stands("officer") {
		t.Error("who was just let in again is put out")
	}
	d.comes("officer")
}

// comes signs in with the password of all tests.
func (d *desk) comes(login string) string {
	d.t.Helper()
	session, err := d.signIn(login, password)
	if err != nil {
		d.t.Fatal(err)
	}
	return session
}

func TestTheLastAdministratorIsNotPutOutForBeingAway(t *testing.T) {
	d := newDesk(t)
	d.person("first", Administrator)
	d.wait(time.Hour)
	d.person("second", Administrator)
	d.person("officer", Officer)
	d.wait(365 * 24 * time.Hour)
	if n := d.sweep(); n != 2 || d.stands("first") || !d.stands("second") || d.stands("officer") {
		t.Errorf("%d were put out; first %v, second %v", n, d.stands("first"), d.stands("second"))
	}
	d.comes("second") // who was away for a year still comes in
}

func TestNobodyIsPutOutWhereTheAgencyDoesNotWantIt(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	d.person("officer", Officer)
	policy := DefaultPolicy()
	policy.Dormant = 0
	d.decided = func(context.Context) Policy { return policy }
	d.wait(1000 * 24 * time.Hour)
	if n := d.sweep(); n != 0 {
		t.Errorf("never: %d", n)
	}
	policy.Dormant = 30 * 24 * time.Hour
	if n := d.sweep(); n != 1 {
		t.Errorf("after 30 days: %d", n)
	}
}

// TestAFactorIsRequiredOfWhoManagesWhateverTheRoleIsCalled: the rule for administrators
// goes by powers, however they came.
func TestAFactorIsRequiredOfWhoManagesWhateverTheRoleIsCalled(t *testing.T) {
	d := newDesk(t)
	boss := d.Desk(d.actor(d.setUp()))
	d.set(settingRequired, "administrators")
	made := map[string]string{}
	for name, actions := range map[string][]string{
		"Personnel": {string(ListAccounts), string(ManageAccount)}, "Office": {string(ManageAgency)}, "Locksmith": {string(ManageKeys)},
		"Reader": {string(ListItems), string(ListAccounts), string(SeePosture)},
	} {
		id, err := boss.PutRole(t.Context(), "", name, "", actions)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = id
	}
	give := func(user, role string) {
		t.Helper()
		if _, err := boss.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: user, Role: role, Scope: catalog.OnAgency, Until: d.now().Add(time.Hour), Reason: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	for login, c := range map[string]struct {
		role    Role
		granted string
		want    bool
	}{
		"admin": {Administrator, "", true}, "officer": {Officer, "", false}, "reader": {Officer, "Reader", false},
		"personnel": {Officer, "Personnel", true}, "office": {Officer, "Office", true}, "locksmith": {Role(made["Reader"]), "Locksmith", true},
	} {
		u := d.person(login, c.role)
		if c.granted != "" {
			give(u.ID, made[c.granted])
		}
		actor, err := d.Owner(t.Context(), d.comes(login), Origin{Address: "192.0.2.1"})
		if err != nil || actor.MustEnrol != c.want {
			t.Errorf("%s: must set up a factor: %v, want %v; %v", login, actor != nil && actor.MustEnrol, c.want, err)
		}
		if _, err := d.Actor(t.Context(), d.comes(login), Origin{Address: "192.0.2.1"}); errors.Is(err, ErrMustEnrol) != c.want || err != nil && !c.want {
			t.Errorf("%s: a session without a factor: %v", login, err)
		}
		if account, err := d.Account(t.Context(), actor); err != nil || account.Required != c.want {
			t.Errorf("%s: the account's page: %v", login, err)
		}
	}
	all, err := boss.People(t.Context(), "")
	if err != nil || slices.ContainsFunc(all, func(v Someone) bool { return !v.NoFactor }) {
		t.Errorf("nobody has a factor: %+v %v", all, err)
	}
}
