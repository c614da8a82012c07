package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestWebhooksOverTheAPI(t *testing.T) {
	d := newDesk(t)
	type shape struct {
		ID, Name, URL, Secret string
		Types                 []string
		Enabled               bool
		Deliveries            []struct {
			Type, Trouble string
			Taken         bool
		}
	}
	var made shape
	d.own(t, "POST", "/api/v1/webhooks", `{"name":"records","url":"https://127.0.0.1:1/in","types":["evidence.stored"]}`, 200, &made)
	if !strings.HasPrefix(made.Secret, "whsec_") || !made.Enabled || len(made.Types) != 1 {
		t.Errorf("%+v", made)
	}
	at := "/api/v1/webhooks/" + made.ID
	for body, want := range map[string]int{``: 422, `{"more":1}`: 400, `{}`: 422, `{"name":"x","url":"http://example.org","types":["evidence.stored"]}`: 422, `{"name":"records","url":"https://example.org","types":["evidence.stored"]}`: 409} {
		d.own(t, "POST", "/api/v1/webhooks", body, want, nil)
	}
	var tested struct {
		Taken   bool
		Trouble string
	}
	d.own(t, "POST", at+"/test", ``, 200, &tested)
	if tested.Taken || !strings.Contains(tested.Trouble, "not public") {
		t.Errorf("%+v", tested)
	}
	var got shape
	if w := d.own(t, "GET", at, ``, 200, &got); strings.Contains(w.Body.String(), "secret\"") || len(got.Deliveries) != 1 || got.Deliveries[0].Type != "webhook.test" {
		t.Errorf("%+v", got)
	}
	var rotated struct {
		Secret string
		Until  string `json:"former_secret_until"`
	}
	d.own(t, "POST", at+"/rotate", ``, 200, &rotated)
	if rotated.Secret == made.Secret || rotated.Until == "" {
		t.Errorf("%+v", rotated)
	}
	d.own(t, "PATCH", at, `{"name":"archive","enabled":false}`, 200, &got)
	if got.Name != "archive" || got.Enabled || got.URL != made.URL {
		t.Errorf("%+v", got)
	}
	d.own(t, "PATCH", at, `{"types":[]}`, 422, nil)
	d.own(t, "PATCH", "/api/v1/webhooks/none", `{"enabled":false}`, 404, nil)
	var all struct{ Webhooks []shape }
	d.own(t, "GET", "/api/v1/webhooks", ``, 200, &all)
	if len(all.Webhooks) != 1 || all.Webhooks[0].Name != "archive" {
		t.Errorf("%+v", all)
	}
	d.Clock.Advance(auth.FreshFor)
	if w := d.own(t, "DELETE", at, ``, http.StatusForbidden, nil); !strings.Contains(w.Body.String(), "/api/v1/me/confirm") {
		t.Errorf("it does not say what to do: %s", w.Body)
	}
	d.own(t, "POST", "/api/v1/me/confirm", `{"password":"correct horse battery staple"}`, http.StatusForbidden, nil)
	if n := d.Events(t, evidence.EventWebhookDeleted, ""); n != 1 {
		t.Errorf("%d events of a refused deletion", n)
	}
}
