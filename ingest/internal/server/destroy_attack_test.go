package server

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// One person with two accounts destroys nothing, nor does who has lost the power, what is
// frozen stays, and of many tries at once one destroys.
func TestAttack55DestroyingTakesTwoPeople(t *testing.T) {
	r, d := storing(t)
	id := r.store(d, d.Record(t, "SECRET.MP4", footage(5000))).Evidence
	destroy := func() error {
		_, err := DestroyItem(r.ctx, r.config, id, "order of the court", alba, ben, time.Now)
		return err
	}
	refused := func(words string) {
		t.Helper()
		if err := destroy(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v: want words like %q", err, words)
		}
		if n := len(r.events(evidence.EventItemDestroyed)); n != 0 {
			t.Fatal("it was destroyed")
		}
	}
	edit := func(login string, change func(*catalog.User)) {
		t.Helper()
		r.must(r.catalog().Update(r.ctx, func(tx *sqldb.Tx) error {
			u, err := tx.UserByLogin(r.ctx, login)
			if err != nil {
				return err
			}
			change(u)
			return tx.UpdateUser(r.ctx, u)
		}))
	}
	both := func(change func(*catalog.User)) {
		edit(alba.Login, change)
		edit(ben.Login, change)
	}
	both(func(u *catalog.User) { u.Email = "alba@springfield.example" })
	refused("one person")
	both(func(u *catalog.User) { u.Email, u.OfficerID = "", "B-17" })
	refused("one person")
	both(func(u *catalog.User) { u.OfficerID = "" })
	edit(ben.Login, func(u *catalog.User) { u.Role = string(auth.Auditor) })
	refused("role")
	edit(ben.Login, func(u *catalog.User) { u.Role = string(auth.Administrator) })
	f, err := Freeze(r.ctx, r.config, catalog.FreezeItem, id.String(), "case 4711", time.Now)
	r.must(err)
	refused("frozen")
	r.must(EndFreeze(r.ctx, r.config, f.ID, "case closed", time.Now))

	var wg sync.WaitGroup
	results := make([]error, 3)
	for i := range results {
		wg.Go(func() { results[i] = destroy() })
	}
	wg.Wait()
	worked := 0
	for _, err := range results {
		if err == nil {
			worked++
		}
	}
	if n := len(r.events(evidence.EventItemDestroyed)); worked != 1 || n != 1 {
		t.Errorf("of three at once %d worked, and %d events tell of it: %v", worked, n, results)
	}
}
