package custody_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// approved returns a station whose camera is known and approved.
func approved(t testing.TB) *station {
	s := newStation(t)
	s.docked()
	s.decide(catalog.StandingApproved)
	s.docked()
	s.stand("at the start")
	return s
}

func TestNumbersThatWereNeverShown(t *testing.T) {
	s := approved(t)
	s.camera.record(8)
	s.camera.lose(3)
	s.camera.lose(7)
	s.camera.lose(8)
	s.docked()
	s.stand("then", catalog.AlertGap)
	if m := s.alerts()[catalog.AlertGap].Message; !strings.Contains(m, "3 of them") || !strings.Contains(m, "number 3, numbers 7 to 8") {
		t.Errorf("message %q", m)
	}
}

func TestVanishedBetweenTwoDockings(t *testing.T) {
	s := approved(t)
	s.camera.record(4)
	s.store(s.docked())
	s.stand("when all is stored")
	s.camera.record(2)
	s.docked() // 5 and 6 are shown, and are not sent
	s.camera.lose(2)
	s.camera.lose(5)
	s.docked()
	s.stand("then", catalog.AlertVanished)
	if a := s.alerts()[catalog.AlertVanished]; !strings.Contains(a.Message, "CLIP0005") || strings.Contains(a.Message, "CLIP0002") || !strings.Contains(a.Message, "not in the store") {
		t.Errorf("message %q", a.Message)
	}
}

// The dock's word comes later than the next inventory.
func TestAReleaseEndsTheAlertOfWhatVanished(t *testing.T) {
	s := approved(t)
	s.camera.record(2)
	stored := s.store(s.docked())
	s.camera.lose(1)
	s.camera.lose(2)
	s.docked()
	s.stand("before the releases", catalog.AlertVanished)
	s.check(s.release(stored[1]))
	s.stand("after one of two", catalog.AlertVanished)
	if m := s.alerts()[catalog.AlertVanished].Message; !strings.Contains(m, "CLIP0002") || strings.Contains(m, "CLIP0001") {
		t.Errorf("message %q", m)
	}
	s.check(s.release(stored[2]))
	s.stand("after both")
}

func TestReleasedRecordingsAreNotMissed(t *testing.T) {
	s := approved(t)
	s.camera.record(3)
	stored := s.store(s.docked())
	for n := range uint64(3) {
		s.check(s.release(stored[n+1]))
		s.camera.lose(n + 1)
	}
	s.docked()
	s.stand("then")
}

func TestAnErasureWithoutReceiptIsTold(t *testing.T) {
	s := approved(t)
	s.camera.record(1)
	s.docked()
	r := s.dock.Record(t, s.camera.holds[0].Path, bytesOf("x", 10), func(m *evidence.Manifest) { m.Camera = evidence.CameraInfo{Serial: s.camera.serial} })
	if _, err := s.offer(s.peer, r); err != nil {
		t.Fatal(err)
	}
	if err := s.release(r); err == nil {
		t.Fatal("a release without receipt was taken")
	}
	s.stand("then", catalog.AlertErasedBare)
}

