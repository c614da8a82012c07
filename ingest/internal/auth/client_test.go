package auth

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// With which client somebody acted is part of who it was, refused tries included.
func TestEventsNameTheClient(t *testing.T) {
	d := newDesk(t)
	d.setUp()
	from := Origin{Address: "192.0.2.44", Browser: "Example/1.0"}
	d.SignIn(t.Context(), "a.moreno", "wrong password here", "", from)
	session, err := d.SignIn(t.Context(), "a.moreno", password, "", from)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: "metro-pd"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		var e evidence.Event
		if err := evidence.Decode(row.JSON, &e); err != nil || e.Actor.Client != from.Browser || e.Source != from.Address {
			t.Errorf("%s: %v", row.JSON, err)
		}
	}
	actor, err := d.Actor(t.Context(), session, from)
	if err != nil || actor.Custody().Client != from.Browser {
		t.Errorf("%+v, %v", actor, err)
	}
}

// A grant gives something only while all of its conditions hold.
func TestEachConditionOfAGrantMustHold(t *testing.T) {
	now := time.Now()
	there := circumstances{at: now, address: "10.1.2.3", client: Mobile}
	whole := catalog.Grant{ID: "1", Holder: catalog.ToPerson, HolderID: "u", Role: string(Investigator), Scope: catalog.OnAgency,
		Until: now.Add(time.Second), Networks: []string{"10.0.0.0/8"}, Clients: []string{"api", "mobile"}}
	for name, c := range map[string]struct {
		change func(*catalog.Grant, *circumstances)
		plays  bool
		takes  bool
	}{
		"all hold":                {func(*catalog.Grant, *circumstances) {}, true, true},
		"it has ended":            {func(g *catalog.Grant, _ *circumstances) { g.Until = now }, false, false},
		"another network":         {func(_ *catalog.Grant, c *circumstances) { c.address = "192.0.2.7" }, false, false},
		"a browser":               {func(_ *catalog.Grant, c *circumstances) { c.client = Web }, false, false},
		"a program":               {func(_ *catalog.Grant, c *circumstances) { c.client = API }, true, true},
		"for browsers alone":      {func(g *catalog.Grant, _ *circumstances) { g.Clients = []string{"web"} }, false, false},
		"for any kind of program": {func(g *catalog.Grant, c *circumstances) { g.Clients, c.client = nil, Web }, true, true},
		"only to look":            {func(g *catalog.Grant, _ *circumstances) { g.ViewOnly = true }, true, false},
		"another person's":        {func(g *catalog.Grant, _ *circumstances) { g.HolderID = "v" }, false, false},
		"two do not hold":         {func(g *catalog.Grant, c *circumstances) { g.Until, c.client = now, Web }, false, false},
	} {
		g, c0 := whole, there
		c.change(&g, &c0)
		book := newBook(merged(&catalog.Powers{Grants: []catalog.Grant{g}}, "metro-pd"))
		actor := &Actor{User: "u", Agency: "metro-pd", Client: c0.client, Powers: book.of(&catalog.User{ID: "u", Agency: "metro-pd", Role: string(Investigator)}, c0)}
		if MaySome(actor, PlayItem, "metro-pd") != c.plays || MaySome(actor, DownloadItem, "metro-pd") != c.takes {
			t.Errorf("%s: plays %v, takes away %v", name, MaySome(actor, PlayItem, "metro-pd"), MaySome(actor, DownloadItem, "metro-pd"))
		}
	}
}
