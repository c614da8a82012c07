package rotation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/rotation"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/testkit/postgres"
	"github.com/sealdock/sealdock/proto/evidence"
)

const agency = catalogtest.Agency

var errKilled = errors.New("killed")

// rig is a catalog and a key folder; secrets is what every item's key must be.
type rig struct {
	testing.TB
	dir, url string
	db       *sqldb.DB
	ring     *keys.Ring
	clock    *catalogtest.Clock
	secrets  map[evidence.EvidenceID]seal.Key
}

func newRig(t testing.TB, url string, items int) *rig {
	g := &rig{TB: t, dir: filepath.Join(t.TempDir(), "keys"), url: url, clock: catalogtest.NewClock(), secrets: map[evidence.EvidenceID]seal.Key{}}
	var err error
	g.ring, err = keys.Create(g.dir, agency)
	g.must(err)
	g.open()
	t.Cleanup(func() { g.db.Close() })
	g.fill(items, "")
	return g
}

func (g *rig) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// open is a start of the program: nothing is known but what lies on the disk.
func (g *rig) open() {
	g.Helper()
	var err error
	g.db, err = sqldb.Open(g.Context(), g.url, g.clock.Now)
	g.must(err)
	g.ring, err = keys.Open(g.dir)
	g.must(err)
}

func (g *rig) restart() {
	g.Helper()
	g.must(g.db.Close())
	g.open()
}

// fill adds items whose keys are wrapped to the newest pair.
func (g *rig) fill(items int, agencyKey string) {
	g.Helper()
	_, public, err := g.ring.Newest(agency)
	g.must(err)
	from := len(g.secrets)
	g.must(g.db.Update(g.Context(), func(tx *sqldb.Tx) error {
		for n := range items {
			item := catalogtest.NewItem(from+n, g.clock.Now())
			key, err := seal.NewKey()
			if err != nil {
				return err
			}
			g.secrets[item.ID] = key
			item.AgencyKey = agencyKey
			if item.WrappedKey, err = seal.Wrap(public, key, seal.AAD(agency, item.ID, item.Attempt)); err != nil {
				return err
			}
			if err := tx.InsertItem(g.Context(), item); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (g *rig) config() rotation.Config {
	return rotation.Config{Catalog: g.db, Keys: g.ring, Agency: agency, Actor: evidence.Actor{Kind: "server", ID: "local"}, Source: "local", Now: g.clock.Now,
		Log: slog.New(slog.DiscardHandler), Batch: 7}
}

// check opens every item's key as it is kept.
func (g *rig) check(want keys.ID) {
	g.Helper()
	for id, secret := range g.secrets {
		item, err := g.db.Item(g.Context(), agency, id)
		g.must(err)
		key, err := g.ring.Unwrap(agency, id, item.Attempt, item.WrappedKey)
		if err != nil || key != secret {
			g.Fatalf("item %s does not open with its key: %v", id, err)
		}
		if want != "" && item.AgencyKey != string(want) {
			g.Fatalf("item %s is wrapped to %q, want %q", id, item.AgencyKey, want)
		}
	}
}

// recorded sums up what the events say was wrapped to a key.
func (g *rig) recorded(to keys.ID) (sum int, events int) {
	g.Helper()
	rows, err := g.db.Events(g.Context(), catalog.EventFilter{Agency: agency, Type: evidence.EventKeysRewrapped, Object: evidence.KeyObject(string(to))}, 1000)
	g.must(err)
	for _, row := range rows {
		var e evidence.Event
		g.must(json.Unmarshal(row.JSON, &e))
		n, err := strconv.Atoi(e.Details["keys"])
		g.must(err)
		if e.Details["first"] == "" || e.Details["last"] == "" || n < 1 {
			g.Errorf("the event names no range: %s", row.JSON)
		}
		sum += n
	}
	return sum, len(rows)
}

func sqliteURL(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "catalog.db") }

func TestAllKeysAreWrappedAnewAndOpenAsBefore(t *testing.T) {
	for name, url := range map[string]string{"sqlite": sqliteURL(t), "postgres": postgres.Start(t).Database(t)} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, url, 20)
			first, _, err := g.ring.Newest(agency)
			g.must(err)
			summary, err := rotation.Run(t.Context(), g.config(), false, nil)
			if err != nil || !summary.Made || summary.To.Number != 2 || summary.Rewrapped != 20 || summary.Unopened != 0 {
				t.Fatalf("%+v, %v", summary, err)
			}
			g.restart()
			g.check(summary.To.ID)
			if sum, events := g.recorded(summary.To.ID); sum != 20 || events != 3 {
				t.Errorf("%d keys in %d events are on record, want 20 in 3", sum, events)
			}
			// The former pair is of no use any more: everything opens without it.
			g.must(g.ring.Retire(agency, first.ID))
			g.check(summary.To.ID)
			g.restart()
			g.check(summary.To.ID)
			// And again, from a generation that is noted.
			second, err := rotation.Run(t.Context(), g.config(), false, nil)
			if err != nil || !second.Made || second.To.Number != 3 || second.Rewrapped != 20 {
				t.Fatalf("%+v, %v", second, err)
			}
			g.check(second.To.ID)
		})
	}
}

