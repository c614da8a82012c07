package fleet

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Listing is what people are shown of firmware.
type Listing struct {
	Makers   []catalog.FirmwareMaker
	Firmware []Listed // by model, the newest of each first
}

// Listed is firmware that is or was published.
type Listed struct {
	catalog.Firmware
	Offered    bool   // docks are told of it: published, and the newest of its model
	MinBattery int    // percent below which cameras do not apply it
	Notes      string // its maker's, for people
}

// State is how it stands, as one word: offered, published (behind a newer one) or
// withdrawn.
func (l *Listed) State() string {
	switch {
	case !l.WithdrawnAt.IsZero():
		return "withdrawn"
	case l.Offered:
		return "offered"
	}
	return "published"
}

// Orders is what people are shown of the rest.
type Orders struct {
	KeepDays int
	Settings []Profile
}

// ShowFirmware lists firmware and makers for a person. auth.ErrForbidden.
func (s *Service) ShowFirmware(ctx context.Context, actor *auth.Actor) (*Listing, error) {
	if !auth.May(actor, auth.ListFirmware, auth.Object{Agency: s.Agency}) {
		return nil, auth.ErrForbidden
	}
	return s.List(ctx)
}

// List lists firmware and makers.
func (s *Service) List(ctx context.Context) (*Listing, error) {
	makers, err := s.Makers(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.Firmware(ctx)
	if err != nil {
		return nil, err
	}
	offers, err := s.offers(ctx)
	if err != nil {
		return nil, err
	}
	v := &Listing{Makers: makers}
	for _, row := range rows {
		l := Listed{Firmware: row, Offered: slices.ContainsFunc(offers, func(o catalog.Firmware) bool { return o.Model == row.Model && o.Counter == row.Counter })}
		var f evidence.Firmware
		// What cannot be read was judged when it was published; here only its
		// notes are missing.
		if envelope, err := evidence.ParseEnvelope(row.Envelope); err == nil && evidence.Decode(envelope.Payload, &f) == nil {
			l.MinBattery, l.Notes = f.MinBattery, f.Notes
		}
		v.Firmware = append(v.Firmware, l)
	}
	return v, nil
}

// ShowOrders lists settings profiles and how long cameras keep recordings, for a
// person. auth.ErrForbidden.
func (s *Service) ShowOrders(ctx context.Context, actor *auth.Actor) (*Orders, error) {
	if !auth.May(actor, auth.ListSettings, auth.Object{Agency: s.Agency}) {
		return nil, auth.ErrForbidden
	}
	days, err := s.KeepDays(ctx)
	if err != nil {
		return nil, err
	}
	profiles, err := s.Settings(ctx)
	return &Orders{KeepDays: days, Settings: profiles}, err
}

// WithdrawFirmware is Withdraw for a person. auth.ErrForbidden, of which there
// is an event.
func (s *Service) WithdrawFirmware(ctx context.Context, actor *auth.Actor, model string, counter uint64) error {
	on := auth.Object{Agency: s.Agency}
	if auth.May(actor, auth.ManageFirmware, on) {
		if err := auth.Clear(ctx, actor, auth.Act{Do: auth.ManageFirmware, On: []auth.Object{on}, Kind: evidence.EventFirmwareWithdrawn}); err != nil {
			return err
		}
		return s.Withdraw(ctx, By{Actor: actor.Custody(), Source: actor.Origin.Address}, model, counter)
	}
	if actor != nil {
		refused := s.event(evidence.EventFirmwareWithdrawn, By{Actor: actor.Custody(), Source: actor.Origin.Address}, "", map[string]string{"counter": fmt.Sprint(counter)})
		refused.Outcome, refused.Reason = evidence.OutcomeRefused, auth.Refusal(auth.ErrForbidden, auth.ManageFirmware)
		if err := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, refused); return err }); err != nil {
			s.Log.ErrorContext(ctx, "a denied act could not be recorded", "action", string(auth.ManageFirmware), "error", err)
		}
	}
	return auth.ErrForbidden
}
