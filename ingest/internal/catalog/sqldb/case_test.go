package sqldb

import (
	"database/sql"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// The grants of a catalog from before there were cases stand, and new ones may be on a
// case, but on nothing that is no scope.
func TestGrantsOfOlderCatalogsStand(t *testing.T) {
	bothEngines(t, func(t *testing.T, address string) {
		driver, source, dialect, folder := "pgx", address, goose.DialectPostgres, "postgres"
		if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
			driver, source, dialect, folder = "sqlite3", path, goose.DialectSQLite3, "sqlite"
		}
		raw, err := sql.Open(driver, source)
		must(t, err)
		defer raw.Close()
		files, err := fs.Sub(migrations, "migrations/"+folder)
		must(t, err)
		provider, err := goose.NewProvider(dialect, raw, files)
		must(t, err)
		_, err = provider.UpTo(t.Context(), 36)
		must(t, err)
		run(t, raw, `INSERT INTO grants (agency, id, holder, holder_id, role, scope, value, until_at, view_only, networks, clients, reason, made_at, made_by, ended_at, ended_by)
			VALUES ('metro-pd', 'g1', 'group', 't1', 'r1', 'station', 'north', 5000000, 1, '["192.0.2.0/24"]', '["web"]', 'why', 1000000, 'u9', 0, '')`,
			`INSERT INTO grants (agency, id, holder, holder_id, role, scope, value, networks, clients, reason, made_at, made_by, ended_at, ended_by)
			VALUES ('metro-pd', 'g2', 'person', 'u1', 'r1', 'item', 'x', '[]', '[]', '', 1000000, 'u9', 2000000, 'u8')`)
		db := openTest(t, address)
		p, err := db.Powers(t.Context(), "metro-pd")
		must(t, err)
		if len(p.Grants) != 1 {
			t.Fatalf("%d grants stand, want one", len(p.Grants))
		}
		g := p.Grants[0]
		if g.ID != "g1" || g.Holder != catalog.ToGroup || g.HolderID != "t1" || g.Scope != catalog.OnStation || g.Value != "north" || !g.Until.Equal(time.Unix(5, 0)) || !g.ViewOnly ||
			len(g.Networks) != 1 || len(g.Clients) != 1 || g.Reason != "why" || g.MadeBy != "u9" {
			t.Errorf("the grant is %+v", g)
		}
		if ended, err := db.Grant(t.Context(), "metro-pd", "g2"); err != nil || ended.EndedBy != "u8" || !ended.EndedAt.Equal(time.Unix(2, 0)) {
			t.Errorf("the ended grant is %+v: %v", ended, err)
		}
		g.ID, g.Scope, g.Value = "g3", catalog.OnCase, "k1"
		must(t, db.Update(t.Context(), func(tx *Tx) error { return tx.InsertGrant(t.Context(), &g) }))
		g.ID, g.Scope = "g4", "planet"
		if err := db.Update(t.Context(), func(tx *Tx) error { return tx.InsertGrant(t.Context(), &g) }); err == nil {
			t.Error("a grant on a planet is kept")
		}
	})
}
