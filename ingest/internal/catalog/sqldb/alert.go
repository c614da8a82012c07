package sqldb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const alertColumns = "agency, id, code, severity, object, station, about, message, raised_at, last_at, count, acknowledged_by, acknowledged_at, cleared_at"

func scanAlert(s scanner, a *catalog.Alert) error {
	return s.Scan(&a.Agency, &a.ID, &a.Code, &a.Severity, &a.Object, &a.Station, &a.About, &a.Message, timeInto{&a.RaisedAt}, timeInto{&a.LastAt}, &a.Count,
		&a.AcknowledgedBy, timeInto{&a.AcknowledgedAt}, timeInto{&a.ClearedAt})
}

func alertWhere(f *catalog.AlertFilter) *where {
	var w where
	w.and("agency = ?", f.Agency)
	w.andIf("object", f.Object)
	w.andIf("code", string(f.Code))
	if f.Open {
		w.and("cleared_at = 0 AND acknowledged_at = 0")
	}
	withinStations(&w, f.Within)
	if !f.BeforeAt.IsZero() {
		w.and("raised_at <= ?", micros(f.BeforeAt))
		w.and("(raised_at < ? OR id < ?)", micros(f.BeforeAt), clean(f.BeforeID))
	}
	return &w
}

// Alerts returns the newest alerts that fit, last raised first.
func (r *Reader) Alerts(ctx context.Context, f catalog.AlertFilter, limit int) ([]catalog.Alert, error) {
	w := alertWhere(&f)
	return list(ctx, r, "alerts", scanAlert, fmt.Sprintf("SELECT %s FROM alerts %s ORDER BY raised_at DESC, id DESC LIMIT %d", alertColumns, w, page(limit)), w.args...)
}

// CountAlerts counts the alerts that fit.
func (r *Reader) CountAlerts(ctx context.Context, f catalog.AlertFilter) (int64, error) {
	var n int64
	w := alertWhere(&f)
	err := r.one(ctx, "the number of alerts", func(s scanner) error { return s.Scan(&n) }, "SELECT count(*) FROM alerts"+w.String(), w.args...)
	return n, err
}

// Alert returns an alert. catalog.ErrNotFound.
func (r *Reader) Alert(ctx context.Context, agency evidence.AgencyID, id string) (*catalog.Alert, error) {
	return get(ctx, r, "an alert", scanAlert, "SELECT "+alertColumns+" FROM alerts WHERE agency = $1 AND id = $2", agency, clean(id))
}

// RaiseAlert raises an alert at a.LastAt, or counts up the one of the same code,
// object and subject that stands. One that was acknowledged opens again when
// its message has changed. Its station is that of the dock, of the camera's last dock
// or of the item that it is about; while it stands it moves with dock and camera. It
// fills in the row as it is now, and says whether people have something new to look at.
func (tx *Tx) RaiseAlert(ctx context.Context, a *catalog.Alert) (fresh bool, err error) {
	const what = "raising an alert"
	station, err := tx.stationOf(ctx, a.Agency, a.Object)
	if err != nil {
		return false, err
	}
	standing, err := list(ctx, &tx.Reader, "standing alerts", scanAlert, "SELECT "+alertColumns+` FROM alerts
		WHERE agency = $1 AND object = $2 AND code = $3 AND about = $4 AND cleared_at = 0`, a.Agency, clean(a.Object), a.Code, clean(a.About))
	if err != nil {
		return false, err
	}
	if len(standing) == 0 {
		var id [16]byte
		rand.Read(id[:]) // never fails: crypto/rand ends the program instead
		a.ID, a.RaisedAt, a.Count = hex.EncodeToString(id[:]), a.LastAt, 1
		a.Station = station
		_, err := tx.change(ctx, what, "INSERT INTO alerts ("+alertColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 1, '', 0, 0)",
			a.Agency, a.ID, a.Code, a.Severity, clean(a.Object), clean(string(a.Station)), clean(a.About), clean(a.Message), micros(a.LastAt))
		return true, err
	}
	old := standing[0]
	message, at := clean(a.Message), a.LastAt
	fresh = !old.AcknowledgedAt.IsZero() && old.Message != message
	*a = old
	a.Message, a.LastAt, a.Count = message, at, old.Count+1
	a.Station = station
	if fresh {
		a.AcknowledgedBy, a.AcknowledgedAt = "", time.Time{}
	}
	_, err = tx.change(ctx, what, `UPDATE alerts SET message = $3, last_at = $4, count = count + 1, acknowledged_by = $5, acknowledged_at = $6, station = $7
		WHERE agency = $1 AND id = $2`, a.Agency, a.ID, a.Message, micros(at), a.AcknowledgedBy, micros(a.AcknowledgedAt), clean(string(a.Station)))
	return fresh, err
}

