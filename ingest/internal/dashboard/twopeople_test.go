package dashboard_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/testkit/routes"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Where every act takes a second person, no route of the API that changes or takes away
// does anything for one, and for each action there is a route at which it waits.
func TestNoActIsDoneByOneWhereItTakesTwo(t *testing.T) {
	s := newSite(t, func(c *dashboard.Config) {
		c.Derive = derive.New(derive.Config{Catalog: c.Cameras.Catalog, Originals: c.Packages, Agency: readingtest.Agency, Now: c.Now, Logger: slog.New(slog.DiscardHandler)})
	})
	s.fill(t)
	boss := s.Actor(t, s.SetUp(t))
	about := s.things(t, boss)[0]
	_, client := s.member(t, boss, "one", auth.Administrator, "")
	var all []auth.Action
	for _, d := range auth.TwoPeopleActions() {
		all = append(all, d.Action)
	}
	alert := s.raise(t, catalog.AlertDamaged, catalog.SeverityWarning, evidence.ItemObject(evidence.EvidenceID{1}), "asked by a test")
	ended, err := s.Freezes.For(boss).Begin(t.Context(), catalog.FreezeStation, "north", "asked by a test")
	if err != nil {
		t.Fatal(err)
	}
	s.twoPeople(t, all...)
	waiting := map[auth.Action]int{}
	for _, pattern := range routes.Of(t, api.Routes(api.Config{Settings: s.Settings, Webhooks: s.Webhooks, Freezes: s.Freezes})) {
		method, path, _ := strings.Cut(pattern, " ")
		if method == http.MethodGet || !strings.HasPrefix(path, "/api/v1/") || strings.HasPrefix(path, "/api/v1/me") || strings.HasPrefix(path, "/api/v1/approvals") {
			continue // what looks, is about oneself, or decides
		}
		setting := "password.history"
		if method == http.MethodDelete {
			setting = settings.TwoPeople // the one that is not what it is by default
		}
		path = strings.NewReplacer("/settings/{name}", "/settings/"+setting, "/alerts/{id}", "/alerts/"+alert, "/freezes/{id}", "/freezes/"+ended.ID).Replace(path)
		s.Clock.Advance(time.Second)
		s.confirmed(t)
		kind, body := about.body(pattern)
		r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+about.path(path), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		switch {
		case answer.StatusCode == http.StatusAccepted:
			row, err := s.DB.ActRequest(t.Context(), readingtest.Agency, answer.Header.Get("Location")[strings.LastIndex(answer.Header.Get("Location"), "/")+1:])
			if err != nil {
				t.Fatal(err)
			}
			waiting[auth.Action(row.Action)]++
		case answer.StatusCode < 300:
			t.Errorf("%s with %s is done by one person: %d", pattern, body, answer.StatusCode)
		default:
			t.Logf("%s with %s: %d, before it came to that", pattern, body, answer.StatusCode)
		}
	}
	for _, do := range all {
		if waiting[do] == 0 {
			t.Errorf("nothing that takes %s waits for a second person", do)
		}
	}
	t.Logf("waiting, by action: %v", waiting)
}
