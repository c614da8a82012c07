package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// whole judges a docking when all parts of its inventory are here: only then is
// what was not listed known to be not there. highest is the highest number that
// the camera had announced before.
func (a *arrival) whole(ctx context.Context, highest uint64) error {
	v, d := a.inventory, a.docking
	if err := a.tx.Vanish(ctx, v.Agency, v.Camera.Serial, d.ID, d.At); err != nil {
		return err
	}
	if err := a.reviewVanished(ctx, v.Camera.Serial, d.ID); err != nil {
		return err
	}
	if err := a.compareListing(ctx); err != nil {
		return err
	}
	return a.checkCount(ctx, highest)
}

// reviewVanished tells of recordings that were gone by a docking although no
// dock has told of erasing them.
func (r *raiser) reviewVanished(ctx context.Context, camera string, docking evidence.DockingID) error {
	gone, err := r.tx.ShownIn(ctx, r.peer.Agency, camera, docking, true)
	if err != nil {
		return err
	}
	object, about := evidence.CameraObject(camera), docking.String()
	if len(gone) == 0 {
		return r.clear(ctx, catalog.AlertVanished, object, about, "they are there again")
	}
	holdings, err := r.holdings(ctx, camera, docking, gone)
	if err != nil {
		return err
	}
	var lost, kept []string
	for i := range gone {
		switch item := holdings.Of(&gone[i]); {
		case item == nil || !item.Arrived():
			lost = append(lost, gone[i].Path)
		case item.ErasedAt.IsZero():
			kept = append(kept, gone[i].Path)
		}
	}
	switch {
	case len(lost) > 0:
		return r.raise(ctx, catalog.AlertVanished, object, about, "%d recordings that camera %s had shown are gone from it, and are not in the store: %s", len(lost), camera, several(lost))
	case len(kept) > 0:
		return r.raise(ctx, catalog.AlertVanished, object, about, "%d recordings are gone from camera %s, and no dock tells of erasing them. All are in the store: %s", len(kept), camera, several(kept))
	}
	return r.clear(ctx, catalog.AlertVanished, object, about, "docks have told of erasing them")
}

// holdings finds the items of what is gone. As a rule all are joined by their
// place; only where one is not, all items of the camera are looked through.
func (r *raiser) holdings(ctx context.Context, camera string, docking evidence.DockingID, gone []catalog.Shown) (*ledger.Holdings, error) {
	items, err := r.tx.ItemsVanished(ctx, r.peer.Agency, camera, docking)
	if err != nil {
		return nil, err
	}
	holdings := ledger.Hold(items)
	for i := range gone {
		if holdings.Of(&gone[i]) == nil {
			items, err = r.tx.ItemsOf(ctx, r.peer.Agency, camera)
			return ledger.Hold(items), err
		}
	}
	return holdings, nil
}

// compareListing holds the camera's signed listing against what the dock lists.
func (a *arrival) compareListing(ctx context.Context) error {
	v, d := a.inventory, a.docking
	if d.Access != evidence.AccessExtension {
		return nil
	}
	code, about := catalog.AlertCode(evidence.FoundListingFailed), d.ID.String()
	parts, bad, err := a.signedListing(ctx)
	if err != nil {
		return err
	}
	if bad != nil {
		return a.raise(ctx, code, a.object, about, "camera %s: its signed listing does not hold: %v", v.Camera.Serial, bad)
	}
	listing, err := ledger.Join(v.Camera.Serial, parts)
	if err != nil {
		return a.raise(ctx, code, a.object, about, "camera %s: %v", v.Camera.Serial, err)
	}
	if d.Next != 0 && d.Next != listing.Next {
		return a.raise(ctx, code, a.object, about, "camera %s: its next number is %d by its signed listing, the dock says %d", v.Camera.Serial, listing.Next, d.Next)
	}
	shown, err := a.tx.ShownIn(ctx, v.Agency, v.Camera.Serial, d.ID, false)
	if err != nil {
		return err
	}
	count, named := listing.Differences(shown)
	if count == 0 {
		return nil
	}
	return a.raise(ctx, code, a.object, about, "camera %s: what dock %s lists differs in %d places from what the camera has signed: %s", v.Camera.Serial, d.Dock, count, several(named))
}

