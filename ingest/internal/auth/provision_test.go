package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/slapd"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (d *desk) provisioner(name string) *Provisioner {
	d.t.Helper()
	token, err := d.MakeProvisioner(d.t.Context(), NewProvisioner{Name: name, Life: time.Hour}, evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"})
	if err != nil {
		d.t.Fatal(err)
	}
	p, err := d.Provisioner(d.t.Context(), token, Origin{Address: "192.0.2.9"})
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *desk) provisioned(p *Provisioner, login, external, group string) (id, groupID string) {
	d.t.Helper()
	v, err := p.Create(d.t.Context(), ProvisionedPerson{UserName: login, ExternalID: external, DisplayName: "Provisioned " + login, Active: true})
	if err != nil {
		d.t.Fatal(err)
	}
	if group == "" {
		return v.ID, ""
	}
	g := ProvisionedGroup{Members: []ProvisionedMember{{ID: v.ID}}}
	g.Name = group
	made, err := p.CreateGroup(d.t.Context(), g)
	if err != nil {
		d.t.Fatal(err)
	}
	return v.ID, made.ID
}

// directoryID is what the directory itself calls somebody.
func (d *desk) directoryID(login string) string {
	d.t.Helper()
	who, err := d.directory.Passwords.Check(d.t.Context(), login, slapd.Password)
	if err != nil {
		d.t.Fatal(err)
	}
	return who.ID
}

