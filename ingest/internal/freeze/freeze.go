// Package freeze stops all deletion in a scope: of the agency, a station, a camera, an
// officer or one recording.
//
// It promises that a freeze is one act with its event, that it stands from that act on
// until somebody ends it with a reason and a factor just shown, and that refusals are on
// record. What deletes asks the catalog, in its own transaction; nothing here is asked.
package freeze

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrInput: what was asked for cannot be meant; its text says why.
var ErrInput = errors.New("this cannot be done")

// maxReason bounds a reason that the custody log keeps, in bytes.
const maxReason = 1000

// Config is what a Service works with. All fields are required.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	Now     func() time.Time
	Log     *slog.Logger
}

// Service keeps an agency's freezes. A Desk is what acts.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Desk is the Service as one person may use it: who has a grant to freeze a station may
// freeze it, its cameras and its recordings.
type Desk struct {
	*Service
	actor  *auth.Actor // nil for the command line
	by     evidence.Actor
	source string
	local  bool
}

// For returns the Desk of a signed-in person.
func (s *Service) For(actor *auth.Actor) *Desk {
	d := &Desk{Service: s, actor: actor}
	if actor != nil {
		d.by, d.source = actor.Custody(), actor.Origin.Address
	}
	return d
}

// CommandLine returns the Desk of whoever may run the server's commands.
func (s *Service) CommandLine(by evidence.Actor, source string) *Desk {
	return &Desk{Service: s, by: by, source: source, local: true}
}

func (s *Service) instant() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// May reports whether a person may freeze anything, end a freeze or see them.
func May(actor *auth.Actor, agency evidence.AgencyID) bool {
	return auth.MaySome(actor, auth.FreezeEvidence, agency) || auth.MaySome(actor, auth.UnfreezeEvidence, agency) || auth.May(actor, auth.ReadAudit, auth.Object{Agency: agency})
}

// May reports whether the person may do something on what a freeze is of.
func (d *Desk) May(ctx context.Context, do auth.Action, scope catalog.FreezeScope, value string) (bool, error) {
	reach := auth.ReachOf(d.actor, do, d.Agency)
	if d.local || reach.All || reach.None() {
		return d.local || reach.All, nil
	}
	station, err := evidence.StationID(""), error(nil)
	switch scope {
	case catalog.FreezeStation:
		station = evidence.StationID(value)
	case catalog.FreezeOfficer:
		return slices.Contains(reach.Officers, value), nil
	case catalog.FreezeCamera:
		var camera *catalog.Camera
		var dock *catalog.Dock
		if camera, err = d.Catalog.Camera(ctx, d.Agency, value); err == nil {
			dock, err = d.Catalog.Dock(ctx, d.Agency, camera.LastDock)
		}
		if err == nil {
			station = dock.Station
		}
	case catalog.FreezeItem:
		id, bad := evidence.ParseEvidenceID(value)
		if bad != nil {
			return false, nil
		}
		var item *catalog.Item
		if item, err = d.Catalog.ItemRow(ctx, d.Agency, id); err == nil {
			return reach.Holds(item), nil
		}
	}
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	return reach.HoldsStation(station), err
}

// Begin stops all deletion in a scope, from this moment on. auth.ErrForbidden, which says
// nothing of what is out of reach; ErrInput.
func (d *Desk) Begin(ctx context.Context, scope catalog.FreezeScope, value, reason string) (f catalog.Freeze, err error) {
	var id [8]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	f = catalog.Freeze{Agency: d.Agency, ID: hex.EncodeToString(id[:]), Scope: scope, Value: strings.TrimSpace(value), By: d.who(), At: d.instant()}
	if !d.local && !auth.MaySome(d.actor, auth.FreezeEvidence, d.Agency) {
		return f, d.refuse(ctx, evidence.EventFrozen, auth.FreezeEvidence, &f, auth.ErrForbidden)
	}
	if err := check(scope, f.Value); err != nil {
		return f, err
	}
	if f.Reason, err = reasonFor("it is frozen", reason); err != nil {
		return f, err
	}
	may, err := d.May(ctx, auth.FreezeEvidence, scope, f.Value)
	if err != nil {
		return f, err
	}
	if !may {
		return f, d.refuse(ctx, evidence.EventFrozen, auth.FreezeEvidence, &f, auth.ErrForbidden)
	}
	if err := d.clear(ctx, auth.FreezeEvidence, evidence.EventFrozen, &f, ""); err != nil {
		return f, err
	}
	return f, d.act(ctx, evidence.EventFrozen, &f, f.Reason, func(tx *sqldb.Tx) error {
		if err := there(ctx, &tx.Reader, &f); err != nil {
			return err
		}
		return tx.InsertFreeze(ctx, &f)
	})
}

