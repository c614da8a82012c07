package fleet

import (
	"errors"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

// person is somebody with a role who has shown a factor just now.
func (g *rig) person(role auth.Role) *auth.Actor {
	return &auth.Actor{User: "u1", Agency: "springfield", Name: "Alba Moreno", Role: role, Powers: auth.ShippedPowers(role), Origin: auth.Origin{Address: "192.0.2.7"}, FactorAt: g.now(), Factor: "app"}
}

// withAuthority lets the service make tokens, and returns whose they are.
func (g *rig) withAuthority() *identity.Authority {
	authority, err := identity.NewAuthority("springfield", g.now())
	g.must(err)
	g.Certificate = authority.Certificate()
	return authority
}

func TestATokenIsMadeShownOnceAndWithdrawn(t *testing.T) {
	g := newRig(t)
	authority := g.withAuthority()
	desk := g.DocksFor(g.person(auth.Administrator))
	text, token, err := desk.MakeToken(t.Context(), "north", "lobby", time.Hour)
	g.must(err)
	secret, fingerprint, err := identity.ParseEnrolmentToken(text)
	g.must(err)
	if fingerprint != identity.Fingerprint(authority.Certificate()) || token.Hash != evidence.SHA256(secret[:]) || token.CreatedBy != "u1" || !token.ExpiresAt.Equal(g.now().Add(time.Hour)) {
		t.Errorf("token %+v of %q", token, text)
	}
	_, open, err := desk.List(t.Context())
	if err != nil || len(open) != 1 || open[0].Dock != "lobby" {
		t.Errorf("open are %+v, %v", open, err)
	}
	g.must(desk.Withdraw(t.Context(), token.Hash))
	for _, err := range []error{desk.Withdraw(t.Context(), token.Hash), g.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ConsumeDockToken(t.Context(), token.Hash, g.now())
		return err
	})} {
		if !errors.Is(err, ErrTokenGone) && !errors.Is(err, catalog.ErrTokenWithdrawn) {
			t.Errorf("a withdrawn token is taken: %v", err)
		}
	}
	if err := desk.Withdraw(t.Context(), evidence.Digest{1}); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("no token: %v", err)
	}
	late, token, err := desk.MakeToken(t.Context(), "north", "lobby", time.Minute)
	g.must(err)
	g.advance(time.Minute)
	if err := desk.Withdraw(t.Context(), token.Hash); !errors.Is(err, ErrTokenGone) || late == text {
		t.Errorf("an expired token: %v", err)
	}
	for name, bad := range map[string]struct {
		station evidence.StationID
		dock    evidence.DockID
		valid   time.Duration
	}{"no name": {"north", "", time.Hour}, "a name in capitals": {"north", "Lobby", time.Hour}, "a station with a path": {"../x", "lobby", time.Hour}, "for ever": {"north", "lobby", 31 * 24 * time.Hour}, "for no time": {"north", "lobby", 0}} {
		if _, _, err := desk.MakeToken(t.Context(), bad.station, bad.dock, bad.valid); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// made twice, withdrawn once; refused: withdrawn before, no such, expired
	if made, ended := g.events(evidence.EventDockTokenMade), g.events(evidence.EventDockTokenEnded); made != 2 || ended != 4 {
		t.Errorf("%d events of tokens made and %d of withdrawn ones", made, ended)
	}
}

