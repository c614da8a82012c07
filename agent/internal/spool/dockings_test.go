package spool

import (
	"testing"

	"github.com/sealdock/sealdock/proto/evidence"
)

func TestDockingsAreCountedOverRestartsAndNeverBackwards(t *testing.T) {
	s := open(t, options(t.TempDir()))
	for want := range uint64(3) {
		if n, err := s.NextDocking(t.Context()); err != nil || n != want+1 {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if _, err := s.Distrust(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	if n, err := s.Dockings(t.Context()); err != nil || n != 3 {
		t.Errorf("counted %d, %v", n, err)
	}
	if n, err := s.NextDocking(t.Context()); err != nil || n != 4 {
		t.Errorf("after a restart: %d, %v", n, err)
	}
	if _, err := s.Distrust(t.Context(), 90); err != nil {
		t.Fatal(err)
	}
	if n, err := s.NextDocking(t.Context()); err != nil || n != 91 {
		t.Errorf("after the server had seen 90: %d, %v", n, err)
	}
}

func TestUrgentRecordingsComeFirst(t *testing.T) {
	s := open(t, options(t.TempDir()))
	var ids []evidence.EvidenceID
	for _, path := range []string{"A.MP4", "B.MP4", "C.MP4"} {
		ids = append(ids, spooled(t, s, Source{Serial: "CAM-1", Path: path, Size: 10, Captured: "20261101T100000"}).Evidence)
	}
	if err := s.Hasten(t.Context(), ids[1], evidence.NewEvidenceID()); err != nil {
		t.Fatal(err)
	}
	order := func() string {
		rows, err := s.Waiting(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, r := range rows {
			out += r.Source.Path[:1]
		}
		return out
	}
	if got := order(); got != "BAC" {
		t.Error(got)
	}
	if urgent, err := s.Urgent(t.Context(), ids[1]); err != nil || !urgent {
		t.Error(urgent, err)
	}
	if err := s.Unhasten(t.Context(), ids[1]); err != nil {
		t.Fatal(err)
	}
	if got := order(); got != "ABC" {
		t.Error(got)
	}
}