// there refuses to freeze a station or a recording that is not there: whoever mistyped it
// would believe that it is held. What a camera or an officer records may come later.
func there(ctx context.Context, r *sqldb.Reader, f *catalog.Freeze) error {
	switch f.Scope {
	case catalog.FreezeStation:
		all, err := r.Stations(ctx, f.Agency)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(s catalog.Station) bool { return string(s.ID) == f.Value }) {
			return fmt.Errorf("%w: there is no station %q; it is there from the first dock on that enrols for it", ErrInput, f.Value)
		}
	case catalog.FreezeItem:
		id, err := evidence.ParseEvidenceID(f.Value)
		if err == nil {
			_, err = r.ItemRow(ctx, f.Agency, id)
		}
		if errors.Is(err, catalog.ErrNotFound) {
			return fmt.Errorf("%w: there is no recording with the id %s", ErrInput, f.Value)
		}
		return err
	}
	return nil
}

// End lets what a freeze stopped be deleted again, unless another one stands. A person
// must have shown a factor just now. auth.ErrForbidden, auth.ErrFreshFactor,
// catalog.ErrNotFound, catalog.ErrConflict of one that has ended, ErrInput.
func (d *Desk) End(ctx context.Context, id, reason string) error {
	refused := &catalog.Freeze{Agency: d.Agency, ID: known(id)}
	if !d.local && !auth.MaySome(d.actor, auth.UnfreezeEvidence, d.Agency) {
		return d.refuse(ctx, evidence.EventFreezeEnded, auth.UnfreezeEvidence, refused, auth.ErrForbidden)
	}
	reason, err := reasonFor("the freeze is ended", reason)
	if err != nil {
		return err
	}
	f, err := d.find(ctx, id)
	if err != nil {
		return err
	}
	may, err := d.May(ctx, auth.UnfreezeEvidence, f.Scope, f.Value)
	switch {
	case err != nil:
		return err
	case !may:
		err = auth.ErrForbidden
	case !d.local && auth.Running(ctx) == nil:
		err = auth.Fresh(d.actor, d.Now())
	}
	if err != nil {
		return d.refuse(ctx, evidence.EventFreezeEnded, auth.UnfreezeEvidence, f, err)
	}
	if err := d.clear(ctx, auth.UnfreezeEvidence, evidence.EventFreezeEnded, f, evidence.FreezeObject(f.ID)); err != nil {
		return err
	}
	return d.act(ctx, evidence.EventFreezeEnded, f, reason, func(tx *sqldb.Tx) error {
		return tx.EndFreeze(ctx, d.Agency, f.ID, reason, d.who(), d.instant())
	})
}

// List returns the freezes that the person may see, in force or not, in the order in
// which they were made: all of them, or those of what they may freeze or end.
// auth.ErrForbidden.
func (d *Desk) List(ctx context.Context) ([]catalog.Freeze, error) {
	if !d.local && !May(d.actor, d.Agency) {
		return nil, auth.ErrForbidden
	}
	all, err := d.Catalog.Freezes(ctx, d.Agency)
	if err != nil || d.local || auth.May(d.actor, auth.ReadAudit, auth.Object{Agency: d.Agency}) {
		return all, err
	}
	var seen []catalog.Freeze
	for i := range all {
		sees, err := d.sees(ctx, &all[i])
		if err != nil {
			return nil, err
		}
		if sees {
			seen = append(seen, all[i])
		}
	}
	return seen, nil
}

// Over returns the freezes that stand against deleting a recording, those that the
// person may see whole and of the others only when they began.
func (d *Desk) Over(ctx context.Context, item *catalog.Item) ([]catalog.Freeze, error) {
	all, err := d.Catalog.FreezesOver(ctx, d.Agency, item.ID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		f := &all[i]
		sees, err := d.sees(ctx, f)
		if err != nil {
			return nil, err
		}
		if !sees {
			*f = catalog.Freeze{Agency: f.Agency, Scope: f.Scope, At: f.At}
		}
	}
	return all, nil
}

// find returns a freeze that the person may see. catalog.ErrNotFound.
func (d *Desk) find(ctx context.Context, id string) (*catalog.Freeze, error) {
	all, err := d.List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("freeze %.40q: %w", id, catalog.ErrNotFound)
}