func TestTheSignedListingIsHeldAgainstTheDocks(t *testing.T) {
	failed := catalog.AlertCode(evidence.FoundListingFailed)
	for name, c := range map[string]struct {
		spoil func(s *station, v *evidence.Inventory)
		want  string
	}{
		"the dock hides one":          {func(_ *station, v *evidence.Inventory) { v.Recordings = v.Recordings[1:] }, "number 1 (DCIM/100/CLIP0001.MP4)"},
		"the dock tells another hash": {func(_ *station, v *evidence.Inventory) { v.Recordings[0].Signed = &evidence.Digest{1} }, "another hash"},
		"the dock tells another size": {func(_ *station, v *evidence.Inventory) { v.Recordings[0].Size = 7 }, "7 bytes"},
		"the dock invents one":        {func(_ *station, v *evidence.Inventory) { v.Recordings[0].Sequence = 99 }, "number 99"},
		"without a signature":         {func(_ *station, v *evidence.Inventory) { v.Listings = nil }, "missing"},
		"with the proof in its place": {func(_ *station, v *evidence.Inventory) { v.Listings[0] = v.Proof }, "does not hold"},
		"with another next number":    {func(_ *station, v *evidence.Inventory) { v.Next = 9 }, "next number"},
		"with one part twice":         {func(_ *station, v *evidence.Inventory) { v.Listings = append(v.Listings, v.Listings[0]) }, "twice"},
		"signed by another camera": {func(s *station, v *evidence.Inventory) {
			v.Listings[0] = newFakeCamera("other").sign(s.t, evidence.TypeCameraListing, &evidence.CameraListing{Version: 1, Serial: s.camera.serial, Part: 1, Parts: 1, Next: 1})
		}, "does not hold"},
		"signed as another camera's": {func(s *station, v *evidence.Inventory) {
			v.Listings[0] = s.camera.sign(s.t, evidence.TypeCameraListing, &evidence.CameraListing{Version: 1, Serial: "CAM-8", Part: 1, Parts: 1, Next: 1})
		}, "of camera"},
		"without all of its parts": {func(s *station, v *evidence.Inventory) {
			v.Listings[0] = s.camera.sign(s.t, evidence.TypeCameraListing, &evidence.CameraListing{Version: 1, Serial: s.camera.serial, Part: 1, Parts: 2, Next: 3})
		}, "1 of 2 parts"},
		"a recording has lost its own": {func(_ *station, v *evidence.Inventory) {
			v.Recordings[0].Sequence, v.Recordings[0].SequenceSource = 0, ""
		}, "no number"},
	} {
		t.Run(name, func(t *testing.T) {
			s := approved(t)
			s.camera.record(2)
			s.docked(func(v *evidence.Inventory) { c.spoil(s, v) })
			if a := s.alerts()[failed]; !strings.Contains(a.Message, c.want) {
				t.Errorf("alert %q, want one with %q", a.Message, c.want)
			}
		})
	}
}

func TestPartsInAnyOrder(t *testing.T) {
	s := approved(t)
	s.camera.record(6)
	s.docked()
	s.camera.lose(6)
	v := s.inventory(s.dock)
	// The camera signs in two parts, each of which travels with one of the inventory's.
	half := func(part int, from, to int) []byte {
		l := &evidence.CameraListing{Version: 1, Serial: s.camera.serial, Boot: 1, Part: part, Parts: 2, At: v.TakenAt, Next: s.camera.next}
		for _, r := range s.camera.holds[from:to] {
			l.Recordings = append(l.Recordings, evidence.CameraRecording{Sequence: r.Sequence, Name: r.Path, Length: r.Size, SHA256: *r.Signed})
		}
		return s.camera.sign(t, evidence.TypeCameraListing, l)
	}
	first, second := *v, *v
	first.Parts, first.Recordings, first.Listings = 2, v.Recordings[:3], [][]byte{half(1, 0, 4)}
	second.Part, second.Parts, second.Recordings, second.Listings = 2, 2, v.Recordings[3:], [][]byte{half(2, 4, 5)}
	second.Proof, second.Clocks, second.ClockSet, second.Battery = nil, nil, nil, nil
	second.TakenAt = v.TakenAt.Add(3 * time.Millisecond)
	s.send(s.dock, s.peer, &second)
	s.stand("after the second part alone")
	s.send(s.dock, s.peer, &first)
	s.stand("after both", catalog.AlertVanished)
	d, err := s.db.Docking(t.Context(), v.Agency, v.Docking)
	if err != nil || d.Recordings != 5 || !d.Complete() || d.Standing != catalog.StandingApproved || d.Battery != 80 || d.Clock == nil {
		t.Errorf("docking %+v, %v", d, err)
	}
}

func TestShrinkingAndCountingBack(t *testing.T) {
	s := approved(t)
	s.camera.record(3)
	s.docked()
	s.camera.holds[1].Size = 900
	s.docked()
	s.stand("when one is shorter", catalog.AlertShrank)

	s = approved(t)
	s.camera.record(3)
	s.store(s.docked())
	s.camera.holds, s.camera.next = nil, 1
	s.camera.record(1)
	other := evidence.SHA256([]byte("another recording"))
	s.camera.holds[0].Signed, s.camera.holds[0].Path = &other, "DCIM/101/CLIP0001.MP4"
	s.docked()
	s.stand("when the camera was reset", catalog.AlertCountedBack, catalog.AlertNumberReused, catalog.AlertVanished)
}

