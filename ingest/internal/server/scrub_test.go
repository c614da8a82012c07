package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/scrub"
	"github.com/sealdock/sealdock/proto/evidence"
)

// store is what a server stored and then stopped, with a clock that is moved.
type store struct {
	*running
	items []*catalog.Item // in the order in which they came
	ahead time.Duration
	db    *sqldb.DB
}

func newStore(t *testing.T, lengths ...int) *store {
	t.Helper()
	s := &store{running: newServer(t)}
	s.start()
	d := s.enrol("front-desk")
	c := s.mustConnect(d)
	var ids []evidence.EvidenceID
	for i, n := range lengths {
		rec := d.Record(t, "DCIM/CLIP"+string(rune('A'+i))+".MP4", footage(n+i))
		answer, err := c.Upload(s.ctx, rec)
		s.must(err)
		ids = append(ids, checkReceipt(t, d, rec, answer).Evidence)
	}
	s.end()
	var err error
	s.db, err = s.config.openCatalog(s.ctx, time.Now)
	s.must(err)
	t.Cleanup(func() { s.db.Close() })
	for _, id := range ids {
		row, err := s.db.Item(s.ctx, "springfield", id)
		s.must(err)
		s.items = append(s.items, row)
	}
	return s
}

func (s *store) now() time.Time { return time.Now().Add(s.ahead) }

// pass re-reads what is due, as a server that was just started would.
func (s *store) pass() (wait time.Duration) {
	s.t.Helper()
	s.must(WithScrub(s.ctx, s.config, s.logger(), s.now, func(service *scrub.Service) (err error) {
		s.ahead += 2 * time.Hour // it looks for orphans too
		wait, err = service.Pass(s.ctx)
		return err
	}))
	return wait
}

func (s *store) row(n int) *catalog.Item {
	s.t.Helper()
	row, err := s.db.Item(s.ctx, "springfield", s.items[n].ID)
	s.must(err)
	return row
}

// blob is where an item's blob lies.
func (s *store) blob(n int) string {
	name := s.items[n].ID.String() + "-1.floe"
	return filepath.Join(s.config.vaultDir(), "blobs", "springfield", name[:2], name)
}

func (s *store) alerts(code catalog.AlertCode) []catalog.Alert {
	s.t.Helper()
	all, err := s.db.Alerts(s.ctx, catalog.AlertFilter{Agency: "springfield", Code: code, Open: true}, 10)
	s.must(err)
	return all
}

func (s *store) flip(path string, offset int64) {
	s.t.Helper()
	b, err := os.ReadFile(path)
	s.must(err)
	b[(int64(len(b))+offset)%int64(len(b))] ^= 1
	s.must(os.WriteFile(path, b, 0o600))
}

func TestWhatIsStoredIsProvenAgainEachCycle(t *testing.T) {
	s := newStore(t, 3<<20, 100, 0)
	if wait := s.pass(); wait != time.Hour {
		t.Errorf("what was just stored is due again in %s", wait)
	}
	if before := s.row(0).ProvenAt; !before.Equal(s.items[0].ProvenAt) {
		t.Error("it was read again at once")
	}
	s.ahead = 90 * time.Hour // more than half of a week
	s.pass()
	for n := range s.items {
		if at := s.row(n).ProvenAt; at.Sub(s.items[n].ProvenAt) < 89*time.Hour {
			t.Errorf("item %d was last proven at %s", n, at)
		}
	}
	events, err := s.db.Events(s.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventScrubbed}, 10)
	s.must(err)
	if len(events) != 1 || !strings.Contains(string(events[0].JSON), `"items":"3"`) || !strings.Contains(string(events[0].JSON), `"unproven":"0"`) {
		t.Errorf("the pass is told by %d events: %+v", len(events), events)
	}
	is, err := scrub.StatusOf(s.ctx, s.db, "springfield", 7*24*time.Hour, s.now())
	if err != nil || is.Items != 3 || is.Due != 0 || is.Behind {
		t.Errorf("%+v, %v", is, err)
	}
	if is, _ = scrub.StatusOf(s.ctx, s.db, "springfield", 7*24*time.Hour, s.now().Add(8*24*time.Hour)); !is.Behind || is.Due != 3 {
		t.Errorf("eight days without a server: %+v", is)
	}
}

