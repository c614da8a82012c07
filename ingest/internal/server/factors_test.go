package server

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// appCode is what an authenticator app shows at a time.
func appCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// TestKeysAreRotatedWithAFreshFactor is case 37 at an administrative act: a
// session alone, however it was come by, rotates no keys.
func TestKeysAreRotatedWithAFreshFactor(t *testing.T) {
	r, d := storing(t)
	r.store(d, d.Record(t, "B.MP4", footage(1000)))
	admin := r.desk(alba)
	old := func() {
		t.Helper()
		r.must(r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error {
			user, err := tx.UserByLogin(r.ctx, alba.Login)
			if err != nil {
				return err
			}
			sessions, err := tx.Sessions(r.ctx, user.ID)
			for _, s := range sessions {
				err = errors.Join(err, tx.SetSessionFactor(r.ctx, s.TokenHash, auth.Password, time.Now().Add(-auth.FreshFor-time.Second)))
			}
			return err
		}))
	}
	rotate := func(body string, want int) {
		t.Helper()
		if code := admin.call("POST", "/api/v1/keys/rotate", body, nil); code != want {
			t.Errorf("%s: %d, want %d", body, code, want)
		}
	}
	rotate(`{}`, http.StatusOK) // just signed in
	old()
	rotate(`{}`, http.StatusForbidden)
	rotate(`{"password":"`+alba.Password+`"}`, http.StatusOK)
	rotate(`{}`, http.StatusOK) // which made it fresh

	var offer struct{ Ceremony, Secret string }
	if code := admin.call("POST", "/api/v1/me/app", "", &offer); code != http.StatusOK {
		t.Fatal(code)
	}
	now := time.Now()
	if code := admin.call("POST", "/api/v1/me/app/finish", `{"ceremony":"`+offer.Ceremony+`","code":"`+appCode(t, offer.Secret, now)+`"}`, nil); code != http.StatusNoContent {
		t.Fatal(code)
	}
	old()
	rotate(`{"password":"`+alba.Password+`"}`, http.StatusForbidden) // no longer enough
	rotate(`{"code":"`+appCode(t, offer.Secret, now)+`"}`, http.StatusForbidden)
	rotate(`{"code":"`+appCode(t, offer.Secret, now.Add(30*time.Second))+`"}`, http.StatusOK)
	if rows := r.events(evidence.EventConfirmed); len(rows) < 4 {
		t.Errorf("%d confirmations on record", len(rows))
	}
}

// TestTwoPeopleWithSecondFactorsAtTheCommandLine: there too a password is not
// enough where there is a factor, and not at all where one is required.
func TestTwoPeopleWithSecondFactorsAtTheCommandLine(t *testing.T) {
	r := newServer(t)
	r.employ()
	two := func(requester Credentials) error {
		db := r.catalog()
		acts, err := r.config.keyActs(r.ctx, db, time.Now)
		r.must(err)
		_, err = acts.sign(r.ctx, acts.both(requester, ben))
		return err
	}
	var secret string
	now := time.Now()
	r.must(r.config.withAccounts(r.ctx, func() time.Time { return now }, func(people *auth.Service) error {
		_, from := local()
		session, err := people.SignIn(r.ctx, alba.Login, alba.Password, "", from)
		if err != nil {
			return err
		}
		actor, err := people.Actor(r.ctx, session, from)
		if err != nil {
			return err
		}
		offer, err := people.BeginApp(r.ctx, actor, from)
		if err != nil {
			return err
		}
		secret = offer.Secret
		return people.FinishApp(r.ctx, actor, offer.Ceremony, appCode(t, secret, now.Add(-30*time.Second)), from)
	}))
	with := alba
	if err := two(with); !errors.Is(err, auth.ErrSecondFactor) {
		t.Errorf("without a code: %v", err)
	}
	with.Code = "000000x"
	if err := two(with); !errors.Is(err, auth.ErrFactor) {
		t.Errorf("with a wrong code: %v", err)
	}
	with.Code = appCode(t, secret, now)
	if err := two(with); err != nil {
		t.Errorf("with a code: %v", err)
	}
	r.requireFactor("administrators")
	with.Code = appCode(t, secret, now.Add(30*time.Second))
	if err := two(with); err == nil || !errors.Is(err, auth.ErrMustEnrol) || !strings.Contains(err.Error(), ben.Login) {
		t.Errorf("the other one without a factor: %v", err)
	}
}

// TestOwnSessionsAtTheAPI: they are listed, and end at the next request.
func TestOwnSessionsAtTheAPI(t *testing.T) {
	r := newServer(t)
	r.employ()
	r.start()
	one, other, hers := r.desk(alba), r.desk(alba), r.desk(oona)
	var listed struct {
		Sessions []struct {
			ID   string `json:"id"`
			This bool   `json:"this"`
		} `json:"sessions"`
	}
	if code := one.call("GET", "/api/v1/me/sessions", "", &listed); code != http.StatusOK || len(listed.Sessions) != 2 {
		t.Fatalf("%d: %+v", code, listed)
	}
	for _, s := range listed.Sessions {
		if s.This {
			continue
		}
		unknown := hers.call("DELETE", "/api/v1/me/sessions/"+strings.Repeat("0", 32), "", nil)
		if code := hers.call("DELETE", "/api/v1/me/sessions/"+s.ID, "", nil); code != http.StatusNotFound || code != unknown {
			t.Errorf("somebody else's: %d, one that never was: %d", code, unknown)
		}
		if code := one.call("DELETE", "/api/v1/me/sessions/"+s.ID, "", nil); code != http.StatusNoContent {
			t.Errorf("%d", code)
		}
	}
	if code := other.call("GET", "/api/v1/me", "", nil); code != http.StatusUnauthorized {
		t.Errorf("the ended session: %d", code)
	}
	for _, d := range []*desk{one, hers} {
		if code := d.call("GET", "/api/v1/me", "", nil); code != http.StatusOK {
			t.Errorf("another session: %d", code)
		}
	}
	r.requireFactor("everyone")
	shut := r.desk(oona)
	if code := shut.call("GET", "/api/v1/items", "", nil); code != http.StatusForbidden {
		t.Errorf("before a second factor: %d", code)
	}
	var me struct {
		MustEnrol bool `json:"must_enrol"`
	}
	if code := shut.call("GET", "/api/v1/me", "", &me); code != http.StatusOK || !me.MustEnrol {
		t.Errorf("the own account: %d, %+v", code, me)
	}
	rows, err := r.catalog().Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventSessionsEnded}, 10)
	if err != nil || len(rows) != 1 {
		t.Errorf("%d events, %v", len(rows), err)
	}
}
