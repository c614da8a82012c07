package custody_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/ingest/internal/vault"
)

// One recording is taken out by hand between camera and store. Whatever the
// place, the report of completeness names it, and nothing else.
func TestTheReportNamesWhatWasTakenOut(t *testing.T) {
	const victim = 3
	for name, c := range map[string]struct {
		take   func(s *station)
		reason ledger.Reason
		words  string
	}{
		"on the camera, before it is docked": {func(s *station) {
			s.camera.lose(victim)
			s.store(s.docked())
		}, ledger.NeverShown, "number 3"},
		"on the camera, between two dockings": {func(s *station) {
			first := s.docked()
			s.camera.lose(victim)
			s.store(first)
			s.docked()
		}, ledger.Vanished, "CLIP0003.MP4 (number 3)"},
		"from the spool of the dock, the camera gone": {func(s *station) {
			d := s.docked()
			s.camera.lose(victim) // nobody sends it
			s.store(d)
		}, ledger.Waiting, "CLIP0003.MP4 (number 3)"},
		"its row, from the catalog": {func(s *station) {
			stored := s.store(s.docked())
			raw := catalogtest.Raw(s.t, "sqlite:"+filepath.Join(s.dir, "catalog.db"))
			if _, err := raw.Exec("DELETE FROM items WHERE id = ?", stored[victim].Manifest.Evidence.String()); err != nil {
				s.t.Fatal(err)
			}
		}, ledger.RowMissing, "CLIP0003.MP4"},
		"its row, offer and receipt, from the catalog": {func(s *station) {
			stored := s.store(s.docked())
			raw := catalogtest.Raw(s.t, "sqlite:"+filepath.Join(s.dir, "catalog.db"))
			for _, table := range []string{"items", "offers", "receipts"} {
				if _, err := raw.Exec("DELETE FROM "+table+" WHERE id = ?", stored[victim].Manifest.Evidence.String()); err != nil {
					s.t.Fatal(err)
				}
			}
		}, ledger.RowMissing, "CLIP0003.MP4"},
		"its bytes, from the vault": {func(s *station) {
			stored := s.store(s.docked())
			id := stored[victim].Manifest.Evidence
			s.check(s.vault.List(s.t.Context(), func(i vault.Info) error {
				if i.Key.ID != id {
					return nil
				}
				found := ""
				filepath.WalkDir(filepath.Join(s.dir, "vault"), func(path string, _ os.DirEntry, err error) error {
					if strings.Contains(filepath.Base(path), id.String()) {
						found = path
					}
					return err
				})
				return os.RemoveAll(found)
			}))
		}, ledger.BlobMissing, "CLIP0003.MP4"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t)
			s.camera.record(5)
			service := cameras.New(cameras.Config{Catalog: s.db, Blobs: s.vault, Agency: "springfield", Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			c.take(s)
			reports, err := service.CommandLine().Completeness(t.Context(), "")
			s.check(err)
			if len(reports) != 1 || len(reports[0].Missing) != 1 || len(reports[0].Hints) != 0 {
				t.Fatalf("reports %+v", reports)
			}
			if f := reports[0].Missing[0]; f.Reason != c.reason || !strings.Contains(f.Text, c.words) {
				t.Errorf("%s: %s; want %s with %q", f.Reason, f.Text, c.reason, c.words)
			}
			t.Log(reports[0].Missing[0].Text)
		})
	}
}

func TestNothingTakenOutIsNothingNamed(t *testing.T) {
	s := newStation(t)
	s.camera.record(5)
	for n, r := range s.store(s.docked()) {
		if n%2 == 1 {
			s.check(s.release(r))
			s.camera.lose(n)
		}
	}
	s.docked()
	service := cameras.New(cameras.Config{Catalog: s.db, Blobs: s.vault, Agency: "springfield", Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	reports, err := service.CommandLine().Completeness(t.Context(), s.camera.serial)
	s.check(err)
	if r := reports[0]; !r.Complete() || len(r.Hints) != 0 || r.Shown != 5 || r.Stored != 5 || r.Next != 6 {
		t.Errorf("report %+v", r)
	}
}