// One changed bit, wherever it is in a blob, puts the item into quarantine within the
// cycle, and nobody gets it any more.
func TestStoredBytesThatChangeAreSetAside(t *testing.T) {
	s := newStore(t, 3<<20, 3<<20, 1000, 1000, 50_000)
	s.flip(s.blob(0), 10)              // its header
	s.flip(s.blob(1), 2<<20)           // in the middle
	s.flip(s.blob(2), -1)              // the last byte
	s.must(os.Truncate(s.blob(3), 40)) // cut off
	s.ahead = 90 * time.Hour
	s.pass()
	for n := range 4 {
		row := s.row(n)
		if row.State != catalog.StateQuarantined || !strings.Contains(row.Reason, "re-read from the medium") {
			t.Errorf("item %d is %s: %s", n, row.State, row.Reason)
		}
		if _, err := os.Stat(s.blob(n)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the blob of item %d is still among the good ones: %v", n, err)
		}
	}
	if row := s.row(4); row.State != catalog.StateStored || row.ProvenAt.Sub(s.items[4].ProvenAt) < 89*time.Hour {
		t.Errorf("the whole one is %s, proven at %s", row.State, row.ProvenAt)
	}
	if all := s.alerts(catalog.AlertDamaged); len(all) != 4 || all[0].Severity != catalog.SeverityUrgent {
		t.Errorf("%d alerts", len(all))
	}
	n, err := s.db.CountEvents(s.ctx, catalog.EventFilter{Agency: "springfield", Type: evidence.EventQuarantined})
	if err != nil || n != 4 {
		t.Errorf("%d events: %v", n, err)
	}
}

// What is gone is alerted until it is there again, and keeps nothing else from being
// read; blobs without an item are named.
func TestMissingAndSurplusBlobsAreTold(t *testing.T) {
	s := newStore(t, 1000, 2000, 3000)
	aside := filepath.Join(t.TempDir(), "blob")
	s.must(os.Rename(s.blob(0), aside))
	stray := strings.Replace(s.blob(1), "-1.floe", "-7.floe", 1)
	b, err := os.ReadFile(s.blob(1))
	s.must(err)
	s.must(os.WriteFile(stray, b, 0o600))
	s.ahead = 90 * time.Hour
	s.pass()
	if row := s.row(0); row.State != catalog.StateStored || !row.ProvenAt.Equal(s.items[0].ProvenAt) {
		t.Errorf("the one that is gone: %s, proven at %s", row.State, row.ProvenAt)
	}
	if s.row(2).ProvenAt.Equal(s.items[2].ProvenAt) {
		t.Error("those behind it were not read")
	}
	if all := s.alerts(catalog.AlertUnproven); len(all) != 1 || !strings.Contains(all[0].Message, "missing from the store") {
		t.Errorf("alerts: %+v", all)
	}
	if all := s.alerts(catalog.AlertOrphans); len(all) != 1 || !strings.Contains(all[0].Message, "1 blobs") || !strings.Contains(all[0].Message, "-7.floe") {
		t.Errorf("alerts: %+v", all)
	}
	s.must(os.Rename(aside, s.blob(0)))
	s.must(os.Remove(stray))
	s.pass()
	if n := len(s.alerts(catalog.AlertUnproven)) + len(s.alerts(catalog.AlertOrphans)); n != 0 || s.row(0).ProvenAt.Equal(s.items[0].ProvenAt) {
		t.Errorf("it is there again, and %d alerts stand", n)
	}
}

// A running server does it by itself, and one that is stopped in the middle goes on.
func TestAServerThatWasAwayReadsWhatIsDue(t *testing.T) {
	s := newStore(t, 1000, 2000, 3000)
	s.flip(s.blob(1), 500)
	s.must(s.db.Update(s.ctx, func(tx *sqldb.Tx) error {
		for _, item := range s.items {
			if err := tx.MarkProven(s.ctx, "springfield", item.ID, time.Now().Add(-100*time.Hour)); err != nil {
				return err
			}
		}
		return nil
	}))
	s.start()
	for tick := time.Tick(20 * time.Millisecond); ; {
		if s.row(1).State == catalog.StateQuarantined && time.Since(s.row(2).ProvenAt) < time.Hour {
			break
		}
		select {
		case <-tick:
		case <-s.ctx.Done():
			t.Fatal("the server has not read what is due")
		}
	}
}