func TestAStolenDockIsShutOutWithItsTokens(t *testing.T) {
	g := newRig(t)
	g.withAuthority()
	g.enrol("front-desk")
	g.enrol("garage")
	desk := g.DocksFor(g.person(auth.Administrator))
	_, own, err := desk.MakeToken(t.Context(), "main", "front-desk", time.Hour)
	g.must(err)
	_, other, err := desk.MakeToken(t.Context(), "main", "garage", time.Hour)
	g.must(err)
	g.must(desk.SetEnabled(t.Context(), "front-desk", false, "stolen"))
	dock, _, err := desk.Get(t.Context(), "front-desk")
	if err != nil || dock.Enabled {
		t.Errorf("the dock is %+v, %v", dock, err)
	}
	use := func(hash evidence.Digest) error {
		return g.db.Update(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.ConsumeDockToken(t.Context(), hash, g.now())
			return err
		})
	}
	if err := use(own.Hash); !errors.Is(err, catalog.ErrTokenWithdrawn) {
		t.Errorf("whoever has a token of it enrols again: %v", err)
	}
	if err := use(other.Hash); err != nil {
		t.Errorf("the token of another dock: %v", err)
	}
	trust := g.trusted(g.ask(nil))
	for _, d := range trust.Docks {
		if d.Dock == "front-desk" {
			t.Error("cameras are told of it all the same")
		}
	}
	g.must(desk.SetEnabled(t.Context(), "front-desk", true, ""))
	if err := desk.SetEnabled(t.Context(), "nowhere", false, ""); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("no dock: %v", err)
	}
	if err := desk.Remove(t.Context(), "nowhere"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("removing no dock: %v", err)
	}
	g.must(g.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		return tx.DockSeen(t.Context(), "springfield", "garage", g.now(), "192.0.2.9", "v1")
	}))
	if err := desk.Remove(t.Context(), "garage"); !errors.Is(err, ErrInUse) {
		t.Errorf("a dock that was in use: %v", err)
	}
	g.must(desk.Remove(t.Context(), "front-desk"))
	if _, _, err := desk.Get(t.Context(), "front-desk"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("the removed dock: %v", err)
	}
	if n := g.events(evidence.EventDockRemoved); n != 3 {
		t.Errorf("%d events of removed docks, refused ones among them", n)
	}
}

func TestWhoMayDecideAboutDocks(t *testing.T) {
	g := newRig(t)
	g.withAuthority()
	g.enrol("front-desk")
	acts := map[evidence.EventType]func(*DockDesk) error{
		evidence.EventDockTokenMade: func(d *DockDesk) error {
			_, _, err := d.MakeToken(t.Context(), "main", "lobby", time.Hour)
			return err
		},
		evidence.EventDockTokenEnded: func(d *DockDesk) error { return d.Withdraw(t.Context(), evidence.Digest{1}) },
		evidence.EventDockDisabled:   func(d *DockDesk) error { return d.SetEnabled(t.Context(), "front-desk", false, "") },
		evidence.EventDockEnabled:    func(d *DockDesk) error { return d.SetEnabled(t.Context(), "front-desk", true, "") },
		evidence.EventDockRemoved:    func(d *DockDesk) error { return d.Remove(t.Context(), "front-desk") },
	}
	program := g.person(auth.Administrator)
	program.Token = &auth.TokenInfo{ID: "t1"}
	stale := g.person(auth.Administrator)
	stale.FactorAt = g.now().Add(-time.Hour)
	for name, who := range map[string]struct {
		actor *auth.Actor
		want  error
	}{"an operator": {g.person(auth.Operator), auth.ErrForbidden}, "an auditor": {g.person(auth.Auditor), auth.ErrForbidden}, "a stale factor": {stale, auth.ErrFreshFactor}, "a token": {program, auth.ErrTokenAct}} {
		desk := g.DocksFor(who.actor)
		for kind, act := range acts {
			want := who.want
			if kind == evidence.EventDockTokenEnded && want != auth.ErrForbidden {
				want = catalog.ErrNotFound // taking a token back asks for no factor
			}
			before := g.events(kind)
			if err := act(desk); !errors.Is(err, want) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
			if n := g.events(kind); n != before+1 {
				t.Errorf("%s, %s: %d events tell of the refusal", name, kind, n-before)
			}
		}
	}
	if _, _, err := g.DocksFor(g.person(auth.Officer)).List(t.Context()); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("an officer lists docks: %v", err)
	}
	if docks, tokens, err := g.DocksFor(g.person(auth.Operator)).List(t.Context()); err != nil || len(docks) != 1 || len(tokens) != 0 {
		t.Errorf("an operator sees %d docks and %d tokens, %v", len(docks), len(tokens), err)
	}
}