// signedListing gathers what the camera has signed from all parts of the
// inventory. bad says why it does not hold.
func (a *arrival) signedListing(ctx context.Context) (parts []evidence.CameraListing, bad, err error) {
	for n := 1; n <= a.docking.Parts; n++ {
		told, err := a.part(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		for _, raw := range told.Listings {
			var part evidence.CameraListing
			if err := openSigned(raw, evidence.TypeCameraListing, a.docking.Key, &part); err != nil {
				return nil, err, nil
			}
			if parts = append(parts, part); len(parts) > ledger.MaxListingParts {
				return nil, fmt.Errorf("it has more than %d parts", ledger.MaxListingParts), nil
			}
		}
	}
	return parts, nil, nil
}

// part returns one part of the inventory.
func (a *arrival) part(ctx context.Context, n int) (*evidence.Inventory, error) {
	v := a.inventory
	if v.Part == n {
		return v, nil
	}
	row, err := a.tx.InventoryOf(ctx, v.Agency, v.Camera.Serial, v.Docking, n)
	if err != nil {
		return nil, err
	}
	envelope, err := evidence.ParseEnvelope(row.Envelope)
	if err != nil {
		return nil, fmt.Errorf("reading part %d of the inventory of docking %s: %w", n, v.Docking, err)
	}
	told := new(evidence.Inventory)
	if err := evidence.Decode(envelope.Payload, told); err != nil {
		return nil, fmt.Errorf("reading part %d of the inventory of docking %s: %w", n, v.Docking, err)
	}
	return told, nil
}

// checkCount looks for numbers that the camera gave out and never showed.
func (a *arrival) checkCount(ctx context.Context, highest uint64) error {
	d := a.docking
	if d.Next == 0 {
		return nil
	}
	if d.Next < highest {
		err := a.raise(ctx, catalog.AlertCountedBack, a.object, "", "camera %s says that its next recording will be number %d, and had counted to %d before: it was reset, or it is another camera", d.Camera, d.Next, highest)
		if err != nil {
			return err
		}
	}
	twice, err := a.tx.NumbersTwice(ctx, d.Agency, d.Camera)
	if err != nil {
		return err
	}
	if len(twice) > 0 {
		if err := a.raise(ctx, catalog.AlertNumberReused, a.object, "", "camera %s has signed more than one recording with the numbers %s: it was reset, or it is another camera", d.Camera, numbers(twice)); err != nil {
			return err
		}
	}
	first, err := a.firstCounted(ctx)
	if err != nil {
		return err
	}
	next := max(d.Next, highest)
	seen, err := a.tx.CountNumbersBelow(ctx, d.Agency, d.Camera, next)
	if err != nil {
		return err
	}
	if seen == next-first {
		return a.clear(ctx, catalog.AlertGap, a.object, "", "all numbers of the camera have been shown")
	}
	all, err := a.tx.Numbers(ctx, d.Agency, d.Camera, evidence.SequenceFromCamera)
	if err != nil {
		return err
	}
	var named []string
	missing := uint64(0)
	for _, g := range ledger.Gaps(all, first, next) {
		missing += g.Count()
		named = append(named, g.String())
	}
	if missing == 0 {
		return nil
	}
	return a.raise(ctx, catalog.AlertGap, a.object, "", "camera %s has counted %d recordings, and %d of them were never shown at any dock: %s", d.Camera, next-first, missing, several(named))
}

// firstCounted is the first number of the camera that is looked for.
func (a *arrival) firstCounted(ctx context.Context) (uint64, error) {
	d := a.docking
	begin, err := a.tx.Beginning(ctx, d.Agency, d.Camera)
	if errors.Is(err, catalog.ErrNotFound) {
		return ledger.First(nil, 0), nil
	}
	if err != nil {
		return 0, err
	}
	lowest, err := a.tx.LowestNumber(ctx, d.Agency, d.Camera)
	return ledger.First(begin, lowest), err
}

func numbers(all []uint64) string {
	var named []string
	for _, n := range all {
		named = append(named, fmt.Sprint(n))
	}
	return several(named)
}

// stillDocked notes that a camera was in its bay at a moment of the dock's
// clock, and tells of its twin. The docking may be unknown yet: the inventory
// travels beside the recordings.
func (r *raiser) stillDocked(ctx context.Context, dock evidence.DockID, camera string, docking evidence.DockingID, at time.Time) error {
	d, err := r.tx.Docking(ctx, r.peer.Agency, docking)
	if errors.Is(err, catalog.ErrNotFound) || err == nil && (d.Dock != dock || d.Camera != camera) {
		return nil
	}
	if err != nil {
		return err
	}
	at = serverTime(at, d.DockClock)
	if at.After(r.now) {
		at = r.now
	}
	if !d.LastAt.Before(at) {
		return nil
	}
	if d, err = r.tx.ExtendDocking(ctx, r.peer.Agency, docking, at); err != nil {
		return err
	}
	return r.tellTwins(ctx, d)
}

// released looks again at what was told of as vanished: the dock's word that it
// has erased a recording may come later than the next inventory of the camera.
func (r *raiser) released(ctx context.Context, camera string) error {
	told, err := r.tx.Alerts(ctx, catalog.AlertFilter{Agency: r.peer.Agency, Object: evidence.CameraObject(camera), Code: catalog.AlertVanished}, 0)
	if err != nil {
		return err
	}
	for i := range told {
		docking, err := evidence.ParseDockingID(told[i].About)
		if err != nil || !told[i].ClearedAt.IsZero() {
			continue
		}
		if err := r.reviewVanished(ctx, camera, docking); err != nil {
			return err
		}
	}
	return nil
}
