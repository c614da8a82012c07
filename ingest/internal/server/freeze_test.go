package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// A freeze in any scope that holds the item stops its destruction, for as long as the
// custody log says, even where every other rule allows it.
func TestNothingFrozenIsDestroyed(t *testing.T) {
	r, d := storing(t)
	rec := d.Record(t, "A.MP4", footage(5000))
	answer, err := r.mustConnect(d).Upload(r.ctx, rec)
	r.must(err)
	item, err := r.catalog().Item(r.ctx, "springfield", checkReceipt(t, d, rec, answer).Evidence)
	r.must(err)
	const why = "case 4711"
	destroy := func() error {
		_, err := DestroyItem(r.ctx, r.config, item.ID, "time of keeping is over", alba, ben, time.Now)
		return err
	}
	scopes := map[catalog.FreezeScope]string{
		catalog.FreezeAgency: "", catalog.FreezeStation: string(item.Station), catalog.FreezeCamera: item.Camera, catalog.FreezeItem: item.ID.String(),
	}
	if item.OfficerID != "" {
		scopes[catalog.FreezeOfficer] = item.OfficerID
	}
	for scope, value := range scopes {
		f, err := Freeze(r.ctx, r.config, scope, value, why, time.Now)
		r.must(err)
		if err := destroy(); !errors.Is(err, catalog.ErrFrozen) || !strings.Contains(err.Error(), f.ID) || !strings.Contains(err.Error(), why) {
			t.Errorf("frozen by %s %q: %v", scope, value, err)
		}
		// Not by another path either: who deletes is asked by the catalog itself.
		err = r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error { return tx.DestroyKeys(r.ctx, "springfield", item.ID, time.Now()) })
		if !errors.Is(err, catalog.ErrFrozen) {
			t.Errorf("the catalog lets it go under a freeze of %s: %v", scope, err)
		}
		r.must(EndFreeze(r.ctx, r.config, f.ID, "case closed", time.Now))
		if err := EndFreeze(r.ctx, r.config, f.ID, "again", time.Now); err == nil {
			t.Error("a freeze was ended twice")
		}
	}
	for scope, value := range map[catalog.FreezeScope]string{catalog.FreezeCamera: "OTHER", catalog.FreezeOfficer: "nobody"} {
		_, err := Freeze(r.ctx, r.config, scope, value, why, time.Now)
		r.must(err)
	}
	r.must(destroy()) // others' freezes do not hold it
	begun, ended := r.events(evidence.EventFrozen), r.events(evidence.EventFreezeEnded)
	if len(begun) != len(scopes)+2 || len(ended) != len(scopes) {
		t.Errorf("%d events begin freezes, %d end them", len(begun), len(ended))
	}
	all, err := Freezes(r.ctx, r.config, time.Now)
	if err != nil || len(all) != len(scopes)+2 {
		t.Errorf("%d freezes are listed: %v", len(all), err)
	}
	for scope, value := range map[catalog.FreezeScope]string{catalog.FreezeAgency: "x", catalog.FreezeItem: "x", catalog.FreezeStation: "elsewhere", catalog.FreezeCamera: "", "bay": "1"} {
		if _, err := Freeze(r.ctx, r.config, scope, value, why, time.Now); err == nil {
			t.Errorf("%s %q was frozen", scope, value)
		}
	}
	if _, err := Freeze(r.ctx, r.config, catalog.FreezeAgency, "", " ", time.Now); err == nil {
		t.Error("frozen for no reason")
	}
}