// TestARotationThatIsKilledAnywhereIsGoneOnWith stops it at each step, the nth
// time, starts again on what the disk holds, and wants all keys under one pair,
// each on record once.
func TestARotationThatIsKilledAnywhereIsGoneOnWith(t *testing.T) {
	for _, step := range []rotation.Step{rotation.StepRecorded, rotation.StepGenerated, rotation.StepWrapped, rotation.StepCommitted} {
		for nth := 1; nth <= 3; nth++ {
			if nth > 1 && (step == rotation.StepRecorded || step == rotation.StepGenerated) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", step, nth), func(t *testing.T) {
				g := newRig(t, sqliteURL(t), 24)
				c := g.config()
				left := nth
				c.Fail = func(s rotation.Step) error {
					if s == step {
						if left--; left == 0 {
							return errKilled
						}
					}
					return nil
				}
				killed, err := rotation.Run(t.Context(), c, false, nil)
				if !errors.Is(err, errKilled) {
					t.Fatalf("it was not killed: %+v, %v", killed, err)
				}
				g.restart()
				g.check("") // nothing is lost in between
				summary, err := rotation.Run(t.Context(), g.config(), false, nil)
				g.must(err)
				wantMade := step == rotation.StepRecorded
				if summary.Made != wantMade || summary.To.Number != 2 {
					t.Errorf("it went on with %+v", summary)
				}
				g.restart()
				g.check(summary.To.ID)
				if sum, _ := g.recorded(summary.To.ID); sum != 24 {
					t.Errorf("%d keys are on record as wrapped anew, want 24", sum)
				}
			})
		}
	}
}

func TestAKeyThatOpensWithNoPairIsLeftAndTold(t *testing.T) {
	g := newRig(t, sqliteURL(t), 10)
	broken := catalogtest.NewItem(100, g.clock.Now())
	broken.WrappedKey = make([]byte, seal.WrappedSize)
	g.must(g.db.Update(t.Context(), func(tx *sqldb.Tx) error { return tx.InsertItem(t.Context(), broken) }))
	summary, err := rotation.Run(t.Context(), g.config(), false, nil)
	if !errors.Is(err, rotation.ErrUnopened) || summary.Rewrapped != 10 || summary.Unopened != 1 {
		t.Fatalf("%+v, %v", summary, err)
	}
	g.check(summary.To.ID)
	kept, err := g.db.Item(t.Context(), agency, broken.ID)
	if err != nil || string(kept.WrappedKey) != string(broken.WrappedKey) || kept.AgencyKey != "" {
		t.Errorf("what could not be opened was changed: %v", err)
	}
	uses, err := g.db.KeyUses(t.Context(), agency)
	if err != nil || len(uses) != 2 || uses[0].Wrapped != 1 || uses[1].Wrapped != 10 {
		t.Errorf("%+v, %v", uses, err)
	}
}

// TestTwoRotationsAtOnceDoNoHarm: another process wraps the same keys, and a
// replaced key is never replaced by an older reading of it.
func TestTwoRotationsAtOnceDoNoHarm(t *testing.T) {
	g := newRig(t, sqliteURL(t), 20)
	c := g.config()
	var inner rotation.Summary
	c.Fail = func(s rotation.Step) error {
		if s != rotation.StepWrapped || inner.To.ID != "" {
			return nil
		}
		var err error
		inner, err = rotation.Run(context.WithoutCancel(t.Context()), g.config(), false, nil)
		return err
	}
	outer, err := rotation.Run(t.Context(), c, false, nil)
	g.must(err)
	if outer.To != inner.To || outer.Rewrapped+inner.Rewrapped != 20 {
		t.Errorf("outer %+v, inner %+v", outer, inner)
	}
	g.check(outer.To.ID)
	if sum, _ := g.recorded(outer.To.ID); sum != 20 {
		t.Errorf("%d keys on record, want 20", sum)
	}
}

// TestRotationOfMany is a measurement: SEALDOCK_ROTATE=100000 says of how many.
func TestRotationOfMany(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("SEALDOCK_ROTATE"))
	if err != nil {
		t.Skip("SEALDOCK_ROTATE is not set to a number of recordings: see make bench-rotate")
	}
	g := newRig(t, sqliteURL(t), n)
	c := g.config()
	c.Batch = 0
	began := time.Now()
	summary, err := rotation.Run(t.Context(), c, false, nil)
	took := time.Since(began)
	g.must(err)
	g.check(summary.To.ID)
	t.Logf("%d keys wrapped anew in %v, %.0f a second, every one opened and compared afterwards", summary.Rewrapped, took.Round(time.Millisecond), float64(summary.Rewrapped)/took.Seconds())
}
