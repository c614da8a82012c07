package server

import (
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAccountsAreHelpedFromTheCommandLineWhileTheServerRuns(t *testing.T) {
	r := newServer(t)
	r.start()
	link, err := SetupLink(r.ctx, r.config, false, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := loadSecrets(&r.config)
	if err != nil {
		t.Fatal(err)
	}
	db := r.catalog()
	people, err := auth.New(auth.Config{Catalog: db, Agency: "springfield", Pepper: secrets.pepper, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r.requireFactor("nobody")
	token := func(link string) string { _, token, _ := strings.Cut(link, "token="); return token }
	if err := people.CheckSetup(r.ctx, token(r.made.SetupLink)); err == nil {
		t.Error("the link of init still holds")
	}
	const password = "quartz lantern meadow 71"
	if _, err := people.SetUp(r.ctx, token(link), auth.Person{Login: "a.moreno", Name: "Alba Moreno", Password: password}, auth.Origin{}); err != nil {
		t.Fatal(err)
	}
	if _, err := SetupLink(r.ctx, r.config, false, time.Now); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("a link beside an account: %v", err)
	}
	if link, err = SetupLink(r.ctx, r.config, true, time.Now); err != nil || people.CheckSetup(r.ctx, token(link)) != nil {
		t.Errorf("a forced link: %v", err)
	}
	for range 5 {
		people.SignIn(r.ctx, "a.moreno", "wrong password here", "", auth.Origin{})
	}
	if err := ReleaseAccount(r.ctx, r.config, "A.Moreno", time.Now); err != nil {
		t.Fatal(err)
	}
	if _, err := people.SignIn(r.ctx, "a.moreno", password, "", auth.Origin{Address: "192.0.2.9"}); err != nil {
		t.Errorf("after the release: %v", err)
	}
	if err := ReleaseAccount(r.ctx, r.config, "nobody", time.Now); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown name: %v", err)
	}
	if err := ResetFactors(r.ctx, r.config, "A.Moreno", time.Now); err != nil {
		t.Fatal(err)
	}
	if err := ResetFactors(r.ctx, r.config, "nobody", time.Now); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown name: %v", err)
	}
	for kind, want := range map[evidence.EventType]int{evidence.EventFactorRemoved: 1, evidence.EventSetupForced: 1, evidence.EventAccountLocked: 1, evidence.EventAccountReleased: 1} {
		rows, err := db.Events(r.ctx, catalog.EventFilter{Agency: "springfield", Type: kind}, 0)
		if err != nil || len(rows) != want {
			t.Errorf("%d events %s, want %d: %v", len(rows), kind, want, err)
		}
	}
}
