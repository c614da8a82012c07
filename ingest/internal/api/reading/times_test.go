package reading_test

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAWrongClockIsCorrectedBesideWhatItSaid(t *testing.T) {
	s := readingtest.New(t)
	s.Enrol(t, "north", "front-desk")
	actor := s.Actor(t, s.SetUp(t))
	really := s.Clock.Now().Add(-3 * time.Hour)
	// It has lost 23.1 parts per million since, a quarter of a second.
	raw := really.Add(readingtest.Ahead + 249*time.Millisecond)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one"), Began: raw, Ended: raw.Add(5 * time.Minute), Adjust: readingtest.WrongClock})
	v, err := s.Reading.View(t.Context(), actor, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Item.StartedAt.Equal(raw) || !v.Manifest.Claims.StartedAt.Equal(raw) {
		t.Errorf("what the camera said was changed: %v", v.Item.StartedAt)
	}
	if v.Times.Began == nil || v.Times.Ended == nil {
		t.Fatal("nothing was corrected")
	}
	// The dock is 0.83 s behind the server.
	if off := v.Times.Began.At.Sub(really.Add(830 * time.Millisecond)); off.Abs() > v.Times.Began.Uncertainty || v.Times.Began.Uncertainty > time.Second {
		t.Errorf("it is off by %v, with an uncertainty of %v", off, v.Times.Began.Uncertainty)
	}
	if length := v.Times.Ended.At.Sub(v.Times.Began.At); (length - 5*time.Minute).Abs() > time.Second {
		t.Errorf("five minutes became %v", length)
	}
	without := s.Keep(t, readingtest.Recording{Path: "DCIM/2.MP4", Content: []byte("two"), Began: raw})
	if v, err = s.Reading.View(t.Context(), actor, without.ID); err != nil {
		t.Fatal(err)
	}
	if v.Times.Began != nil || v.Times.Ended != nil {
		t.Errorf("a clock that nobody measured was corrected: %+v", v.Times)
	}
}

func TestAHashThatTheCameraSignedCountsAsItsCheck(t *testing.T) {
	s := readingtest.New(t)
	s.Enrol(t, "north", "front-desk")
	actor := s.Actor(t, s.SetUp(t))
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one"), Adjust: readingtest.WrongClock})
	v, err := s.Reading.View(t.Context(), actor, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	camera := v.Checks[0]
	if camera.Place != reading.AtCamera || camera.Verdict != reading.Equal || camera.SHA256 == nil || *camera.SHA256 != item.SHA256 || camera.MerkleRoot != nil {
		t.Errorf("the camera's check is %+v", camera)
	}
	if v.Manifest.Confirmed != evidence.ConfirmedByCamera {
		t.Errorf("it was confirmed by %q", v.Manifest.Confirmed)
	}
}
