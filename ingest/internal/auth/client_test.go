package auth

import (
	"testing"

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
