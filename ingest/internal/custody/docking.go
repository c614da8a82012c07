package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxFindings bounds the findings of one docking that are kept in its row; each
// is in its inventory and made an alert all the same.
const maxFindings = 200

// wrongClock is how far a camera's clock may be off before people are told.
const wrongClock = time.Minute

// arrival is one part of an inventory on its way into the ledger. It belongs to
// one run of one transaction.
type arrival struct {
	*raiser
	inventory *evidence.Inventory
	object    string // of events and alerts about the camera
	docking   *catalog.Docking
}

// enterInventory brings what an inventory tells into the catalog: docking, key,
// ledger, and alerts about what is not as it should be. Nothing in it refuses
// anything: what a camera shows is taken in whatever it says of itself.
func (c *Custody) enterInventory(ctx context.Context, tx *sqldb.Tx, peer receive.Peer, v *evidence.Inventory, now time.Time) (*catalog.Docking, error) {
	a := &arrival{raiser: c.raiser(tx, peer), inventory: v, object: evidence.CameraObject(v.Camera.Serial)}
	var err error
	a.docking, err = tx.Docking(ctx, v.Agency, v.Docking)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		a.docking = &catalog.Docking{Agency: v.Agency, ID: v.Docking, Dock: v.Dock, Station: v.Station, Bay: v.Bay, Camera: v.Camera.Serial, ReceivedAt: now, Battery: -1}
	case err != nil:
		return nil, err
	case a.docking.Dock != v.Dock || a.docking.Camera != v.Camera.Serial:
		return a.docking, a.raise(ctx, catalog.AlertDockingReused, evidence.DockObject(v.Dock), v.Docking.String(),
			"dock %s tells of camera %s in docking %s, which is known as one of camera %s at dock %s: the inventory is kept and not counted", v.Dock, v.Camera.Serial, v.Docking, a.docking.Camera, a.docking.Dock)
	}
	highest, err := tx.HighestNext(ctx, v.Agency, v.Camera.Serial)
	if err != nil {
		return nil, err
	}
	a.told(now)
	for _, step := range []func(context.Context) error{a.judge, a.show, a.count, a.twins, a.findings, a.clock, a.journal} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if a.docking.Complete() {
		return a.docking, a.whole(ctx, highest)
	}
	return a.docking, nil
}

// told takes over what this part tells of the docking.
func (a *arrival) told(now time.Time) {
	v, d := a.inventory, a.docking
	d.Access, d.TakenAt, d.Parts = v.Camera.Access, v.TakenAt.UTC().Truncate(time.Microsecond), v.Parts
	if v.Battery != nil {
		d.Battery = *v.Battery
	}
	if v.Clocks != nil {
		d.CameraRaw, d.Clock, d.DockClock = v.Clocks.CameraRaw, v.Clocks.Camera, v.Clocks.Dock
	}
	if v.ClockSet != nil {
		d.ClockSet = v.ClockSet
	}
	d.Next, d.Journal = max(d.Next, v.Next), max(d.Journal, v.Journal)
	d.Findings = append(d.Findings, v.Findings[:min(len(v.Findings), maxFindings-min(len(d.Findings), maxFindings))]...)
	d.At = serverTime(d.TakenAt, d.DockClock)
	if d.At.After(now) {
		d.At = now // nothing is listed after its list has come
	}
	if d.LastAt.Before(d.At) {
		d.LastAt = d.At
	}
}

// judge notes the camera's key and how it stands. The first part carries the
// proof.
func (a *arrival) judge(ctx context.Context) error {
	v, d := a.inventory, a.docking
	if v.Part != 1 {
		return nil
	}
	d.Key, d.KeyStanding = v.Camera.Key, v.Camera.KeyStanding
	shown := a.custody.proveCamera(v)
	keys, err := a.tx.CameraKeys(ctx, v.Agency, v.Camera.Serial)
	if err != nil {
		return err
	}
	d.Standing = standingOf(keys, shown.key, shown.certified, shown.foreign)
	if shown.failed != "" {
		d.KeyStanding = evidence.KeyFailed
		if d.Standing == catalog.StandingKeyless {
			d.Standing = catalog.StandingPending
		}
		if err := a.raise(ctx, catalog.AlertCode(evidence.FoundKeyFailed), a.object, "", "camera %s: %s. Nothing is erased from it", v.Camera.Serial, shown.failed); err != nil {
			return err
		}
	}
	if err := a.keepKey(ctx, shown); err != nil {
		return err
	}
	newest, err := a.tx.Dockings(ctx, v.Agency, v.Camera.Serial, 1)
	if err != nil {
		return err
	}
	if len(newest) == 1 && newest[0].ID != d.ID && newest[0].At.After(d.At) {
		return nil // told of late: the camera stands as a later docking found it
	}
	if err := a.tx.SetCameraStanding(ctx, v.Agency, v.Camera.Serial, d.Standing, shown.key); err != nil {
		return err
	}
	return a.tellStanding(ctx, shown)
}

