package dashboard_test

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

// roomsDay is what people did with docks, and said of a recording, on the day of fill.
func (s *site) roomsDay(t *testing.T, boss *auth.Actor, item evidence.EvidenceID) {
	t.Helper()
	desk := s.Fleet.DocksFor(boss)
	s.Enrol(t, "harbour", "spare")
	_, _, err := desk.MakeToken(t.Context(), "north", "lobby", 24*time.Hour)
	if err == nil {
		_, _, err = desk.MakeToken(t.Context(), "north", "front-desk", time.Hour)
	}
	if err == nil {
		err = desk.SetEnabled(t.Context(), "pier-4", false, "stolen")
	}
	if err != nil {
		t.Fatal(err)
	}
	for n, c := range []annotate.Change{
		{Title: new("Foot pursuit at the pier"), Category: new("Pursuit"), Tags: &[]string{"k9", "juvenile"}, Incident: new("26-1184"), Place: new("Pier 4, harbour"), Note: new("Second officer joins at 00:04.\nSee the report."), Reason: "By the report"},
		{Title: new("Foot pursuit, pier 4"), Incident: new("26-1185")},
	} {
		c.Version = new(int64(n))
		if _, err := s.Annotate.Apply(t.Context(), boss, item, c); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
	}
	around, err := s.DB.ItemRow(t.Context(), readingtest.Agency, item)
	if err != nil {
		t.Fatal(err)
	}
	for i, officer := range []string{"Mirela Santos", "Tomasz Brandt"} {
		s.Keep(t, readingtest.Recording{Path: []string{"DCIM/100SEALD/CLIP0301.MP4", "DCIM/100SEALD/CLIP0110.MP4"}[i], Officer: officer, Camera: []string{"SD-04418", "SD-04401"}[i], Model: "Sealdock Sim 2", Dock: around.Dock, Station: around.Station,
			Content: []byte(officer), Began: around.CorrectedAt.Add(time.Duration(i*40-50) * time.Second), Ended: around.CorrectedAt.Add(time.Duration(30+i*200) * time.Second)})
	}
}
