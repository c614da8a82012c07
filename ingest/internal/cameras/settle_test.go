package cameras_test

import (
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAnEntryIsSettledOnRecord(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	item := catalogtest.NewItem(1, d.clock.Now())
	item.Camera, item.Sequence, item.SequenceSource, item.Path = "CAM-1", 2, evidence.SequenceFromCamera, "A"
	d.update(func(tx *sqldb.Tx) error { return tx.InsertItem(ctx, item) })
	d.update(func(tx *sqldb.Tx) error { return tx.StoreItem(ctx, agency, item.ID, 1, 1, d.clock.Now()) }) // its bytes are nowhere
	d.docked(6, 5)                                                                                        // 1, 3 and 4 were never shown, 5 has no bytes here and is on its way
	a := &catalog.Alert{Agency: agency, Code: catalog.AlertErasedBare, Severity: catalog.SeverityUrgent, Object: "camera:CAM-1", About: item.ID.String(), Message: "erased", LastAt: d.clock.Now()}
	d.update(func(tx *sqldb.Tx) error { _, err := tx.RaiseAlert(ctx, a); return err })
	k := d.For(d.chief)
	settle := func(e cameras.Entry) (*ledger.Finding, error) {
		return k.Settle(ctx, "CAM-1", e, "examined, nothing can be read back")
	}

	_, err := settle(cameras.Entry{})
	d.is(err, cameras.ErrInput)
	_, err = k.Settle(ctx, "CAM-1", cameras.Entry{Number: 3}, "")
	d.is(err, cameras.ErrInput)
	_, err = settle(cameras.Entry{Number: 9})
	d.is(err, catalog.ErrNotFound)
	_, err = settle(cameras.Entry{Number: 3, Reason: ledger.Vanished})
	d.is(err, catalog.ErrNotFound)
	_, err = k.Settle(ctx, "CAM-9", cameras.Entry{Number: 3}, "x")
	d.is(err, catalog.ErrNotFound)
	_, err = settle(cameras.Entry{Path: "A"}) // bytes and erasure
	d.is(err, cameras.ErrInput)
	if err == nil || !strings.Contains(err.Error(), "blob_missing") || !strings.Contains(err.Error(), "erased_bare") {
		t.Errorf("it says %v", err)
	}
	if e := d.events(evidence.EventCameraSettled); len(e) != 0 {
		t.Errorf("what was refused is on record as done: %+v", e)
	}

	for _, c := range []struct {
		entry cameras.Entry
		want  ledger.Reason
	}{
		{cameras.Entry{Number: 4}, ledger.NeverShown},
		{cameras.Entry{Path: "A", Reason: ledger.ErasedBare}, ledger.ErasedBare},
		{cameras.Entry{Item: item.ID}, ledger.BlobMissing},
		{cameras.Entry{Number: 1}, ledger.NeverShown},
	} {
		found, err := settle(c.entry)
		d.must(err)
		if found.Reason != c.want {
			t.Errorf("%+v settled %+v", c.entry, found)
		}
		_, err = settle(c.entry) // it is settled already
		d.is(err, catalog.ErrNotFound)
	}
	reports, err := d.For(d.operator).Completeness(ctx, "CAM-1")
	d.must(err)
	if r := reports[0]; !r.Complete() || len(r.Settled) != 4 || !strings.Contains(r.Settled[0].Note, "settled by user u-chief on ") || !strings.HasSuffix(r.Settled[0].Note, ": examined, nothing can be read back") {
		t.Errorf("missing %+v, settled %+v", r.Missing, r.Settled)
	}
	e := d.events(evidence.EventCameraSettled)
	if len(e) != 4 || e[0].Actor.ID != "u-chief" || e[0].Reason != "examined, nothing can be read back" || e[3].Details["finding"] != "never_shown" || e[3].Details["first_number"] != "3" ||
		e[3].Details["last_number"] != "4" || !strings.Contains(e[3].Details["text"], "numbers 3 to 4") || e[2].Details["item"] != item.ID.String() || e[2].Details["path"] != "A" {
		t.Errorf("events %+v", e)
	}
}
