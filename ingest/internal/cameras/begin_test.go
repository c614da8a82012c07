package cameras_test

import (
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// docked docks the camera, which announces next and shows these numbers.
func (d *desk) docked(next uint64, numbers ...uint64) {
	d.Helper()
	at := d.clock.Now()
	id := evidence.DockingID{byte(next), byte(len(numbers))}
	d.update(func(tx *sqldb.Tx) error {
		ctx := d.Context()
		for _, n := range numbers {
			r := evidence.RecordingInfo{Path: "A", Sequence: n, SequenceSource: evidence.SequenceFromCamera}
			if err := tx.Show(ctx, &catalog.Shown{Agency: agency, Camera: "CAM-1", Place: catalog.Place(&r), Path: "A", Sequence: n, SequenceSource: r.SequenceSource, LastDocking: id, LastAt: at}); err != nil {
				return err
			}
		}
		return tx.PutDocking(ctx, &catalog.Docking{Agency: agency, ID: id, Dock: "front-desk", Bay: "1-1", Camera: "CAM-1", At: at, LastAt: at, TakenAt: at, ReceivedAt: at, Next: next, Parts: 1, PartsSeen: 1})
	})
}

// neverShown returns the runs that completeness says were never shown, and what
// it says is not counted.
func (d *desk) neverShown() (gaps []string, uncounted string) {
	d.Helper()
	reports, err := d.For(d.operator).Completeness(d.Context(), "CAM-1")
	d.must(err)
	for _, f := range reports[0].Missing {
		if f.Reason == ledger.NeverShown {
			gaps = append(gaps, f.Numbers.String())
		}
	}
	if u := reports[0].Uncounted; u != nil {
		uncounted = u.Text
	}
	return gaps, uncounted
}

func TestNumbersBeginByADecisionOnRecord(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	d.update(func(tx *sqldb.Tx) error {
		return tx.InsertUser(ctx, &catalog.User{ID: "u-chief", Agency: agency, Login: "chief", Name: "Chief Adams", Role: "administrator", CreatedAt: d.clock.Now(), PasswordChangedAt: d.clock.Now()})
	})
	d.docked(131, 128, 130)
	d.raise(catalog.AlertGap)
	k := d.For(d.chief)
	d.must(k.Begin(ctx, "CAM-1", 128, "used at the academy before"))
	gaps, says := d.neverShown()
	if len(gaps) != 1 || gaps[0] != "number 129" {
		t.Errorf("gaps %v", gaps)
	}
	if want := "numbers below 128 are not counted, by Chief Adams on " + d.clock.Now().UTC().Format("2006-01-02 15:04:05 UTC") + ": used at the academy before"; says != want {
		t.Errorf("it says %q, want %q", says, want)
	}
	e := d.events(evidence.EventCameraBegun)
	if len(e) != 1 || e[0].Actor.ID != "u-chief" || e[0].Object != "camera:CAM-1" || e[0].Reason != "used at the academy before" || e[0].Details["number"] != "128" || e[0].Details["former"] != "1" {
		t.Errorf("events %+v", e)
	}
	stands := func() int64 {
		n, err := d.db.CountAlerts(ctx, catalog.AlertFilter{Agency: agency, Code: catalog.AlertGap, Open: true})
		d.must(err)
		return n
	}
	if stands() != 1 { // 129 is missing still
		t.Error("the alert has ended although a number is missing")
	}
	d.docked(131, 128, 129, 130)
	d.must(k.Begin(ctx, "CAM-1", 128, "129 has come"))
	if cleared := d.events(evidence.EventAlertCleared); stands() != 0 || len(cleared) != 1 || cleared[0].Details["code"] != "sequence_gap" || !strings.Contains(cleared[0].Reason, "count from 128") {
		t.Errorf("%d alerts stand, events %+v", stands(), cleared)
	}
	d.must(k.Begin(ctx, "CAM-1", 1, "that was the other camera"))
	if gaps, says := d.neverShown(); len(gaps) != 1 || gaps[0] != "numbers 1 to 127" || says != "" {
		t.Errorf("taken back: %v, %q", gaps, says)
	}
	if e := d.events(evidence.EventCameraBegun); len(e) != 3 || e[0].Details["former"] != "128" {
		t.Errorf("events %+v", e)
	}
}

func TestABeginningThatCouldHideAGapIsRefused(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	k := d.For(d.chief)
	says := func(number uint64, words string) {
		t.Helper()
		err := k.Begin(ctx, "CAM-1", number, "used before")
		d.is(err, cameras.ErrInput)
		if err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("it says %q, want words like %q", err, words)
		}
	}
	says(1, "shown no numbers of its own")
	d.docked(150, 140)
	says(141, "came with number 140")
	d.docked(128) // it was here when it had 127 recordings
	says(129, "came with number 128, so a recording that is missing from there on was lost here, and beginning at 129 could hide it. Choose 128")
	says(0, "count from 1")
	d.is(k.Begin(ctx, "CAM-1", 128, ""), cameras.ErrInput)
	d.is(k.Begin(ctx, "CAM-1", 128, "line\nbreak"), cameras.ErrInput)
	d.is(k.Begin(ctx, "CAM-9", 1, "used before"), catalog.ErrNotFound)
	if e := d.events(evidence.EventCameraBegun); len(e) != 0 {
		t.Errorf("what was refused is on record as done: %+v", e)
	}
	if gaps, says := d.neverShown(); len(gaps) != 2 || says != "" {
		t.Errorf("gaps %v, %q", gaps, says)
	}
	d.must(k.Begin(ctx, "CAM-1", 128, "used before"))
}