func (d *Desk) sees(ctx context.Context, f *catalog.Freeze) (bool, error) {
	if d.local || auth.May(d.actor, auth.ReadAudit, auth.Object{Agency: d.Agency}) {
		return true, nil
	}
	may, err := d.May(ctx, auth.FreezeEvidence, f.Scope, f.Value)
	if err == nil && !may {
		may, err = d.May(ctx, auth.UnfreezeEvidence, f.Scope, f.Value)
	}
	return may, err
}

func (d *Desk) who() string {
	if d.local || d.actor == nil {
		return "local"
	}
	return d.actor.User
}

// clear has an act wait for a second person where the agency says so; who may do it
// everywhere approves what is neither of a station nor of a recording.
func (d *Desk) clear(ctx context.Context, do auth.Action, kind evidence.EventType, f *catalog.Freeze, about string) error {
	if d.local {
		return nil
	}
	on := auth.Object{Agency: d.Agency}
	switch f.Scope {
	case catalog.FreezeStation:
		on.Station = evidence.StationID(f.Value)
	case catalog.FreezeItem:
		if id, err := evidence.ParseEvidenceID(f.Value); err == nil {
			if item, err := d.Catalog.ItemRow(ctx, d.Agency, id); err == nil {
				on = auth.ItemObject(item)
			} else if !errors.Is(err, catalog.ErrNotFound) {
				return err
			}
		}
	}
	return auth.Clear(ctx, d.actor, auth.Act{Do: do, On: []auth.Object{on}, About: about, Kind: kind})
}

// act does something to a freeze and records it, both or neither.
func (d *Desk) act(ctx context.Context, kind evidence.EventType, f *catalog.Freeze, reason string, do func(tx *sqldb.Tx) error) error {
	return d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, d.event(kind, f, evidence.OutcomeDone, reason))
		return err
	})
}

// refuse records a refusal and returns it.
func (d *Desk) refuse(ctx context.Context, kind evidence.EventType, do auth.Action, f *catalog.Freeze, denied error) error {
	if d.actor == nil {
		return denied
	}
	reason := denied.Error()
	if errors.Is(denied, auth.ErrForbidden) {
		reason = "no grant allows " + string(do)
	}
	err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, d.event(kind, f, evidence.OutcomeRefused, reason))
		return err
	})
	if err != nil {
		d.Log.ErrorContext(ctx, "a denied act could not be recorded", "action", string(do), "error", err)
	}
	return denied
}

func (d *Desk) event(kind evidence.EventType, f *catalog.Freeze, outcome evidence.Outcome, reason string) evidence.Event {
	details := map[string]string{}
	if check(f.Scope, f.Value) == nil {
		details = map[string]string{"scope": string(f.Scope), "value": f.Value}
	}
	return evidence.Event{Version: 1, Agency: d.Agency, Type: kind, At: d.instant(), Actor: d.by, Source: d.source, Object: evidence.FreezeObject(f.ID), Outcome: outcome, Reason: reason, Details: details}
}

// known is an id as events may name it.
func known(id string) string {
	if len(id) != 16 || strings.Trim(id, "0123456789abcdef") != "" {
		return "unknown"
	}
	return id
}

func check(scope catalog.FreezeScope, value string) error {
	switch scope {
	case catalog.FreezeAgency:
		if value != "" {
			return fmt.Errorf("%w: a freeze of the agency is of everything: %q is too much", ErrInput, value)
		}
		return nil
	case catalog.FreezeItem:
		if _, err := evidence.ParseEvidenceID(value); err != nil {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
		return nil
	case catalog.FreezeStation, catalog.FreezeCamera, catalog.FreezeOfficer:
		if value == "" || len(value) > 200 || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\ufffd' }) {
			return fmt.Errorf("%w: which %s is frozen? %q is none", ErrInput, scope, value)
		}
		return nil
	}
	return fmt.Errorf("%w: %q cannot be frozen: agency, station, camera, officer or item can", ErrInput, scope)
}

// reasonFor bounds a reason that the custody log keeps.
func reasonFor(what, reason string) (string, error) {
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > maxReason || strings.ToValidUTF8(reason, "") != reason {
		return "", fmt.Errorf("%w: say why %s, in at most %d bytes: the custody log keeps it", ErrInput, what, maxReason)
	}
	return reason, nil
}
