package dashboard_test

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// seen is what a test lets a dock tell of a camera.
type seen struct {
	serial, vendor, model, firmware string
	standing                        catalog.Standing
	dock                            evidence.DockID
	station                         evidence.StationID
	bay                             string
	at                              time.Time
	battery                         int
	ahead, uncertain                time.Duration // of the camera's clock; 0 and 0: not measured
	set                             bool
	next                            uint64
	shows                           []string // paths; their numbers count from 1
	findings                        []evidence.Finding
}

// clipOf is what a camera has recorded under a path.
func clipOf(serial, path string) []byte { return []byte(strings.Repeat(serial+path, 3000)) }

// keyOf is a camera's key, made from its serial.
func keyOf(serial string) ed25519.PublicKey {
	seed := evidence.SHA256([]byte(serial))
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// show enters one docking into the catalog, as a dock's inventory would.
func (s *site) show(t *testing.T, v seen) evidence.DockingID {
	t.Helper()
	docking := &catalog.Docking{Agency: readingtest.Agency, ID: evidence.NewDockingID(), Dock: v.dock, Station: v.station, Bay: v.bay, Camera: v.serial, Access: evidence.AccessExtension,
		Standing: v.standing, TakenAt: v.at, At: v.at, LastAt: v.at.Add(12 * time.Minute), ReceivedAt: v.at.Add(time.Second), Battery: v.battery, Findings: v.findings, CameraRaw: "20261122T084511",
		Next: v.next, Recordings: len(v.shows), Parts: 1, PartsSeen: 1}
	var key []byte
	if v.standing != catalog.StandingKeyless && v.standing != "" {
		key = keyOf(v.serial)
	}
	docking.Key = key
	if v.uncertain > 0 {
		docking.Clock = &evidence.Offset{At: v.at, Ahead: v.ahead.Microseconds(), Uncertainty: v.uncertain.Microseconds(), Exchanges: 8}
		docking.DockClock = &evidence.Offset{At: v.at, Ahead: 1200, Uncertainty: 900, Exchanges: 8}
		if v.set {
			docking.ClockSet = &evidence.Offset{At: v.at, Ahead: 2100, Uncertainty: 38_000, Exchanges: 8}
		}
	}
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		err := tx.CameraSeen(ctx, &catalog.Camera{Agency: readingtest.Agency, Serial: v.serial, Vendor: v.vendor, Model: v.model, Firmware: v.firmware, LastSeenAt: v.at, LastDock: v.dock, LastBay: v.bay, Access: evidence.AccessExtension})
		if err != nil {
			return err
		}
		if err := tx.PutDocking(ctx, docking); err != nil {
			return err
		}
		if key != nil {
			stands := v.standing
			if stands != catalog.StandingApproved && stands != catalog.StandingBlocked {
				stands = catalog.StandingPending
			}
			if _, err := tx.CameraKeySeen(ctx, &catalog.CameraKey{Agency: readingtest.Agency, Camera: v.serial, Key: key, LastSeenAt: v.at, Standing: stands}); err != nil {
				return err
			}
		}
		for i, path := range v.shows {
			shown := &catalog.Shown{Agency: readingtest.Agency, Camera: v.serial, Path: path, Kind: evidence.KindVideo, CapturedRaw: "20261122T135101", LastDocking: docking.ID, LastAt: v.at, LastSize: uint64(len(clipOf(v.serial, path)))}
			shown.Place = catalog.Place(&evidence.RecordingInfo{Path: path, CapturedRaw: shown.CapturedRaw})
			if v.next > 0 {
				shown.Sequence, shown.SequenceSource = uint64(i+1), evidence.SequenceFromCamera
				shown.Place = catalog.Place(&evidence.RecordingInfo{Sequence: shown.Sequence, SequenceSource: evidence.SequenceFromCamera})
			}
			if err := tx.Show(ctx, shown); err != nil {
				return err
			}
		}
		if err := tx.Vanish(ctx, readingtest.Agency, v.serial, docking.ID, v.at); err != nil {
			return err
		}
		return tx.SetCameraStanding(ctx, readingtest.Agency, v.serial, v.standing, key)
	})
	return docking.ID
}