// stationOf returns the station of what an event or an alert is about, "" of what has
// none.
func (r *Reader) stationOf(ctx context.Context, agency evidence.AgencyID, object string) (station evidence.StationID, err error) {
	kind, id, _ := strings.Cut(clean(object), ":")
	query := map[string]string{
		"dock":   "SELECT station FROM docks WHERE agency = $1 AND id = $2",
		"camera": "SELECT docks.station FROM cameras JOIN docks ON docks.agency = cameras.agency AND docks.id = cameras.last_dock WHERE cameras.agency = $1 AND cameras.serial = $2",
		"item":   "SELECT station FROM items WHERE agency = $1 AND id = $2",
	}[kind]
	if query == "" {
		return "", nil
	}
	err = r.one(ctx, "the station of "+kind+" "+id, func(s scanner) error { return s.Scan(&station) }, query, agency, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return "", nil
	}
	return station, err
}

// moveAlerts gives the standing alerts about a dock, and about the cameras that were
// docked there last, the station where it is now.
func (tx *Tx) moveAlerts(ctx context.Context, agency evidence.AgencyID, dock evidence.DockID, station evidence.StationID) error {
	_, err := tx.change(ctx, "moving alerts to a station", `UPDATE alerts SET station = $3 WHERE agency = $1 AND cleared_at = 0 AND station <> $3
		AND (object = 'dock:' || $2 OR object IN (SELECT 'camera:' || serial FROM cameras WHERE agency = $1 AND last_dock = $2))`, agency, dock, station)
	return err
}

// moveCameraAlerts does so for those about one camera.
func (tx *Tx) moveCameraAlerts(ctx context.Context, agency evidence.AgencyID, serial string) error {
	object := clean(evidence.CameraObject(serial))
	station, err := tx.stationOf(ctx, agency, object)
	if err == nil {
		_, err = tx.change(ctx, "moving alerts to a station", "UPDATE alerts SET station = $3 WHERE agency = $1 AND object = $2 AND cleared_at = 0 AND station <> $3", agency, object, station)
	}
	return err
}

// AcknowledgeAlert notes who has looked at an alert. catalog.ErrConflict when
// somebody has already, or when it is over.
func (tx *Tx) AcknowledgeAlert(ctx context.Context, agency evidence.AgencyID, id, by string, at time.Time) error {
	return tx.exec(ctx, "acknowledging an alert", catalog.ErrConflict,
		"UPDATE alerts SET acknowledged_by = $3, acknowledged_at = $4 WHERE agency = $1 AND id = $2 AND acknowledged_at = 0 AND cleared_at = 0",
		agency, clean(id), clean(by), micros(at))
}

// ClearAlerts ends the standing alerts of a code about an object, only those
// about one thing of it unless about is "", and returns how many there were.
func (tx *Tx) ClearAlerts(ctx context.Context, agency evidence.AgencyID, code catalog.AlertCode, object, about string, at time.Time) (int64, error) {
	return tx.change(ctx, "clearing alerts", `UPDATE alerts SET cleared_at = $5
		WHERE agency = $1 AND object = $2 AND code = $3 AND ($4 = '' OR about = $4) AND cleared_at = 0`, agency, clean(object), code, clean(about), micros(at))
}
