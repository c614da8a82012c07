package server

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// problems is what fsck has to complain of.
func (r *running) problems() (fsck.Summary, string) {
	r.t.Helper()
	var found strings.Builder
	summary, err := Check(r.ctx, r.config, false, time.Now, func(f fsck.Finding) {
		if f.Severity == fsck.Problem {
			found.WriteString(f.String() + "\n")
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return summary, found.String()
}

// TestADestroyedItemOpensNowhere destroys one of three items, by two people, and
// then tries everything that could open it: the server's key pairs, a package, the
// catalog's files, and an older copy of the catalog, before and after the key pair
// to which its key was wrapped is retired.
func TestADestroyedItemOpensNowhere(t *testing.T) {
	r, d := storing(t)
	rec := d.Record(t, "SECRET.MP4", footage(1<<20+5))
	first, err := r.mustConnect(d).Upload(r.ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	id := checkReceipt(t, d, rec, first).Evidence
	item, err := r.catalog().Item(r.ctx, "springfield", id)
	if err != nil {
		t.Fatal(err)
	}
	const why = "order of the county court, 11-2026"
	refuse := func(words string, reason string, requester, approver Credentials) {
		t.Helper()
		if _, err := DestroyItem(r.ctx, r.config, id, reason, requester, approver, time.Now); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: want words like %q", err, words)
		}
	}
	refuse("takes two", why, alba, alba)
	refuse("role", why, alba, oona)
	refuse("signing in", why, alba, Credentials{Login: "b.lee", Password: "not the password of ben"})
	refuse("say why", " ", alba, ben)
	if err := r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error {
		return tx.HoldCamera(r.ctx, "springfield", item.Camera, "case 4711", "a.moreno", time.Now())
	}); err != nil {
		t.Fatal(err)
	}
	refuse("held", why, alba, ben)
	if err := r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error { return tx.EndCameraHold(r.ctx, "springfield", item.Camera) }); err != nil {
		t.Fatal(err)
	}
	if got := len(r.events(evidence.EventItemDestroyed)) + len(r.events(evidence.EventDestructionWanted)); got != 0 {
		t.Errorf("%d events of a destruction that was refused", got)
	}
	r.end()
	before := r.copyOfCatalog()
	if r.left(item.WrappedKey) == "" {
		t.Fatal("the search does not find what it looks for")
	}

	done, err := DestroyItem(r.ctx, r.config, id, why, alba, ben, time.Now)
	if err != nil || done.Path != "SECRET.MP4" || done.Original {
		t.Fatalf("%+v, %v", done, err)
	}
	refuse("only what is stored", why, alba, ben) // destroyed twice

	ring, err := r.config.openRing()
	if err != nil {
		t.Fatal(err)
	}
	now, err := r.catalog().Item(r.ctx, "springfield", id)
	if err != nil || now.State != catalog.StateDestroyed || now.DestroyedAt.IsZero() || now.Receipt == nil {
		t.Fatalf("the item: %+v, %v", now, err)
	}
	if _, err := ring.Unwrap("springfield", id, now.Attempt, now.WrappedKey); !errors.Is(err, seal.ErrUnwrap) {
		t.Errorf("its key still opens: %v", err)
	}
	if err := WithPackages(r.ctx, r.config, "test", r.logger(), time.Now, func(s *export.Service) error {
		_, err := s.Make(r.ctx, export.CommandLine(), export.Whole(id))
		return err
	}); !errors.Is(err, export.ErrNotStored) {
		t.Errorf("a package of it: %v", err)
	}
	// Nothing of the wrapped key is left in the catalog's files, in no freed page.
	if !done.Forgotten {
		if _, err := r.catalog().Forget(r.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if found := r.left(item.WrappedKey); found != "" {
		t.Fatalf("%s holds a part of the wrapped key", found)
	}
	for kind, who := range map[evidence.EventType]string{evidence.EventDestructionWanted: "A.MORENO", evidence.EventItemDestroyed: "B.LEE"} {
		events := r.events(kind)
		if len(events) != 1 || !bytes.Contains(events[0].JSON, []byte(`"name":"`+who+`"`)) || !bytes.Contains(events[0].JSON, []byte(why)) {
			t.Errorf("%d events %s, or not by %s", len(events), kind, who)
		}
	}

	// The dock that comes again with the recording gets its receipt, and the
	// recording is not taken in again. To fsck it is destroyed, and not damaged.
	r.start()
	again, err := r.mustConnect(d).Upload(r.ctx, rec)
	if err != nil || !bytes.Equal(again.GetEnvelope(), first.GetEnvelope()) {
		t.Errorf("offered again: %v", err)
	}
	r.end()
	if summary, problems := r.problems(); problems != "" || summary.Stored != 3 || summary.Destroyed != 1 {
		t.Errorf("fsck: %+v\n%s", summary, problems)
	}
	totals, err := r.catalog().Totals(r.ctx, "springfield", nil)
	if err != nil || totals.ByState[catalog.StateStored].Items != 3 || totals.ByState[catalog.StateDestroyed].Items != 1 {
		t.Errorf("totals %+v, %v", totals, err)
	}
	for state, want := range map[catalog.ItemState]int{catalog.StateStored: 3, catalog.StateDestroyed: 1, "": 4} {
		if page, err := r.catalog().Items(r.ctx, catalog.ItemFilter{Agency: "springfield", State: state}, "", "", 0); err != nil || len(page.Items) != want {
			t.Errorf("%d items are %q, want %d: %v", len(page.Items), state, want, err)
		}
	}

	// An older copy of the catalog has the wrapped key, until its key pair is gone.
	if _, err := ring.Unwrap("springfield", id, item.Attempt, before.WrappedKey(t, id)); err != nil {
		t.Errorf("the older copy should open here, as the guide says: %v", err)
	}
	states, err := KeyStates(r.ctx, r.config, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if summary, err := RotateKeys(r.ctx, r.config, false, r.logger(), time.Now, nil); err != nil || summary.Rewrapped != 3 {
		t.Fatalf("%+v, %v", summary, err)
	}
	if err := r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error { return tx.SetDockEnabled(r.ctx, "springfield", "front-desk", false) }); err != nil {
		t.Fatal(err)
	}
	if err := RetireKey(r.ctx, r.config, states[0].ID, alba, ben, time.Now); err != nil {
		t.Fatal(err)
	}
	if ring, err = r.config.openRing(); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Unwrap("springfield", id, item.Attempt, before.WrappedKey(t, id)); !errors.Is(err, seal.ErrUnwrap) {
		t.Errorf("the older copy still opens after its key pair was retired: %v", err)
	}
	if summary, problems := r.problems(); problems != "" || summary.Stored != 3 || summary.Destroyed != 1 {
		t.Errorf("fsck: %+v\n%s", summary, problems)
	}
}

// TestWhoWritesRowsCannotDestroy: a row that says so, without the record, and a
// record without the row, are told.
func TestWhoWritesRowsCannotDestroy(t *testing.T) {
	r, _ := storing(t)
	r.end()
	page, err := r.catalog().Items(r.ctx, catalog.ItemFilter{Agency: "springfield"}, "", "", 0)
	if err != nil || len(page.Items) != 3 {
		t.Fatal(len(page.Items), err)
	}
	raw := catalogtest.Raw(t, r.config.catalogURL(), r.catalogSecret())
	if _, err := raw.ExecContext(r.ctx, "UPDATE items SET destroyed_at = 5 WHERE id = ?", page.Items[0].ID.String()); err != nil {
		t.Fatal(err)
	}
	if summary, problems := r.problems(); summary.Problems != 2 || !strings.Contains(problems, "no event tells") || !strings.Contains(problems, "still has a key") {
		t.Errorf("destroyed by a row: %+v\n%s", summary, problems)
	}
	if _, err := raw.ExecContext(r.ctx, "UPDATE items SET destroyed_at = 0"); err != nil {
		t.Fatal(err)
	}
	before := r.copyOfCatalog()
	if _, err := DestroyItem(r.ctx, r.config, page.Items[1].ID, "the time of keeping is over", alba, ben, time.Now); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.ExecContext(r.ctx, "UPDATE items SET destroyed_at = 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := raw.ExecContext(r.ctx, "UPDATE offers SET wrapped_key = ? WHERE id = ?", before.WrappedKey(t, page.Items[1].ID), page.Items[1].ID.String()); err != nil {
		t.Fatal(err)
	}
	if summary, problems := r.problems(); summary.Problems != 1 || !strings.Contains(problems, "on record as destroyed") {
		t.Errorf("brought back by a row: %+v\n%s", summary, problems)
	}
}

// left is the file of the catalog in which a part of a text is left, beneath the seal.
func (r *running) left(text []byte) string {
	r.t.Helper()
	for _, path := range r.catalogFiles() {
		file, err := sqldb.Plain(path, r.catalogSecret())
		if err != nil {
			r.t.Fatal(err)
		}
		for at := 0; at+64 <= len(text); at += 64 {
			if bytes.Contains(file, text[at:at+64]) {
				return path
			}
		}
	}
	return ""
}

// catalogFiles are the files of the catalog.
func (r *running) catalogFiles() []string {
	r.t.Helper()
	paths, err := filepath.Glob(filepath.Join(r.config.DataDir, "catalog.db*"))
	if err != nil || len(paths) == 0 {
		r.t.Fatal(paths, err)
	}
	return paths
}

// catalogCopy is a copy of the catalog.
type catalogCopy struct{ db *sqldb.DB }

func (r *running) copyOfCatalog() catalogCopy {
	r.t.Helper()
	dir := r.t.TempDir()
	for _, path := range r.catalogFiles() {
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	db, err := sqldb.Open(r.ctx, "sqlite:"+filepath.Join(dir, "catalog.db"), time.Now, sqldb.Sealed(r.catalogSecret()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { db.Close() })
	return catalogCopy{db}
}

func (b catalogCopy) WrappedKey(t *testing.T, id evidence.EvidenceID) []byte {
	t.Helper()
	item, err := b.db.Item(t.Context(), "springfield", id)
	if err != nil {
		t.Fatal(err)
	}
	return item.WrappedKey
}
