package inspection_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	agency = evidence.AgencyID("metro-pd")
	origin = "example.org/custody"
	alba   = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	jonah  = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
)

// desk is an audit desk over a custody log that is really signed.
type desk struct {
	testing.TB
	*inspection.Service
	url   string
	db    *sqldb.DB
	log   *audit.Log
	key   ed25519.PrivateKey
	clock *catalogtest.Clock
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	return newDeskAt(t, "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"))
}

func newDeskAt(t testing.TB, url string) *desk {
	t.Helper()
	d := &desk{TB: t, url: url, clock: catalogtest.NewClock(), key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	var err error
	d.db, err = sqldb.Open(t.Context(), url, d.clock.Now)
	d.must(err)
	t.Cleanup(func() { d.db.Close() })
	tiles := fs.Tiles(filepath.Join(t.TempDir(), "log"))
	quiet := slog.New(slog.DiscardHandler)
	d.log, err = audit.Open(t.Context(), audit.Config{Catalog: d.db, Tiles: tiles, Key: d.key, Origin: origin, Node: "node-a", Now: d.clock.Now, Logger: quiet})
	d.must(err)
	d.Service = inspection.New(inspection.Config{Catalog: d.db, Tiles: tiles, Origin: origin, LogKey: d.key.Public().(ed25519.PublicKey), Agency: agency, Now: d.clock.Now, Log: quiet})
	d.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for id, name := range map[string]string{alba: "Alba Moreno", jonah: "Jonah Reyes"} {
			first, last, _ := strings.Cut(name, " ")
			if err := tx.InsertUser(ctx, &catalog.User{ID: id, Agency: agency, Login: strings.ToLower(first[:1] + "." + last), Name: name, Role: string(auth.Operator), CreatedAt: d.clock.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) update(fn func(context.Context, *sqldb.Tx) error) {
	d.Helper()
	d.must(d.db.Update(d.Context(), func(tx *sqldb.Tx) error { return fn(d.Context(), tx) }))
}

// add records an event a second after the one before, and returns its row id.
func (d *desk) add(e evidence.Event) (id int64) {
	d.Helper()
	d.clock.Advance(time.Second)
	e.Agency, e.Version = agency, 1
	if e.Outcome == "" {
		e.Outcome = evidence.OutcomeDone
	}
	d.update(func(ctx context.Context, tx *sqldb.Tx) (err error) {
		id, err = tx.AppendEvent(ctx, e)
		return err
	})
	return id
}

func (d *desk) sequence() {
	d.Helper()
	_, _, err := d.log.Sequence(d.Context())
	d.must(err)
}

// user is an actor of events.
func user(id, name string) evidence.Actor {
	return evidence.Actor{Kind: "user", ID: id, Name: name, Client: "Firefox"}
}

// day records what people and machines do.
func (d *desk) day() {
	d.Helper()
	item := evidence.ItemObject(evidence.EvidenceID{0xab, 0xcd})
	for range 3 {
		d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes"), Object: item, Source: "192.0.2.9"})
	}
	d.add(evidence.Event{Type: evidence.EventDownloaded, Actor: user(jonah, "Jonah Reyes"), Object: item, Source: "192.0.2.9", Outcome: evidence.OutcomeRefused, Reason: "the role does not allow it"})
	d.add(evidence.Event{Type: evidence.EventDockConnected, Actor: evidence.Actor{Kind: "dock", ID: "front-desk"}, Object: "dock:front-desk", Source: "192.0.2.20"})
	d.add(evidence.Event{Type: evidence.EventUserCreated, Actor: user(alba, "Alba Moreno"), Object: "user:" + jonah, Source: "192.0.2.7"})
	d.add(evidence.Event{Type: evidence.EventCameraApproved, Actor: user(alba, "Alba Moreno"), Object: "camera:SD-04409", Source: "192.0.2.7"})
	d.add(evidence.Event{Type: evidence.EventServerStarted, Actor: evidence.Actor{Kind: "server", ID: "local"}, Source: "local"})
	d.add(evidence.Event{Type: evidence.EventSignInFailed, Actor: evidence.Actor{Kind: "user"}, Outcome: evidence.OutcomeFailed, Source: "203.0.113.66"})
	d.sequence()
}

func auditor() *auth.Actor {
	return &auth.Actor{User: alba, Agency: agency, Name: "Alba Moreno", Role: auth.Administrator, Powers: auth.ShippedPowers(auth.Administrator), Origin: auth.Origin{Address: "192.0.2.7", Browser: "Firefox"}}
}

func (d *desk) search(q inspection.Query) *inspection.Page {
	d.Helper()
	p, err := d.Search(d.Context(), auditor(), q, "", 50)
	d.must(err)
	return p
}

func (d *desk) searches() int64 {
	d.Helper()
	n, err := d.db.CountEvents(d.Context(), catalog.EventFilter{Agency: agency, Type: evidence.EventAuditRead})
	d.must(err)
	return n
}

// export writes an export and returns it.
func (d *desk) export(q inspection.Query, format inspection.Format) []byte {
	d.Helper()
	e, err := d.Export(d.Context(), auditor(), q, format)
	d.must(err)
	var b bytes.Buffer
	d.must(e.Write(d.Context(), &b))
	return b.Bytes()
}

// bothEngines runs a test on SQLite and on PostgreSQL.
func bothEngines(t *testing.T, run func(*testing.T, *desk)) {
	t.Run("sqlite", func(t *testing.T) { run(t, newDesk(t)) })
	t.Run("postgres", func(t *testing.T) { run(t, newDeskAt(t, postgres.Start(t).Database(t))) })
}