// TestWhoWasProvisionedSignsInToThatAccount: linked by the directory's id, with the role
// of what was provisioned and not of the directory's own groups, and out at once.
func TestWhoWasProvisionedSignsInToThatAccount(t *testing.T) {
	d, _ := ldapDesk(t)
	d.setUp()
	p := d.provisioner("entra")
	id, group := d.provisioned(p, "bayo@metro.example", d.directoryID("b.okafor"), "evidence-admins") // an operator by LDAP
	session := d.in("b.okafor")
	actor := d.actorOf(session)
	if actor.User != id || actor.Role != Administrator || actor.Name != "Provisioned bayo@metro.example" || actor.Login != "bayo@metro.example" {
		t.Fatalf("signed in as %+v", actor)
	}
	if _, err := p.ChangeGroup(t.Context(), group, 0, func(g *ProvisionedGroup) error { g.Name = "evidence-operators"; return nil }); err != nil {
		t.Fatal(err)
	}
	if actor = d.actorOf(session); actor.Role != Operator || May(actor, ManageAccount, Object{Agency: "metro-pd"}) {
		t.Errorf("after the group changed: %+v", actor)
	}
	d.wait(11 * time.Minute)
	if done := d.recheckAll(); done.Confirmed != 1 || !d.holds(session) {
		t.Errorf("asked again: %+v", done)
	}
	if _, err := p.Change(t.Context(), id, 0, func(v *ProvisionedPerson) error { v.ExternalID = d.directoryID("a.moreno"); return nil }); !errors.Is(err, ErrNotProvisioned) {
		t.Errorf("giving the account to somebody else: %v", err)
	}
	if _, err := p.Change(t.Context(), id, 0, func(v *ProvisionedPerson) error { v.Active = false; return nil }); err != nil {
		t.Fatal(err)
	}
	if d.holds(session) || d.count(evidence.EventDirectoryCutOff) != 1 {
		t.Error("who was disabled has a session")
	}
	if _, err := d.signIn("b.okafor", slapd.Password); !errors.Is(err, ErrSignIn) { // LDAP still says operator
		t.Errorf("who was disabled signs in: %v", err)
	}
	if _, err := p.Change(t.Context(), id, 0, func(v *ProvisionedPerson) error { v.Active = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if back := d.actorOf(d.in("b.okafor")); back.User != id || back.Role != Operator {
		t.Errorf("back as %+v", back)
	}
	if err := p.Remove(t.Context(), id, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.signIn("b.okafor", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("who was removed signs in: %v", err)
	}
}

func TestAttackWhoWasProvisionedIsKnownByIDAndNeverByName(t *testing.T) {
	d, _ := ldapDesk(t)
	d.setUp()
	p := d.provisioner("entra")
	d.provisioned(p, "b.okafor", "somebody-else", "evidence-admins")
	if _, err := d.signIn("b.okafor", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("by the same name: %v", err)
	}
	nobody, _ := d.provisioned(p, "nobody@metro.example", "", "")
	moreno := d.directoryID("a.moreno")
	d.provisioned(p, "first@metro.example", moreno, "")
	other := d.provisioner("okta")
	d.provisioned(other, "second@metro.example", moreno, "evidence-admins")
	if _, err := d.signIn("a.moreno", slapd.Password); !errors.Is(err, ErrSignIn) {
		t.Errorf("two accounts of one id: %v", err)
	}
	link, err := d.db.DirectoryPerson(t.Context(), nobody)
	if err != nil || link.Source != provisionedSource {
		t.Errorf("an account without an id of the directory was linked: %+v %v", link, err)
	}
}

// TestWhoIsLetInAgainByTheDirectoryCountsAsUsed: the days of a dormant account begin
// when the directory enables it, and who was put out for being away stays out.
func TestWhoIsLetInAgainByTheDirectoryCountsAsUsed(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	d.joined(&Directory{})
	p := d.provisioner("entra")
	id, _ := d.provisioned(p, "late@metro.example", "e1", "")
	d.wait(100 * 24 * time.Hour)
	p = d.provisioner("entra2")
	p.row.Name = "entra" // whose token has ended in the meantime
	g := ProvisionedGroup{Members: []ProvisionedMember{{ID: id}}}
	g.Name = "evidence-operators"
	if _, err := p.CreateGroup(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if n := d.sweep(); n != 0 || !d.stands("late@metro.example") {
		t.Fatalf("%d were put out", n)
	}
	d.wait(90 * 24 * time.Hour)
	if n := d.sweep(); n != 1 || d.stands("late@metro.example") {
		t.Fatalf("after 90 days %d were put out", n)
	}
	if v, err := p.Person(t.Context(), id); err != nil || v.Active {
		t.Errorf("told to the directory: %+v %v", v, err)
	}
	if _, err := p.Change(t.Context(), id, 0, func(v *ProvisionedPerson) error { v.Active = true; return nil }); !errors.Is(err, ErrNotProvisioned) {
		t.Errorf("the directory enables it: %v", err)
	}
}

// TestAProvisionersTokenEndsInTheMiddle: it was let in and is revoked before it acts.
func TestAProvisionersTokenEndsInTheMiddle(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	p := d.provisioner("entra")
	if err := d.EndProvisioner(t.Context(), "entra", evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Create(t.Context(), ProvisionedPerson{UserName: "late@metro.example", Active: true}); !errors.Is(err, ErrProvisioner) {
		t.Errorf("a revoked token: %v", err)
	}
	if d.count(evidence.EventProvisionRefused) != 1 || d.count(evidence.EventProvisionerEnded) != 1 {
		t.Error("it is not on record")
	}
	again := d.provisioner("entra") // a new token goes on with the people of the former
	if _, err := again.Create(t.Context(), ProvisionedPerson{UserName: "late@metro.example", Active: true}); err != nil {
		t.Error(err)
	}
	for what, n := range map[string]NewProvisioner{"no name": {Life: time.Hour}, "no time": {Name: "x"}, "for ever": {Name: "x", Life: 10 * MaxProvisioner}, "a host": {Name: "x", Life: time.Hour, Networks: []string{"192.0.2.1/24"}}, "the same name": {Name: "entra", Life: time.Hour}} {
		var wrong *PersonError
		if _, err := d.MakeProvisioner(t.Context(), n, evidence.Actor{Kind: "server", ID: "local"}, Origin{}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
