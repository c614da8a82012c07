package catalogtest

import (
	"context"
	"reflect"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// see adds a camera.
func (s suite) see(serial string) *catalog.Camera {
	s.Helper()
	camera := &catalog.Camera{Agency: Agency, Serial: serial, Vendor: "V", Model: "M", Firmware: "1", LastSeenAt: s.clock.Now(), LastDock: "front-desk", LastBay: "1-1",
		Access: evidence.AccessExtension, Claimed: "metro-pd"}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.CameraSeen(ctx, camera) })
	return camera
}

func cameras(s suite) {
	item := s.insert(NewItem(1, s.clock.Now()))
	camera := s.see(item.Camera)
	first := s.clock.Now()
	s.clock.Advance(time.Hour)
	camera.Firmware, camera.LastSeenAt, camera.LastBay, camera.Access = "2", s.clock.Now(), "1-2", evidence.AccessPTP
	key := make([]byte, 32)
	alert := &catalog.Alert{Agency: Agency, Code: catalog.AlertGap, Severity: catalog.SeverityUrgent, Object: evidence.CameraObject(item.Camera), LastAt: s.clock.Now()}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.CameraSeen(ctx, camera); err != nil {
			return err
		}
		if err := tx.SetCameraStanding(ctx, Agency, item.Camera, catalog.StandingPending, key); err != nil {
			return err
		}
		if _, err := tx.RaiseAlert(ctx, alert); err != nil {
			return err
		}
		return tx.InsertAssignment(ctx, &catalog.Assignment{Agency: Agency, Camera: item.Camera, From: s.clock.Now(), Officer: "Ada", OfficerID: "B1", By: "u", At: s.clock.Now()})
	})
	got, err := s.db.Camera(s.Context(), Agency, item.Camera)
	s.must(err)
	want := *camera
	want.FirstSeenAt, want.Items, want.Standing, want.Key, want.OpenAlerts, want.Wearer, want.WearerID = first, 1, catalog.StandingPending, key, 1, "Ada", "B1"
	if !reflect.DeepEqual(*got, want) {
		s.Errorf("camera: got %+v, want %+v", *got, want)
	}
	all, err := s.db.Cameras(s.Context(), Agency)
	s.must(err)
	is(s, "cameras", len(all), 1)
	_, err = s.db.Camera(s.Context(), "county", item.Camera)
	s.isError(err, catalog.ErrNotFound)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetCameraStanding(ctx, Agency, "nobody", catalog.StandingPending, nil)
	})
}

func cameraHolds(s suite) {
	s.see("C")
	end := func(ctx context.Context, tx *sqldb.Tx) error { return tx.EndCameraHold(ctx, Agency, "C") }
	s.refused(catalog.ErrConflict, end)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.HoldCamera(ctx, Agency, "D", "case 7", "u1", s.clock.Now())
	})
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.HoldCamera(ctx, Agency, "C", "case 7", "u1", s.clock.Now())
	})
	s.see("C") // being seen again ends no hold
	got, err := s.db.Camera(s.Context(), Agency, "C")
	s.must(err)
	is(s, "held at", got.HeldAt, s.clock.Now())
	is(s, "held by", got.HeldBy, "u1")
	is(s, "reason", got.HoldReason, "case 7")
	s.update(end)
	got, err = s.db.Camera(s.Context(), Agency, "C")
	s.must(err)
	is(s, "held", got.HeldAt.IsZero() && got.HoldReason == "" && got.HeldBy == "", true)
}

func cameraKeys(s suite) {
	key := append(make([]byte, 31), 9)
	see := func() (row *catalog.CameraKey) {
		s.update(func(ctx context.Context, tx *sqldb.Tx) (err error) {
			row, err = tx.CameraKeySeen(ctx, &catalog.CameraKey{Agency: Agency, Camera: "C", Key: key, LastSeenAt: s.clock.Now(), Standing: catalog.StandingPending})
			return err
		})
		return row
	}
	first := s.clock.Now()
	is(s, "standing of a new key", see().Standing, catalog.StandingPending)
	s.clock.Advance(time.Hour)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DecideCameraKey(ctx, Agency, "C", key, catalog.StandingApproved, "u1", "bought in May", s.clock.Now(), []byte("certificate"))
	})
	decided := s.clock.Now()
	s.clock.Advance(time.Hour)
	got := see()
	want := &catalog.CameraKey{Agency: Agency, Camera: "C", Key: key, FirstSeenAt: first, LastSeenAt: s.clock.Now(), Standing: catalog.StandingApproved,
		DecidedBy: "u1", DecidedAt: decided, Reason: "bought in May", Certificate: []byte("certificate")}
	if !reflect.DeepEqual(got, want) {
		s.Errorf("key: got %+v, want %+v", got, want)
	}
	key = append(make([]byte, 31), 10)
	is(s, "standing of another key", see().Standing, catalog.StandingPending)
	all, err := s.db.CameraKeys(s.Context(), Agency, "C")
	s.must(err)
	is(s, "keys", len(all), 2)
	pending, err := s.db.CameraKeysIn(s.Context(), Agency, catalog.StandingPending)
	s.must(err)
	is(s, "pending keys", len(pending), 1)
	theirs, err := s.db.CameraKeys(s.Context(), "county", "C")
	s.must(err)
	is(s, "keys in another agency", len(theirs), 0)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DecideCameraKey(ctx, Agency, "C", []byte("none"), catalog.StandingBlocked, "u1", "", s.clock.Now(), nil)
	})
}

