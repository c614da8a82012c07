package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/proto/evidence"
)

// own asks as the administrator, and reads a good answer into v.
func (d *desk) own(t *testing.T, method, path, body string, want int, v any) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "https://x"+path, strings.NewReader(body))
	r.AddCookie(auth.Cookie(d.session))
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	if w.Code != want {
		t.Errorf("%s %s %s: %d, want %d: %s", method, path, body, w.Code, want, w.Body)
	}
	if v != nil && w.Code < 300 {
		if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestTheOwnAccountOverTheAPI(t *testing.T) {
	d := newDesk(t)
	d.RequireFactor(t, "administrators")
	var me struct {
		Login        string
		Fresh        bool
		MustEnrol    bool  `json:"must_enrol"`
		Required     bool  `json:"factor_required"`
		Recovery     int64 `json:"recovery_codes"`
		App          *struct{}
		PasskeysList []struct{} `json:"passkeys"`
	}
	d.own(t, "GET", "/api/v1/me", "", 200, &me)
	if me.Login != "a.moreno" || !me.Fresh || !me.Required || me.App != nil || me.PasskeysList == nil {
		t.Errorf("%+v", me)
	}
	var offer struct{ Ceremony, Secret, URL string }
	d.own(t, "POST", "/api/v1/me/recovery-codes", "", http.StatusConflict, nil)
	d.own(t, "POST", "/api/v1/me/app", "", 200, &offer)
	code := func() string {
		t.Helper()
		code, err := totp.GenerateCode(offer.Secret, d.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	for body, want := range map[string]int{``: 400, `{"code":1}`: 400, `{"more":1}`: 400, `{"ceremony":"x","code":"` + code() + `"}`: 409, `{"ceremony":"` + offer.Ceremony + `","code":"12345x"}`: 422} {
		d.own(t, "POST", "/api/v1/me/app/finish", body, want, nil)
	}
	d.own(t, "POST", "/api/v1/me/app/finish", `{"ceremony":"`+offer.Ceremony+`","code":"`+code()+`"}`, 204, nil)
	d.own(t, "POST", "/api/v1/me/app", "", http.StatusConflict, nil)
	d.own(t, "DELETE", "/api/v1/me/factors/nothing", "", http.StatusNotFound, nil)
	d.own(t, "DELETE", "/api/v1/me/factors/app", "", http.StatusConflict, nil) // the only one, and required
	var made struct{ Codes []string }
	d.own(t, "POST", "/api/v1/me/recovery-codes", "", 200, &made)
	if len(made.Codes) != auth.RecoveryCodes {
		t.Errorf("%d codes", len(made.Codes))
	}

	d.Clock.Advance(auth.FreshFor)
	if w := d.own(t, "POST", "/api/v1/me/recovery-codes", "", http.StatusForbidden, nil); !strings.Contains(w.Body.String(), "/api/v1/me/confirm") {
		t.Errorf("it does not say what to do: %s", w.Body)
	}
	d.own(t, "POST", "/api/v1/me/confirm", `{"password":"`+readingtest.Password+`"}`, http.StatusForbidden, nil)
	d.own(t, "POST", "/api/v1/me/confirm", `{"code":"`+code()+`"}`, 204, nil)
	d.own(t, "POST", "/api/v1/me/phone", `{"number":"+12015550123","channel":"sms"}`, http.StatusConflict, nil) // no gateway
	d.own(t, "POST", "/api/v1/me/confirm/code", "", http.StatusConflict, nil)
	d.own(t, "POST", "/api/v1/me/phone/finish", `{"code":"12345678"}`, http.StatusConflict, nil)
	d.own(t, "PUT", "/api/v1/factor-rule", `{"required":"nobody","when":"always","grace_days":0}`, 422, nil)
	d.own(t, "PUT", "/api/v1/factor-rule", `{"required":"nobody","when":"always","grace_days":0,"reason":"keys are ordered"}`, 204, nil)
	var rule auth.FactorRule
	d.own(t, "GET", "/api/v1/factor-rule", "", 200, &rule)
	if rule.Required != "nobody" {
		t.Errorf("%+v", rule)
	}

	d.own(t, "POST", "/api/v1/me/password", `{"old":"`+readingtest.Password+`","new":"short"}`, 422, nil)
	d.own(t, "POST", "/api/v1/me/password", `{"old":"not it, not it at all","new":"meadow copper violin 8"}`, 403, nil)
	former := d.session
	w := d.own(t, "POST", "/api/v1/me/password", `{"old":"`+readingtest.Password+`","new":"meadow copper violin 8"}`, 204, nil)
	for _, c := range w.Result().Cookies() {
		if c.Name == auth.CookieName {
			d.session = c.Value
		}
	}
	if d.session == former {
		t.Fatal("the session kept its token")
	}
	d.own(t, "GET", "/api/v1/me", "", 200, &me)
	d.own(t, "DELETE", "/api/v1/me/factors/app", "", 204, nil)
	d.session = former
	d.own(t, "GET", "/api/v1/me", "", http.StatusUnauthorized, nil)
	if n := d.Events(t, evidence.EventFactorRemoved, ""); n != 2 { // one was refused
		t.Errorf("%d events", n)
	}
}

func TestTriesAtTheAPIAreSlowedDownToo(t *testing.T) {
	d := newDesk(t)
	var last *httptest.ResponseRecorder
	for range 4 {
		last = d.own(t, "POST", "/api/v1/me/confirm", `{"code":"000000x"}`, http.StatusForbidden, nil)
		d.Clock.Advance(time.Second)
	}
	for last.Code == http.StatusForbidden {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "https://x/api/v1/me/confirm", strings.NewReader(`{"code":"000000x"}`))
		r.AddCookie(auth.Cookie(d.session))
		last = httptest.NewRecorder()
		d.handler.ServeHTTP(last, r)
	}
	if last.Code != http.StatusTooManyRequests || last.Header().Get("Retry-After") == "" {
		t.Errorf("%d, %v", last.Code, last.Header())
	}
}

func TestAPhoneOverTheAPI(t *testing.T) {
	d := newDesk(t)
	var sent []auth.PhoneMessage
	d.Store.Gateway = func(_ context.Context, _ string, m auth.PhoneMessage) error { sent = append(sent, m); return nil }
	if _, err := d.Settings.CommandLine().Set(t.Context(), settings.Change{Name: settings.CodeGateway, Value: "https://gateway.example.org/codes", Reason: "officers without smartphones"}); err != nil {
		t.Fatal(err)
	}
	_, invitation, err := d.Auth.Desk(d.Actor(t, d.session)).Invite(t.Context(), auth.NewPerson{Login: "j.reyes", Name: "Jonah Reyes", Role: auth.Officer})
	if err == nil {
		err = d.Auth.Join(t.Context(), invitation, readingtest.Password, auth.Origin{Address: "192.0.2.8"})
	}
	if err != nil {
		t.Fatal(err)
	}
	const number = `{"number":"+1 201 555 0123","channel":"call"}`
	d.own(t, "POST", "/api/v1/me/phone", number, http.StatusConflict, nil) // an administrator
	if d.session, err = d.Auth.SignIn(t.Context(), "j.reyes", readingtest.Password, "", auth.Origin{Address: "192.0.2.8"}); err != nil {
		t.Fatal(err)
	}
	d.own(t, "POST", "/api/v1/me/phone", `{"number":"0123","channel":"call"}`, 422, nil)
	d.own(t, "POST", "/api/v1/me/phone", `{"number":"+12015550123","channel":"fax"}`, 422, nil)
	d.own(t, "POST", "/api/v1/me/phone", number, 204, nil)
	d.own(t, "POST", "/api/v1/me/phone/finish", `{"code":"1"}`, http.StatusForbidden, nil)
	d.own(t, "POST", "/api/v1/me/phone/finish", `{"code":"`+sent[0].Code+`"}`, 204, nil)
	d.Clock.Advance(auth.FreshFor)
	d.own(t, "POST", "/api/v1/me/phone", number, http.StatusForbidden, nil)
	d.own(t, "POST", "/api/v1/me/confirm/code", "", 204, nil)
	d.own(t, "POST", "/api/v1/me/confirm", `{"code":"`+sent[1].Code+`"}`, 204, nil)
	var me struct {
		Phone struct{ Number, Channel string }
	}
	d.own(t, "GET", "/api/v1/me", "", 200, &me)
	if me.Phone.Number != "+1••••••••23" || me.Phone.Channel != "call" {
		t.Errorf("%+v", me)
	}
	for range 3 {
		d.Clock.Advance(4 * time.Second)
		d.own(t, "POST", "/api/v1/me/confirm/code", "", 204, nil)
	}
	d.Clock.Advance(4 * time.Second)
	d.own(t, "POST", "/api/v1/me/confirm/code", "", http.StatusTooManyRequests, nil)
	d.own(t, "DELETE", "/api/v1/me/factors/phone", "", 204, nil)
}
