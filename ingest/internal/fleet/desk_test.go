package fleet

import (
	"errors"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestWhoMayDoWhatWithFirmware(t *testing.T) {
	g, m := newRig(t), newMaker(t)
	g.must(g.TrustMaker(t.Context(), CommandLine(), "acme", m.public))
	seven, sevenImage := m.bundle(t, 7)
	eight, eightImage := m.bundle(t, 8)
	g.must(g.publish(seven, sevenImage))
	g.must(g.publish(eight, eightImage))
	person := func(role auth.Role, agency evidence.AgencyID) *auth.Actor {
		return &auth.Actor{User: "u1", Agency: agency, Name: "Alba Moreno", Role: role, Powers: auth.ShippedPowers(role), Origin: auth.Origin{Address: "192.0.2.7"}}
	}
	operator, administrator := person(auth.Operator, "springfield"), person(auth.Administrator, "springfield")
	for what, nobody := range map[string]*auth.Actor{"nobody": nil, "another agency's": person(auth.Administrator, "shelbyville"), "another role": person("visitor", "springfield")} {
		if _, err := g.ShowFirmware(t.Context(), nobody); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s may list firmware: %v", what, err)
		}
		if _, err := g.ShowOrders(t.Context(), nobody); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s may list settings: %v", what, err)
		}
		if err := g.WithdrawFirmware(t.Context(), nobody, "X3", 8); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s may withdraw: %v", what, err)
		}
	}
	before := g.events(evidence.EventFirmwareWithdrawn)
	if err := g.WithdrawFirmware(t.Context(), operator, "X3", 8); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("an operator may withdraw: %v", err)
	}
	if n := g.events(evidence.EventFirmwareWithdrawn); n != before+1 {
		t.Errorf("%d events tell of the refusal", n-before)
	}
	listing, err := g.ShowFirmware(t.Context(), operator)
	g.must(err)
	if len(listing.Makers) != 1 || len(listing.Firmware) != 2 || !listing.Firmware[0].Offered || listing.Firmware[1].Offered ||
		listing.Firmware[0].Counter != 8 || listing.Firmware[0].MinBattery != 40 || listing.Firmware[0].Notes == "" {
		t.Errorf("listed are %+v", listing)
	}
	g.must(g.WithdrawFirmware(t.Context(), administrator, "X3", 8))
	listing, err = g.ShowFirmware(t.Context(), administrator)
	g.must(err)
	if first := listing.Firmware[0]; first.Offered || first.WithdrawnBy != "u1" || !first.WithdrawnAt.Equal(g.now()) || !listing.Firmware[1].Offered {
		t.Errorf("after the withdrawal %+v", listing.Firmware)
	}
	g.must(g.SetKeepDays(t.Context(), CommandLine(), 3))
	orders, err := g.ShowOrders(t.Context(), operator)
	if err != nil || orders.KeepDays != 3 {
		t.Errorf("orders are %+v, %v", orders, err)
	}
}
