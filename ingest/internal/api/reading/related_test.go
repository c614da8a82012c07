package reading_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestWhatOtherCamerasRecordedAtTheSameTimeIsRelated(t *testing.T) {
	s, actor := newStore(t)
	s.Enrol(t, "harbour", "pier-4")
	at := s.Clock.Now().Add(-time.Hour)
	minute := func(n float64) time.Time { return at.Add(time.Duration(n * float64(time.Minute))) }
	n := 0
	keep := func(name, camera string, from, to float64, adjust ...func(*readingtest.Recording)) *catalog.Item {
		n++
		r := readingtest.Recording{Path: "DCIM/" + name + ".MP4", Camera: camera, Model: "Sim", Content: []byte(name), Began: minute(from), Ended: minute(to)}
		for _, change := range adjust {
			change(&r)
		}
		return s.Keep(t, r)
	}
	here := keep("HERE", "SD-1", 0, 10)
	keep("WHOLLY", "SD-2", -1, 11)
	keep("END", "SD-3", 8, 30)
	keep("BEFORE", "SD-4", -30, -1)
	keep("AFTER", "SD-5", 11, 20)
	keep("LONGBEFORE", "SD-6", -110, 3)
	keep("SAMECAMERA", "SD-1", 5, 6)
	keep("ELSEWHERE", "SD-7", 0, 10, func(r *readingtest.Recording) { r.Dock, r.Station = "pier-4", "harbour" })
	keep("SIDECAR", "SD-2", 0, 10, func(r *readingtest.Recording) { r.Kind = evidence.KindMetadata })
	s.Offer(t, readingtest.Recording{Path: "DCIM/COMING.MP4", Camera: "SD-8", Began: minute(0), Ended: minute(10), Content: []byte("coming")})
	names := func(a *reading.Around) string {
		var all []string
		for _, i := range a.Items {
			all = append(all, strings.TrimSuffix(strings.TrimPrefix(i.Path, "DCIM/"), ".MP4"))
		}
		return strings.Join(all, " ")
	}
	around, err := s.Reading.Related(t.Context(), actor, here)
	if err != nil || names(around) != "WHOLLY LONGBEFORE END" || around.More {
		t.Fatalf("%q, more %v, %v", names(around), around.More, err)
	}
	for i, want := range []time.Duration{10 * time.Minute, 3 * time.Minute, 2 * time.Minute} {
		if got := around.Items[i].Overlap; got != want {
			t.Errorf("%s overlaps by %v, want %v", around.Items[i].Path, got, want)
		}
	}

	// Clocks that were measured decide, with how far they may be off.
	skewed := keep("SKEWED", "SD-9", 60, 70, func(r *readingtest.Recording) {
		r.Adjust = readingtest.WrongClock
		r.Began, r.Ended = r.Began.Add(readingtest.Ahead-60*time.Minute), r.Ended.Add(readingtest.Ahead-60*time.Minute)
	})
	if around, err = s.Reading.Related(t.Context(), actor, here); err != nil || !strings.Contains(names(around), "SKEWED") {
		t.Errorf("by the corrected time: %q, %v", names(around), err)
	}
	if around, err = s.Reading.Related(t.Context(), actor, skewed); err != nil || !strings.Contains(names(around), "HERE") {
		t.Errorf("from the other side: %q, %v", names(around), err)
	}

	// Nothing that the person may not see, and no more than a page shows.
	officer := *actor
	officer.Powers = auth.ShippedPowers(auth.Officer)
	if around, err := s.Reading.Related(t.Context(), &officer, here); err != nil || around != nil {
		t.Errorf("an officer is told of %+v, %v", around, err)
	}
	for i := range 15 {
		keep("MANY"+strings.Repeat("X", i), "SD-1"+strings.Repeat("0", i+1), 1, 9)
	}
	if around, err = s.Reading.Related(t.Context(), actor, here); err != nil || len(around.Items) != reading.MaxRelated || !around.More {
		t.Errorf("%d are told, more %v, %v", len(around.Items), around.More, err)
	}
	unknown := s.Keep(t, readingtest.Recording{Path: "DCIM/NOTIME.MP4", Content: []byte("no time")})
	if around, err := s.Reading.Related(t.Context(), actor, unknown); err != nil || around != nil {
		t.Errorf("of no known time: %+v, %v", around, err)
	}
}