// keepKey remembers a proven key. One with a certificate of this agency needs
// nobody's approval.
func (a *arrival) keepKey(ctx context.Context, shown proven) error {
	if shown.key == nil {
		return nil
	}
	v := a.inventory
	row := &catalog.CameraKey{Agency: v.Agency, Camera: v.Camera.Serial, Key: shown.key, LastSeenAt: a.now, Standing: catalog.StandingPending}
	kept, err := a.tx.CameraKeySeen(ctx, row)
	if err != nil || a.docking.Standing != catalog.StandingApproved || kept.Standing == catalog.StandingApproved {
		return err
	}
	const why = "it came with a certificate of this agency's camera authority"
	if err := a.tx.DecideCameraKey(ctx, v.Agency, v.Camera.Serial, shown.key, catalog.StandingApproved, "certificate", why, a.now, kept.Certificate); err != nil {
		return err
	}
	_, err = a.tx.AppendEvent(ctx, a.event(evidence.EventCameraApproved, a.object, why, map[string]string{"key_sha256": evidence.KeyID(shown.key).String()}))
	return err
}

func (a *arrival) tellStanding(ctx context.Context, shown proven) error {
	serial, key := a.inventory.Camera.Serial, evidence.KeyID(shown.key).String()
	switch a.docking.Standing {
	case catalog.StandingChanged:
		if shown.key == nil {
			return a.raise(ctx, catalog.AlertKeyMissing, a.object, "", "camera %s has a key and came without it: it may be another camera with this serial number, or one that was tampered with. Nothing is erased from it", serial)
		}
		return a.raise(ctx, catalog.AlertCode(evidence.FoundKeyChanged), a.object, "", "camera %s came with another key (%s) than the one that is approved. Nothing is erased from it until somebody decides", serial, key)
	case catalog.StandingPending:
		if shown.key == nil {
			return nil
		}
		return a.raise(ctx, catalog.AlertCode(evidence.FoundKeyUnknown), a.object, "", "the key of camera %s (%s) waits for approval. Nothing is erased from it until then", serial, key)
	case catalog.StandingForeign:
		return a.raise(ctx, catalog.AlertCode(evidence.FoundForeign), a.object, "", "camera %s says that it is of agency %s. What it holds is taken in, nothing is erased from it", serial, a.inventory.Camera.Agency)
	case catalog.StandingBlocked:
		return a.raise(ctx, catalog.AlertBlocked, a.object, "", "camera %s, whose key (%s) is blocked, was docked in bay %s of dock %s. What it holds is taken in, nothing is erased from it", serial, key, a.inventory.Bay, a.inventory.Dock)
	case catalog.StandingApproved:
		for _, code := range []catalog.AlertCode{catalog.AlertCode(evidence.FoundKeyUnknown), catalog.AlertCode(evidence.FoundKeyChanged), catalog.AlertKeyMissing} {
			if err := a.clear(ctx, code, a.object, "", "the camera came with its approved key"); err != nil {
				return err
			}
		}
	}
	return nil
}

