package cameras

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Entry names one entry of a camera's completeness report: by a number, a path
// or an item, and by the reason where one recording is missing in several ways.
type Entry struct {
	Number uint64 // 0: not named by number
	Path   string // "": not named by path
	Item   evidence.EvidenceID
	Reason ledger.Reason // "": whichever
}

// Settle decides that one entry of a camera's completeness report cannot be
// mended. The report lists it as settled from then on, with who decided, when
// and why. A reason is needed. It returns what was settled. auth.ErrForbidden,
// catalog.ErrNotFound when the report has no such entry, ErrInput.
func (d *Desk) Settle(ctx context.Context, serial string, entry Entry, reason string) (*ledger.Finding, error) {
	if err := errors.Join(checkSerial(serial), checkText("the reason", reason, 1, maxReason)); err != nil {
		return nil, err
	}
	if entry.Number == 0 && entry.Path == "" && entry.Item.IsZero() {
		return nil, fmt.Errorf("%w: name the entry by its number, its path or its item", ErrInput)
	}
	object := evidence.CameraObject(serial)
	if err := d.allow(ctx, auth.SettleFinding, evidence.EventCameraSettled, serial); err != nil {
		return nil, err
	}
	reports, err := d.survey(ctx, serial)
	if err != nil {
		return nil, err
	}
	found, err := pick(&reports[0], &entry)
	if err != nil {
		return nil, err
	}
	row := ledger.Entry(found)
	row.Agency, row.Reason, row.By, row.At = d.Agency, reason, d.by.ID, d.instant()
	details := map[string]string{"finding": string(found.Reason), "text": found.Text}
	for name, text := range map[string]string{"path": found.Path, "first_number": digits(found.Numbers.First), "last_number": digits(found.Numbers.Last)} {
		if text != "" {
			details[name] = text
		}
	}
	if !found.Item.IsZero() {
		details["item"] = found.Item.String()
	}
	return found, d.act(ctx, d.event(evidence.EventCameraSettled, object, reason, details), func(tx *sqldb.Tx) error { return tx.InsertSettlement(ctx, &row) })
}

func digits(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// pick finds the one entry that is meant, and never guesses among several.
func pick(report *ledger.Report, entry *Entry) (*ledger.Finding, error) {
	var found *ledger.Finding
	var others []string
	for i := range report.Missing {
		f := &report.Missing[i]
		switch {
		case !entry.means(f), found != nil && ledger.Entry(found) == ledger.Entry(f):
		case found == nil:
			found = f
		default:
			others = append(others, string(f.Reason))
		}
	}
	switch {
	case found == nil:
		return nil, fmt.Errorf("the completeness report of camera %s has no such entry that is not settled: %w", report.Camera, catalog.ErrNotFound)
	case len(others) > 0:
		return nil, fmt.Errorf("%w: several entries of camera %s fit (%s, %s): name one of them by number or item and by its reason", ErrInput, report.Camera, found.Reason, strings.Join(others, ", "))
	}
	return found, nil
}

func (e *Entry) means(f *ledger.Finding) bool {
	return (e.Number == 0 || f.Numbers.First <= e.Number && e.Number <= f.Numbers.Last) && (e.Path == "" || f.Path == e.Path) &&
		(e.Item.IsZero() || f.Item == e.Item) && (e.Reason == "" || f.Reason == e.Reason)
}
