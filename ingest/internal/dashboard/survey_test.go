package dashboard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestOneSurveyServesEverybodyForAMinute(t *testing.T) {
	store := readingtest.New(t)
	desks := cameras.New(cameras.Config{Catalog: store.DB, Blobs: store.Blobs, Agency: readingtest.Agency, Now: store.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	d := &Dashboard{Config: Config{Now: store.Clock.Now}}
	see := func(serial string) {
		store.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.CameraSeen(ctx, &catalog.Camera{Agency: readingtest.Agency, Serial: serial, LastSeenAt: store.Clock.Now(), LastDock: "front-desk", Access: evidence.AccessPTP})
		})
	}
	see("SD-1")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if found, err := d.completeness(t.Context(), desks.CommandLine()); err != nil || found.of("SD-1") == nil {
				t.Errorf("a survey that others wait for as well: %+v, %v", found, err)
			}
		})
	}
	all.Wait()
	see("SD-2")
	first, err := d.completeness(t.Context(), desks.CommandLine())
	if err != nil || first.of("SD-2") != nil {
		t.Errorf("a survey is made anew within its minute: %+v, %v", first, err)
	}
	store.Clock.Advance(surveyLife)
	second, err := d.completeness(t.Context(), desks.CommandLine())
	if err != nil || second.of("SD-2") == nil || !second.At.After(first.At) {
		t.Errorf("an old survey is not replaced: %+v, %v", second, err)
	}
	store.Clock.Advance(surveyLife)
	kept, err := d.completeness(t.Context(), desks.For(nil))
	if !errors.Is(err, auth.ErrForbidden) || !kept.At.Equal(second.At) {
		t.Errorf("a survey that fails takes the place of one that did not: %+v, %v", kept, err)
	}
	store.Clock.Advance(-time.Hour) // a clock that was set back
	if again, err := d.completeness(t.Context(), desks.CommandLine()); err != nil || !again.At.Before(second.At) {
		t.Errorf("after the clock went back: %+v, %v", again, err)
	}
}