// show enters this part's recordings into the ledger.
func (a *arrival) show(ctx context.Context) error {
	v, d := a.inventory, a.docking
	var there []catalog.Shown
	err := a.tx.EachThere(ctx, v.Agency, v.Camera.Serial, func(s *catalog.Shown) error {
		there = append(there, *s)
		return nil
	})
	if err != nil {
		return err
	}
	known := ledger.Know(there)
	var shrunk []string
	for i := range v.Recordings {
		r := &v.Recordings[i]
		row := &catalog.Shown{
			Agency: v.Agency, Camera: v.Camera.Serial, Place: known.Place(r), Path: r.Path, Kind: r.Kind, Sequence: r.Sequence, SequenceSource: r.SequenceSource,
			CapturedRaw: r.CapturedRaw, Signed: r.Signed, LastDocking: d.ID, LastAt: d.At,
		}
		if r.SizeKnown {
			row.LastSize = r.Size
		}
		if err := a.tx.Show(ctx, row); err != nil {
			return err
		}
		if r.SizeKnown && row.LastSize < row.LargestSize && row.LastDocking == d.ID {
			shrunk = append(shrunk, fmt.Sprintf("%s (%d bytes, once %d)", r.Path, row.LastSize, row.LargestSize))
		}
	}
	if len(shrunk) == 0 {
		return nil
	}
	return a.raise(ctx, catalog.AlertShrank, a.object, d.ID.String(), "%d recordings of camera %s are shorter than they were: %s", len(shrunk), v.Camera.Serial, several(shrunk))
}

// count keeps the docking with the parts that are here now.
func (a *arrival) count(ctx context.Context) error {
	v, d := a.inventory, a.docking
	var err error
	if d.PartsSeen, err = a.tx.InventoryParts(ctx, v.Agency, v.Camera.Serial, v.Docking); err != nil {
		return err
	}
	d.Recordings += len(v.Recordings)
	return a.tx.PutDocking(ctx, d)
}

// twins tells of one serial number in two places at a time.
func (a *arrival) twins(ctx context.Context) error {
	return a.tellTwins(ctx, a.docking)
}

func (r *raiser) tellTwins(ctx context.Context, d *catalog.Docking) error {
	others, err := r.tx.DockingsAtOnce(ctx, d)
	if err != nil || len(others) == 0 {
		return err
	}
	o := &others[0]
	return r.raise(ctx, catalog.AlertCode(evidence.FoundTwin), evidence.CameraObject(d.Camera), "",
		"camera %s was in bay %s of dock %s and in bay %s of dock %s at the same time (%s): two cameras have this serial number, or a dock's clock is wrong",
		d.Camera, d.Bay, d.Dock, o.Bay, o.Dock, stamp(d.At))
}

// findings makes alerts of what the dock found.
func (a *arrival) findings(ctx context.Context) error {
	v := a.inventory
	for _, f := range v.Findings {
		object, about := a.object, ""
		switch f.Code {
		case evidence.FoundStaleJournal:
			object = evidence.DockObject(v.Dock)
		case evidence.FoundIncomplete, evidence.FoundHashDiffers, evidence.FoundListingFailed:
			about = v.Docking.String()
		}
		if err := a.raise(ctx, catalog.AlertCode(f.Code), object, about, "camera %s, bay %s of dock %s: %s", v.Camera.Serial, v.Bay, v.Dock, f.Message); err != nil {
			return err
		}
	}
	return nil
}

// clock tells of a camera whose clock was wrong, and that it is right again.
func (a *arrival) clock(ctx context.Context) error {
	d := a.docking
	if a.inventory.Clocks == nil || d.Clock == nil {
		return nil
	}
	ahead := time.Duration(d.Clock.Ahead) * time.Microsecond
	if d.DockClock != nil {
		ahead += time.Duration(d.DockClock.Ahead) * time.Microsecond
	}
	code := catalog.AlertCode(evidence.FoundClockWrong)
	if ahead.Abs() <= wrongClock {
		return a.clear(ctx, code, a.object, "", "the camera's clock is right")
	}
	way := "ahead"
	if ahead < 0 {
		way = "behind"
	}
	set := "It was not set: look whether it can be set by hand"
	if d.ClockSet != nil {
		set = "The dock has set it"
	}
	return a.raise(ctx, code, a.object, "", "the clock of camera %s was %s %s when it was docked. %s; recordings show the corrected time beside the camera's", d.Camera, ahead.Abs().Round(time.Second), way, set)
}

// journal tells of a dock that counts its dockings anew.
func (a *arrival) journal(ctx context.Context) error {
	d := a.docking
	if d.Journal == 0 || a.inventory.Journal == 0 {
		return nil
	}
	stale, err := a.tx.SameJournal(ctx, d)
	if err != nil || !stale {
		return err
	}
	return a.raise(ctx, catalog.AlertCode(evidence.FoundStaleJournal), evidence.DockObject(d.Dock), "",
		"dock %s counts docking %d, and had counted as far before: its journal was restored from an older copy, or two docks use one identity. It must erase nothing until that is settled", d.Dock, d.Journal)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
