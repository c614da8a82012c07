package auth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const newPassword = "meadow copper violin 8"

func TestPeopleSeeAndEndTheirSessions(t *testing.T) {
	d := newDesk(t)
	actor, first := d.admin()
	d.wait(time.Minute)
	second, err := d.SignIn(t.Context(), "a.moreno", password, "", Origin{Address: "198.51.100.7", Browser: "Other/2.0"})
	if err != nil {
		t.Fatal(err)
	}
	third, err := d.signIn("a.moreno", password)
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Sessions(t.Context(), actor)
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	for _, s := range all {
		switch {
		case s.This != (s.Address == home.Address):
			t.Errorf("which one is this: %+v", s)
		case s.Address == "198.51.100.7":
			if s.Browser != "Other/2.0" || s.Factor != Password || s.CreatedAt.IsZero() {
				t.Errorf("%+v", s)
			}
			if err := d.EndSession(t.Context(), actor, s.ID, home); err != nil {
				t.Error(err)
			}
			if err := d.EndSession(t.Context(), actor, s.ID, home); !errors.Is(err, catalog.ErrNotFound) {
				t.Errorf("again: %v", err)
			}
		}
	}
	if d.holds(second) || !d.holds(third) || !d.holds(first) {
		t.Error("not the session that was named has ended")
	}
	if n, err := d.EndOtherSessions(t.Context(), actor, home); err != nil || n != 1 {
		t.Errorf("%d ended, %v", n, err)
	}
	if d.holds(third) || !d.holds(first) {
		t.Error("the others have not ended, or this one has")
	}
	if n := d.count(evidence.EventSessionsEnded); n != 2 {
		t.Errorf("%d events", n)
	}
	d.wait(IdleLife)
	if all, err := d.Sessions(t.Context(), actor); err != nil || len(all) != 0 {
		t.Errorf("sessions that have ended are listed: %+v, %v", all, err)
	}
}

func TestNobodySeesOrEndsAnothersSession(t *testing.T) {
	d := newDesk(t)
	actor, _ := d.admin()
	if _, err := d.AddUser(t.Context(), Person{Login: "o.perez", Name: "Oona Perez", Password: password}, Operator, evidence.Actor{Kind: "server", ID: "local"}, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	token, err := d.signIn("o.perez", password)
	if err != nil {
		t.Fatal(err)
	}
	theirs := d.actor(token)
	if err := d.EndSession(t.Context(), actor, sessionID(theirs.Session), home); !errors.Is(err, catalog.ErrNotFound) || !d.holds(token) {
		t.Errorf("%v", err)
	}
	if _, err := d.EndOtherSessions(t.Context(), actor, home); err != nil || !d.holds(token) {
		t.Errorf("%v", err)
	}
	if all, err := d.Sessions(t.Context(), theirs); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestANewPasswordEndsEveryOtherSession(t *testing.T) {
	d := newDesk(t)
	actor, first := d.admin()
	d.wait(time.Minute)
	other, err := d.SignIn(t.Context(), "a.moreno", password, "", home)
	if err != nil {
		t.Fatal(err)
	}
	var wrong *PersonError
	for _, bad := range []string{"short", "alba moreno 123", password} {
		if _, err := d.ChangePassword(t.Context(), actor, password, bad, false, home); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := d.ChangePassword(t.Context(), actor, "not the password here", newPassword, false, home); !errors.Is(err, ErrFactor) {
		t.Errorf("a wrong old password: %v", err)
	}
	d.wait(time.Minute)
	next, err := d.ChangePassword(t.Context(), actor, password, newPassword, false, home)
	if err != nil || !d.holds(next) || next == first {
		t.Fatalf("%v", err)
	}
	if d.holds(first) || d.holds(other) {
		t.Error("a former session lives on")
	}
	if a := d.actor(next); !a.FactorAt.Equal(actor.FactorAt) {
		t.Errorf("a new password is no factor: %v, was %v", a.FactorAt, actor.FactorAt)
	}
	if _, err := d.signIn("a.moreno", password); !errors.Is(err, ErrSignIn) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := d.signIn("a.moreno", newPassword); err != nil {
		t.Errorf("the new password: %v", err)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: evidence.EventPasswordChanged}, 10)
	if err != nil || len(rows) != 2 || !strings.Contains(string(rows[0].JSON), `"sessions_ended":"1"`) {
		t.Errorf("%d events, %v: %s", len(rows), err, rows[0].JSON)
	}
	for _, row := range rows {
		if strings.Contains(string(row.JSON), "violin") || strings.Contains(string(row.JSON), "lantern") {
			t.Errorf("a password is on record: %s", row.JSON)
		}
	}
}

func TestANewPasswordProlongsNothing(t *testing.T) {
	d := newDesk(t)
	actor, session := d.admin()
	for range 45 {
		d.wait(15 * time.Minute)
		d.holds(session)
	}
	if err := d.Confirm(t.Context(), actor, Proof{Password: password}, home); err != nil {
		t.Fatal(err)
	}
	next, err := d.ChangePassword(t.Context(), d.actor(session), password, newPassword, false, home)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d.wait(15 * time.Minute)
		d.holds(next)
	}
	if d.holds(next) {
		t.Error("twelve hours after signing in it still holds")
	}
}

// Case 40: whoever runs the server helps somebody who lost everything; what
// waited or was open before is of no use afterwards.
func TestAttack40AResetLeavesNothingOpen(t *testing.T) {
	d := newDesk(t)
	actor, session := d.admin()
	secret := d.app(actor)
	if err := d.newKey(virtualwebauthn.KeyTypeEC2).enrol(actor, "Blue key"); err != nil {
		t.Fatal(err)
	}
	codes, err := d.MakeRecoveryCodes(t.Context(), actor, home)
	if err != nil {
		t.Fatal(err)
	}
	pending := d.pending()
	local := evidence.Actor{Kind: "server", ID: "local"}
	if err := d.ResetFactors(t.Context(), "nobody", local, Origin{Address: "local"}); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("an unknown name: %v", err)
	}
	if err := d.ResetFactors(t.Context(), "A.Moreno", local, Origin{Address: "local"}); err != nil {
		t.Fatal(err)
	}
	if d.holds(session) {
		t.Error("a session lives on")
	}
	for _, code := range []string{d.code(secret), codes[0]} {
		if _, err := d.codeStep(pending, code); !errors.Is(err, ErrPending) {
			t.Errorf("a sign-in that waited: %v", err)
		}
	}
	d.set(settingRequired, "administrators")
	token, err := d.signIn("a.moreno", password)
	if err != nil || !d.actor(token).MustEnrol {
		t.Errorf("afterwards: %v", err)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd", Type: evidence.EventFactorRemoved}, 10)
	if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0].JSON), `"id":"local"`) {
		t.Errorf("%d events, %v", len(rows), err)
	}
}
