package sqldb_test

import (
	"path/filepath"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
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