// raise raises an alert and returns its id.
func (s *site) raise(t *testing.T, code catalog.AlertCode, severity catalog.Severity, object, message string) string {
	t.Helper()
	a := &catalog.Alert{Agency: readingtest.Agency, Code: code, Severity: severity, Object: object, Message: message, LastAt: s.Clock.Now()}
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error { _, err := tx.RaiseAlert(ctx, a); return err })
	return a.ID
}

// operator returns a browser with a session of somebody who is no administrator.
func (s *site) operator(t *testing.T) *http.Client {
	t.Helper()
	if _, err := s.Auth.AddUser(t.Context(), auth.Person{Login: "j.doe", Name: "Jun Doe", Password: "harbour bridge candle nine"}, auth.Operator,
		evidence.Actor{Kind: "server", ID: "local"}, auth.Origin{Address: "192.0.2.8"}); err != nil {
		t.Fatal(err)
	}
	token, err := s.Auth.SignIn(t.Context(), "j.doe", "harbour bridge candle nine", "", auth.Origin{Address: "192.0.2.8"})
	if err != nil {
		t.Fatal(err)
	}
	client := s.client(t)
	s.give(t, client, token)
	return client
}

// garage fills the store with cameras of every kind, some days after each other.
func (s *site) garage(t *testing.T) {
	t.Helper()
	now := s.Clock.Now()
	clips := func(from, to int) (paths []string) {
		for i := from; i <= to; i++ {
			paths = append(paths, "DCIM/100SEALD/CLIP"+strings.Repeat("0", 3)+string(rune('0'+i))+".MP4")
		}
		return paths
	}
	keep := func(serial string, paths ...string) {
		for _, path := range paths {
			s.Keep(t, readingtest.Recording{Path: path, Camera: serial, Model: "Sealdock Sim 2", Content: clipOf(serial, path)})
		}
	}
	base := seen{vendor: "Sealdock", model: "Sealdock Sim 2", firmware: "2.4.1", standing: catalog.StandingApproved, dock: "front-desk", station: "north", bay: "1-2", battery: 81, ahead: 240 * time.Millisecond, uncertain: 36 * time.Millisecond, set: true}
	with := func(change func(*seen)) seen { v := base; change(&v); return v }

	keep("SD-04412", clips(1, 4)...)
	s.show(t, with(func(v *seen) { v.serial, v.at, v.shows, v.next = "SD-04412", now.Add(-50*time.Hour), clips(1, 3), 4 }))
	s.show(t, with(func(v *seen) {
		v.serial, v.at, v.shows, v.next, v.bay, v.battery = "SD-04412", now.Add(-26*time.Minute), clips(1, 4), 5, "1-3", 64
	}))
	keep("SD-04409", clips(1, 2)...)
	s.show(t, with(func(v *seen) {
		v.serial, v.at, v.shows, v.next = "SD-04409", now.Add(-49*time.Hour), clips(1, 5), 6
	}))
	s.show(t, with(func(v *seen) {
		v.serial, v.at, v.shows, v.next, v.battery, v.bay = "SD-04409", now.Add(-3*time.Hour), clips(1, 3), 8, 17, "1-1"
		v.ahead, v.uncertain = -(77*time.Minute + 4*time.Second), 210*time.Millisecond
		v.findings = []evidence.Finding{{Code: evidence.FoundClockWrong, Message: "the camera's clock was 1h17m4s behind"}}
	}))
	s.show(t, with(func(v *seen) {
		v.serial, v.at, v.standing, v.dock, v.bay, v.battery, v.set = "SD-04433", now.Add(-8*time.Minute), catalog.StandingPending, "garage", "2-2", 100, false
	}))
	s.show(t, with(func(v *seen) {
		v.serial, v.at, v.standing, v.dock, v.bay = "SD-04401", now.Add(-70*time.Minute), catalog.StandingChanged, "garage", "2-1"
		v.findings = []evidence.Finding{{Code: evidence.FoundKeyChanged, Message: "the key is not the one of the last docking"}}
	}))
	s.show(t, with(func(v *seen) {
		v.serial, v.at, v.standing, v.vendor, v.model, v.firmware = "MC-7781", now.Add(-4*time.Hour), catalog.StandingForeign, "Metro", "Patrol 3", "1.0"
	}))
	s.show(t, with(func(v *seen) {
		v.serial, v.at, v.standing, v.model, v.firmware, v.battery, v.uncertain, v.ahead = "0000A8F2", now.Add(-27*time.Hour), catalog.StandingKeyless, "Clip-on 1080", "", -1, 0, 0
		v.vendor = ""
		v.shows = []string{"DCIM/IMG_0001.MOV"}
	}))
	keep("0000A8F2", "DCIM/IMG_0001.MOV")
	for i, serial := range []string{"SD-04418", "SD-04420", "SD-04421"} {
		keep(serial, clips(1, 2)...)
		s.show(t, with(func(v *seen) {
			v.serial, v.at, v.shows, v.next, v.dock, v.station, v.bay = serial, now.Add(-time.Duration(5+i)*time.Hour), clips(1, 2), 3, "pier-4", "harbour", "1-1"
		}))
	}
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		for _, a := range []catalog.Assignment{
			{Camera: "SD-04409", From: now.Add(-400 * time.Hour), Until: now.Add(-60 * time.Hour), Officer: "Tomasz Brandt", OfficerID: "B-1187"},
			{Camera: "SD-04409", From: now.Add(-60 * time.Hour), Officer: "Ines Okafor", OfficerID: "B-2210"},
			{Camera: "SD-04412", From: now.Add(-900 * time.Hour), Officer: "Mirela Santos", OfficerID: "B-0932"},
			{Camera: "SD-04418", From: now.Add(-300 * time.Hour), Officer: "Aaron Whitfield", OfficerID: "B-1450"},
		} {
			a.Agency, a.By, a.At = readingtest.Agency, "local", a.From
			if err := tx.InsertAssignment(ctx, &a); err != nil {
				return err
			}
		}
		return tx.HoldCamera(ctx, readingtest.Agency, "SD-04420", "Case 26-1178: kept for the defence’s expert", "local", now.Add(-20*time.Hour))
	})
	s.raise(t, catalog.AlertCode(evidence.FoundKeyUnknown), catalog.SeverityWarning, evidence.CameraObject("SD-04433"), "the key of camera SD-04433 ("+evidence.KeyID(keyOf("SD-04433")).String()+") waits for approval. Nothing is erased from it until then")
	s.raise(t, catalog.AlertVanished, catalog.SeverityUrgent, evidence.CameraObject("SD-04409"), "2 recordings that camera SD-04409 had shown are gone from it, and are not in the store: DCIM/100SEALD/CLIP0004.MP4, DCIM/100SEALD/CLIP0005.MP4")
	s.raise(t, catalog.AlertCode(evidence.FoundClockWrong), catalog.SeverityNotice, evidence.CameraObject("SD-04409"), "the clock of camera SD-04409 was 1h17m4s behind when it was docked. The dock has set it; recordings show the corrected time beside the camera's")
	s.raise(t, catalog.AlertCode(evidence.FoundKeyChanged), catalog.SeverityUrgent, evidence.CameraObject("SD-04401"), "camera SD-04401 came with another key than the one that is approved. Nothing is erased from it until somebody decides")
	s.raise(t, catalog.AlertCode(evidence.FoundStaleJournal), catalog.SeverityUrgent, evidence.DockObject("pier-4"), "dock pier-4 counts its dockings from 12 again, and had counted to 4711 before")
}
