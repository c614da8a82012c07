package e2e

import (
	"testing"

	"github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// The whole way with the catalog in PostgreSQL, and a server killed on it.
func TestTheWholeWayOnPostgreSQL(t *testing.T) {
	s := open(t, station.Options{Catalog: postgres.Start(t).Database(t)}, "--unplugged", "--cameras", "2", "--files", "4", "--file-size", "3MiB")
	control(t, s, "plug", "1-1")
	control(t, s, "plug", "1-2")
	s.Ingest.Kill()
	check(t, s.StartIngest(within(t)))
	drained(t, s)
	settled(t, s)
}
