package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	foreign "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestTheGatewayForCodesIsToldSigned(t *testing.T) {
	g := newRig(t)
	status := http.StatusNoContent
	r := newReceiver(t, time.Now, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://elsewhere.example.org/")
		w.WriteHeader(status)
	})
	s := g.service(trusting(r), func(c *webhook.Config) { c.Now = time.Now })
	m := auth.PhoneMessage{To: "+12015550123", Channel: auth.SMS, Code: "01234567", Expires: time.Now().Add(5 * time.Minute).UTC()}
	if err := s.SendCode(t.Context(), r.URL+"/codes", m); err == nil || len(r.all()) != 0 {
		t.Errorf("without a secret: %v", err)
	}
	if _, _, err := s.For(g.boss).RotateGateway(t.Context()); !errors.Is(err, auth.ErrFreshFactor) {
		t.Errorf("a secret without a fresh factor: %v", err)
	}
	actor := g.fresh()
	actor.FactorAt = time.Now()
	first, until, err := s.For(actor).RotateGateway(t.Context())
	g.must(err)
	if !until.IsZero() {
		t.Errorf("a former secret before the first: until %v", until)
	}
	second, until, err := s.For(actor).RotateGateway(t.Context())
	g.must(err)
	if first == second || until.IsZero() {
		t.Errorf("rotated: until %v", until)
	}
	g.must(s.SendCode(t.Context(), r.URL+"/codes", m))
	for _, secret := range []string{first, second} {
		judge, err := foreign.NewWebhook(secret)
		g.must(err)
		if err := judge.Verify(r.all()[0].body, r.all()[0].header); err != nil {
			t.Error(err)
		}
		if judge.Verify([]byte(strings.Replace(string(r.all()[0].body), "0123", "0199", 1)), r.all()[0].header) == nil {
			t.Error("a message to another number is taken")
		}
	}
	var got struct {
		To, Channel, Code, Text string
		Expires                 time.Time
	}
	g.must(json.Unmarshal(r.all()[0].body, &got))
	if got.To != m.To || got.Channel != m.Channel || got.Code != m.Code || !strings.Contains(got.Text, m.Code) || !got.Expires.Equal(m.Expires) {
		t.Errorf("%+v", got)
	}
	for _, status = range []int{http.StatusTemporaryRedirect, http.StatusBadGateway} {
		if err := s.SendCode(t.Context(), r.URL+"/codes", m); err == nil || strings.Contains(err.Error(), m.Code) || strings.Contains(err.Error(), r.URL) {
			t.Errorf("answered %d: %v", status, err)
		}
	}
	if n := len(r.all()); n != 3 {
		t.Errorf("%d requests", n)
	}
	inside := g.service(trusting(r), func(c *webhook.Config) {
		c.Now, c.Networks = time.Now, func(context.Context) []netip.Prefix { return nil }
	})
	if err := inside.SendCode(t.Context(), r.URL+"/codes", m); err == nil || !strings.Contains(err.Error(), "webhooks.networks") || len(r.all()) != 3 {
		t.Errorf("inside, without its network let in: %v", err)
	}
	if n := g.Events(t, evidence.EventGatewaySecret, "setting:codes.secret"); n != 3 {
		t.Errorf("%d events", n)
	}
}