func TestTwoPlacesAtOneTime(t *testing.T) {
	s := approved(t)
	garage, peer := s.enrol("garage")
	s.camera.record(1)
	v := s.inventory(s.dock)
	s.send(s.dock, s.peer, v)
	w := s.inventory(garage)
	w.TakenAt, w.Clocks.Dock = v.TakenAt.Add(10*time.Minute), v.Clocks.Dock
	s.send(garage, peer, w)
	s.stand("while the first may have been gone")
	r := s.dock.Record(t, "x", bytesOf("x", 10), func(m *evidence.Manifest) {
		m.Camera, m.Docking = evidence.CameraInfo{Serial: s.camera.serial}, v.Docking
		m.Clocks.DockEnd = v.TakenAt.Add(20 * time.Minute)
	})
	if _, err := s.offer(s.peer, r); err != nil {
		t.Fatal(err)
	}
	s.stand("when the first was read afterwards", catalog.AlertCode(evidence.FoundTwin))
}

func TestTheClockIsToldAndForgotten(t *testing.T) {
	s := approved(t)
	wrong := catalog.AlertCode(evidence.FoundClockWrong)
	s.docked(func(v *evidence.Inventory) { v.Clocks.Camera.Ahead = -(77 * time.Minute).Microseconds() })
	s.stand("when it was wrong", wrong)
	if a := s.alerts()[wrong]; !strings.Contains(a.Message, "1h17m0s behind") || a.Severity != catalog.SeverityNotice {
		t.Errorf("alert %+v", a)
	}
	s.docked()
	s.stand("when it is right")
	s.docked(func(v *evidence.Inventory) { // dock and camera are wrong together
		v.Clocks.Camera.Ahead, v.Clocks.Dock.Ahead = 0, (10 * time.Minute).Microseconds()
	})
	s.stand("when the dock is wrong too", wrong)
}

func TestAJournalThatWentBack(t *testing.T) {
	s := approved(t)
	stale := catalog.AlertCode(evidence.FoundStaleJournal)
	late := s.inventory(s.dock) // sent after the next one
	s.docked()
	s.send(s.dock, s.peer, late)
	s.stand("when an older one comes late")
	again := s.inventory(s.dock) // a camera that stays in its bay while others come, and is listed anew
	s.send(s.dock, s.peer, again)
	s.docked()
	again.TakenAt = again.TakenAt.Add(time.Hour)
	s.send(s.dock, s.peer, again)
	s.stand("when a docking of before is listed anew")
	s.journal -= 2
	s.docked()
	s.stand("when it counts again", stale)
	if a := s.alerts()[stale]; a.Object != evidence.DockObject("front-desk") {
		t.Errorf("alert %+v", a)
	}
}

func TestFindingsOfTheDockAreAlerts(t *testing.T) {
	s := approved(t)
	s.docked(func(v *evidence.Inventory) {
		v.Findings = []evidence.Finding{{Code: evidence.FoundOddDescriptors, Message: "it shows a keyboard"}, {Code: "something_new", Message: "x"}}
	})
	s.stand("then", catalog.AlertCode(evidence.FoundOddDescriptors), "something_new")
}

func TestADockingOfAnotherDockIsNotTouched(t *testing.T) {
	s := approved(t)
	d := s.docked()
	garage, peer := s.enrol("garage")
	v := s.inventory(garage)
	v.Docking = d.ID
	s.send(garage, peer, v)
	s.stand("then", catalog.AlertDockingReused)
	after, err := s.db.Docking(t.Context(), d.Agency, d.ID)
	if err != nil || after.Dock != "front-desk" || !after.At.Equal(d.At) {
		t.Errorf("docking %+v, %v", after, err)
	}
}

// One recording, read by the extension at one docking and as a plain PTP camera
// at the next, is one recording.
func TestAnotherDoorMakesNoOtherRecording(t *testing.T) {
	s := approved(t)
	s.camera.record(2)
	s.docked()
	s.docked(func(v *evidence.Inventory) {
		v.Camera.Access, v.Listings, v.Next = evidence.AccessPTP, nil, 0
		for i := range v.Recordings {
			v.Recordings[i].Sequence, v.Recordings[i].SequenceSource, v.Recordings[i].Signed = 0, "", nil
		}
	})
	s.stand("then")
	n, err := s.db.CountShown(t.Context(), "springfield", s.camera.serial)
	if err != nil || n != 2 {
		t.Errorf("%d recordings in the ledger, %v; want 2", n, err)
	}
}
