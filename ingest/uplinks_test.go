package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/proto/evidence"
)

// opened opens the catalog of a data folder, whose root key is in clear or under the
// passphrase of these tests.
func opened(t *testing.T, folder string) *sqldb.DB {
	t.Helper()
	ring, err := keys.OpenWith(filepath.Join(folder, "keys"), func() ([]byte, error) { return []byte("correct horse battery staple"), nil })
	if err != nil {
		t.Fatal(err)
	}
	key, err := ring.CatalogKey()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(folder, "catalog.db"), time.Now, sqldb.Sealed(key))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// enrolled enters a dock into the catalog, as its enrolment would.
func enrolled(t *testing.T, config string, station evidence.StationID, dock evidence.DockID) {
	t.Helper()
	db := opened(t, filepath.Dir(config))
	err := db.Update(t.Context(), func(tx *sqldb.Tx) error {
		return tx.RegisterDock(t.Context(), &catalog.Dock{Agency: "springfield", ID: dock, Station: station, Fingerprint: evidence.SHA256([]byte(dock)), StatementKey: make([]byte, 32), Enabled: true, EnrolledAt: time.Now()})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAnOperatorsWayWithBandwidth(t *testing.T) {
	config := agency(t)
	enrolled(t, config, "north", "garage")
	table := write(t, "north.toml", []byte("zone = \"Europe/Berlin\"\nwindows = [\"mon-fri 08:00-18:00 20 Mbit/s\", \"daily 22:00-05:00 none\"]\n"))
	odd := write(t, "odd.toml", []byte("zone = \"Europe/Berlin\"\nwindow = [\"mon-fri 08:00-18:00 20 Mbit/s\"]\n"))
	for _, c := range []struct {
		args  []string
		words string // of the error; "" for none
		says  string
	}{
		{[]string{"bandwidth", "show"}, "", "no weekly tables"},
		{[]string{"bandwidth", "set", "daily 00:00-24:00 stop"}, "--station NAME or --dock NAME", ""},
		{[]string{"bandwidth", "set", "--station", "north", "--dock", "front-desk", "daily 00:00-24:00 stop"}, "either --station", ""},
		{[]string{"bandwidth", "set", "--station", "south", "daily 00:00-24:00 stop"}, "there is no station south", ""},
		{[]string{"bandwidth", "set", "--dock", "front-desk", "daily 00:00-24:00 stop"}, "there is no dock front-desk", ""}, // not enrolled yet
		{[]string{"bandwidth", "set", "--station", "north", "mon-fri 8-18 20 Mbit/s"}, "00:00 to 24:00", ""},
		{[]string{"bandwidth", "set", "--station", "north", "mon-fri 08:00-18:00 20"}, "Mbit/s", ""},
		{[]string{"bandwidth", "set", "--station", "north", "--zone", "Mars/Olympus", "daily 00:00-24:00 stop"}, "no time zone", ""},
		{[]string{"bandwidth", "set", "--station", "north", filepath.Join(t.TempDir(), "none.toml")}, "no such file", ""},
		{[]string{"bandwidth", "set", "--station", "north", odd}, "there are zone and windows", ""},
		{[]string{"bandwidth", "set", "--station", "north", "daily 00:00-24:00 5 Mbit/s"}, "", "Now: 5 Mbit/s."},
		{[]string{"bandwidth", "set", "--station", "north", table}, "", "Times are of Europe/Berlin"},
		{[]string{"bandwidth", "show"}, "", "mon-fri 08:00-18:00 20 Mbit/s"},
		{[]string{"bandwidth", "remove", "--station", "north"}, "", "no weekly table of station north"},
		{[]string{"bandwidth", "show"}, "", "no weekly tables"},
		{[]string{"sending", "show"}, "", "oldest recordings go first"},
		{[]string{"sending", "set", "--category", "use of force"}, "NAME=WEIGHT", ""},
		{[]string{"sending", "set", "--category", "use of force=lots"}, "1 to 100", ""},
		{[]string{"sending", "set", "--category", "use of force=101"}, "1 to 100", ""},
		{[]string{"sending", "set", "--urgent-officer", "4711", "--urgent-officer", "4711"}, "twice", ""},
		{[]string{"sending", "set", "--urgent-officer", "4711", "--category", "use of force=40", "--urgent-category", "homicide, all"}, "", "weight 40"},
		{[]string{"sending", "show"}, "", "homicide, all"},
		{[]string{"sending", "set"}, "", "oldest recordings go first"},
	} {
		out, log, err := run(t, append(append([]string{"settings"}, c.args...), "--config", config)...)
		if c.words == "" && (err != nil || !strings.Contains(out+log, c.says)) {
			t.Errorf("%v: %v, want words like %q:\n%s%s", c.args, err, c.says, out, log)
		}
		if c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%v: got %v, want words like %q", c.args, err, c.words)
		}
	}
}
