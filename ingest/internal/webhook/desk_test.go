package webhook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

var stored = []evidence.EventType{evidence.EventEvidenceStored}

// Who may not both decide on webhooks and read the whole record sees and changes none of
// them; nor does somebody change one who has not just shown who they are. Each refusal is
// on record.
func TestOnlyWhoMayReadAllMakesWebhooks(t *testing.T) {
	g := newRig(t)
	s := g.service()
	w, _, err := s.For(g.fresh()).Make(t.Context(), "records", "https://example.org/", stored)
	g.must(err)
	stale := g.fresh()
	stale.FactorAt = g.Clock.Now().Add(-auth.FreshFor)
	foreign := g.fresh()
	foreign.Agency = "other-pd"
	actors := map[string]*auth.Actor{"stale": stale, "foreign": foreign}
	for _, role := range []auth.Role{auth.Auditor, auth.EvidenceManager, auth.Operator, auth.Supervisor, auth.Officer, auth.Investigator, auth.Prosecutor} {
		actor := g.fresh()
		actor.Role, actor.Powers = role, auth.ShippedPowers(role)
		actors[string(role)] = actor
	}
	on, name := true, "theirs"
	for who, actor := range actors {
		k := s.For(actor)
		want := auth.ErrForbidden
		if who == "stale" {
			want = auth.ErrFreshFactor
		} else if _, _, err := k.Get(t.Context(), w.ID); !errors.Is(err, want) {
			t.Errorf("%s gets one: %v", who, err)
		} else if _, err := k.List(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s lists them: %v", who, err)
		}
		for kind, do := range map[evidence.EventType]func() error{
			evidence.EventWebhookMade:    func() error { _, _, err := k.Make(t.Context(), name, "https://example.org/", stored); return err },
			evidence.EventWebhookChanged: func() error { return k.Change(t.Context(), w.ID, webhook.Change{Name: &name}) },
			evidence.EventWebhookEnabled: func() error { return k.Change(t.Context(), w.ID, webhook.Change{Enabled: &on}) },
			evidence.EventWebhookRotated: func() error { _, _, err := k.Rotate(t.Context(), w.ID); return err },
			evidence.EventWebhookTested:  func() error { _, err := k.Test(t.Context(), w.ID); return err },
			evidence.EventWebhookDeleted: func() error { return k.Delete(t.Context(), w.ID) },
		} {
			before := g.Events(t, kind, "")
			if err := do(); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v", who, kind, err)
			}
			if who != "foreign" && g.Events(t, kind, "") != before+1 {
				t.Errorf("%s, %s: the refusal is not on record", who, kind)
			}
		}
	}
	if all, err := s.For(g.fresh()).List(t.Context()); err != nil || len(all) != 1 || all[0].Name != "records" {
		t.Errorf("%+v %v", all, err)
	}
}

// Each act is one event, which tells of the address no more than its host.
func TestEachActIsAnEvent(t *testing.T) {
	g := newRig(t)
	s := g.service()
	k := s.For(g.fresh())
	w, _, err := k.Make(t.Context(), "  records ", "https://example.org/in?key=hidden", append(stored, evidence.EventAlertRaised, stored[0]))
	g.must(err)
	on, off, other := true, false, "archive"
	g.must(k.Change(t.Context(), w.ID, webhook.Change{Name: &other, Types: stored}))
	g.must(k.Change(t.Context(), w.ID, webhook.Change{Name: &other})) // changes nothing
	g.must(k.Change(t.Context(), w.ID, webhook.Change{Enabled: &off}))
	g.must(k.Change(t.Context(), w.ID, webhook.Change{Enabled: &on}))
	_, _, err = k.Rotate(t.Context(), w.ID)
	g.must(err)
	g.must(k.Delete(t.Context(), w.ID))
	for _, kind := range []evidence.EventType{evidence.EventWebhookMade, evidence.EventWebhookChanged, evidence.EventWebhookDisabled, evidence.EventWebhookEnabled, evidence.EventWebhookRotated, evidence.EventWebhookDeleted} {
		rows, err := g.DB.Events(t.Context(), catalog.EventFilter{Agency: readingtest.Agency, Type: kind}, 5)
		if err != nil || len(rows) != 1 {
			t.Errorf("%s: %d events, %v", kind, len(rows), err)
			continue
		}
		if text := string(rows[0].JSON); strings.Contains(text, "hidden") || strings.Contains(text, "whsec") || !strings.Contains(text, `"host":"example.org"`) || rows[0].Object != "webhook:"+w.ID {
			t.Errorf("%s", text)
		}
	}
	if _, _, err := k.Get(t.Context(), w.ID); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
	for _, err := range []error{k.Delete(t.Context(), w.ID), k.Change(t.Context(), "no such", webhook.Change{Enabled: &on})} {
		if !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("what is not there: %v", err)
		}
	}
}

func TestWhatCannotBeAWebhookIsRefused(t *testing.T) {
	g := newRig(t)
	k := g.service().For(g.fresh())
	_, _, err := k.Make(t.Context(), "taken", "https://example.org/", stored)
	g.must(err)
	for _, c := range []struct {
		name, url string
		types     []evidence.EventType
		want      error
	}{
		{"", "https://example.org/", stored, webhook.ErrInput},
		{strings.Repeat("x", 81), "https://example.org/", stored, webhook.ErrInput},
		{"a\x00b", "https://example.org/", stored, webhook.ErrInput},
		{"taken", "https://example.org/", stored, webhook.ErrName},
		{"x", "http://example.org/", stored, webhook.ErrInput},
		{"x", "example.org", stored, webhook.ErrInput},
		{"x", "https:example.org", stored, webhook.ErrInput},
		{"x", "https:///in", stored, webhook.ErrInput},
		{"x", "https://name:word@example.org/", stored, webhook.ErrInput},
		{"x", "https://example.org/#part", stored, webhook.ErrInput},
		{"x", "https://example.org:0/", stored, webhook.ErrInput},
		{"x", "https://example.org:99999/", stored, webhook.ErrInput},
		{"x", "https://exämple.org/", stored, webhook.ErrInput},
		{"x", "https://example.org/\r\nHost: inside", stored, webhook.ErrInput},
		{"x", "https://[fe80::1%25eth0]/", stored, webhook.ErrInput},
		{"x", "https://example.org/" + strings.Repeat("x", 1000), stored, webhook.ErrInput},
		{"x", "https://example.org/", nil, webhook.ErrInput},
		{"x", "https://example.org/", []evidence.EventType{"no.such"}, webhook.ErrInput},
		{"x", "https://example.org/", []evidence.EventType{webhook.TestType}, webhook.ErrInput},
	} {
		if _, _, err := k.Make(t.Context(), c.name, c.url, c.types); !errors.Is(err, c.want) {
			t.Errorf("%q %q %q: %v", c.name, c.url, c.types, err)
		}
	}
	g.Clock.Advance(time.Second)
	for i := range webhook.MaxWebhooks - 1 {
		_, _, err := k.Make(t.Context(), fmt.Sprint(i), "https://example.org/", stored)
		g.must(err)
	}
	if _, _, err := k.Make(t.Context(), "one more", "https://example.org/", stored); !errors.Is(err, webhook.ErrMany) {
		t.Error(err)
	}
}
