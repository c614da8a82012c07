package sqldb_test

import (
	"crypto/fips140"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/testkit/postgres"
)

func freshSQLite(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "data dir", "catalog?#%.db")
}

func TestSQLite(t *testing.T) {
	catalogtest.Run(t, freshSQLite)
}

func TestPostgreSQL(t *testing.T) {
	server := postgres.Start(t)
	catalogtest.Run(t, func(t *testing.T) string { return server.Database(t) })
}

// Lists are the same when nearly all items have slots.
func TestListsBySlots(t *testing.T) {
	sqldb.BlocksOf(t, 3)
	server := postgres.Start(t)
	catalogtest.RunLists(t, freshSQLite)
	catalogtest.RunLists(t, func(t *testing.T) string { return server.Database(t) })
}

// The password is short on purpose: enforced mode refuses short HMAC keys.
func TestPostgreSQLPasswordsAreNotProvenByMD5InFIPSMode(t *testing.T) {
	server := postgres.Start(t)
	for method, refused := range map[string]bool{"scram-sha-256": false, "md5": fips140.Enabled()} {
		db, err := sqldb.Open(t.Context(), server.DatabaseByPassword(t, method, "hunter2"), time.Now)
		switch {
		case err == nil:
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if refused {
				t.Errorf("%s: a password was proven by what is not approved", method)
			}
		case !refused:
			t.Errorf("%s: %v", method, err)
		case !strings.Contains(err.Error(), "md5") || strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: it says %q", method, err)
		default:
			t.Logf("%s: %v", method, err)
		}
	}
}