func assignments(s suite) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 6, 0, 0, 0, time.UTC) }
	assign := func(from, until time.Time, officer string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertAssignment(ctx, &catalog.Assignment{Agency: Agency, Camera: "C", From: from, Until: until, Officer: officer, OfficerID: "id-" + officer, By: "u1", At: s.clock.Now()})
		}
	}
	s.update(assign(day(10), time.Time{}, "Ada"))
	for _, span := range [][2]time.Time{{day(10), {}}, {day(11), day(12)}, {day(9), day(11)}, {day(9), {}}} {
		s.refused(catalog.ErrConflict, assign(span[0], span[1], "Bob"))
	}
	s.update(assign(day(5), day(10), "Bob")) // ends when the other begins
	var was *catalog.Assignment
	end := func(at time.Time) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) (err error) {
			was, err = tx.EndAssignment(ctx, Agency, "C", at)
			return err
		}
	}
	s.update(end(day(20)))
	is(s, "whose it was", was.Officer, "Ada")
	s.refused(catalog.ErrNotFound, end(day(21)))
	s.update(assign(day(20), time.Time{}, "Cy"))
	for at, want := range map[time.Time]string{day(4): "", day(5): "Bob", day(9): "Bob", day(10): "Ada", day(19): "Ada", day(20): "Cy", day(30): "Cy"} {
		got, err := s.db.AssignmentAt(s.Context(), Agency, "C", at)
		switch {
		case want == "":
			s.isError(err, catalog.ErrNotFound)
		case err != nil || got.Officer != want || got.OfficerID != "id-"+want || !got.Covers(at):
			s.Errorf("at %v: %+v, %v; want %s", at, got, err, want)
		}
	}
	s.update(end(day(20))) // one that never was in force leaves room for another
	s.update(assign(day(20), time.Time{}, "Cy"))
	all, err := s.db.Assignments(s.Context(), Agency, "C")
	s.must(err)
	is(s, "assignments", len(all), 3)
	is(s, "the newest", all[0].Officer, "Cy")
	is(s, "its end", all[0].Until.IsZero(), true)
	is(s, "the end of the one before", all[1].Until, day(20))
}

func laterAssignment(s suite) {
	item := NewItem(1, s.clock.Now())
	item.Wearer, item.WearerID = "", ""
	unknown := NewItem(11, s.clock.Now()) // of the same camera, recorded nobody knows when
	unknown.Wearer, unknown.WearerID, unknown.StartedAt, unknown.CorrectedAt = "", "", time.Time{}, time.Time{}
	s.insert(item, unknown)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.InsertAssignment(ctx, &catalog.Assignment{Agency: Agency, Camera: item.Camera, From: item.CorrectedAt, Officer: "Grace Ö.", OfficerID: "B9", At: s.clock.Now()})
	})
	is(s, "wearer", s.item(item.ID).Wearer, "Grace Ö.")
	is(s, "wearer of the unknown", s.item(unknown.ID).Wearer, "")
	for text, want := range map[string]int{"grace ö.": 1, "b9": 1, "nobody": 0} {
		is(s, "found for "+text, len(s.list(catalog.ItemFilter{Agency: Agency, Text: text}, catalog.NewestArrival, 10)), want)
	}
	is(s, "found by wearer", len(s.list(catalog.ItemFilter{Agency: Agency, Officer: "B9"}, catalog.NewestArrival, 10)), 1)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.EndAssignment(ctx, Agency, item.Camera, item.CorrectedAt)
		return err
	})
	is(s, "wearer afterwards", s.item(item.ID).Wearer, "")
	is(s, "found afterwards", len(s.list(catalog.ItemFilter{Agency: Agency, Text: "b9"}, catalog.NewestArrival, 10)), 0)
}
