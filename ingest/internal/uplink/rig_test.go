package uplink

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

const (
	agency = "springfield"
	mbit   = 125_000
)

// live is a Source that a test sets.
type live struct {
	mu      sync.Mutex
	docks   []Dock
	changed chan struct{}
}

func (l *live) Docks() []Dock {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.docks)
}

func (l *live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// set changes what is reported of a dock.
func (l *live) set(id evidence.DockID, change func(*Dock)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.docks, func(d Dock) bool { return d.Dock == id })
	if at < 0 {
		at = len(l.docks)
		l.docks = append(l.docks, Dock{Agency: agency, Station: "north", Dock: id, Connected: true})
	}
	change(&l.docks[at])
	close(l.changed)
	l.changed = make(chan struct{})
}

// rig is a Service on a catalog of its own, in virtual time.
type rig struct {
	*Service
	*testing.T
	live  *live
	space atomic.Uint64
	db    *sqldb.DB
	path  string

	policy func(context.Context) ([]byte, error)
}

// virtual runs a test in a bubble of virtual time, which begins 2000-01-01 UTC, a
// Saturday.
func virtual(t *testing.T, check func(*testing.T, *rig)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "catalog.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		g := &rig{T: t, live: &live{changed: make(chan struct{})}, db: db, path: path}
		for dock, station := range map[evidence.DockID]evidence.StationID{"front": "north", "garage": "north", "pier": "harbour"} {
			g.must(db.Update(t.Context(), func(tx *sqldb.Tx) error {
				return tx.RegisterDock(t.Context(), &catalog.Dock{Agency: agency, ID: dock, Station: station, Fingerprint: evidence.SHA256([]byte(dock)), StatementKey: make([]byte, 32), Enabled: true, EnrolledAt: time.Now()})
			}))
		}
		g.setSpace(1 << 40)
		g.Service = g.service()
		check(t, g)
	})
}

func (g *rig) service() *Service {
	g.Helper()
	s, err := New(g.Context(), Config{Catalog: g.db, Agency: agency, Live: g.live, Space: func() (uint64, error) { return g.space.Load(), nil }, Policy: g.policy, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	g.must(err)
	return s
}

func (g *rig) setSpace(free uint64) { g.space.Store(free) }

// run runs the Service for as long as do takes.
func (g *rig) run(do func()) {
	g.Helper()
	ctx, stop := context.WithCancel(g.Context())
	ended := make(chan error)
	go func() { ended <- g.Service.Run(ctx) }()
	do()
	stop()
	g.must(<-ended)
}

func (g *rig) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *rig) table(windows ...string) *schedule.Table {
	g.Helper()
	t, err := schedule.ParseTable("UTC", windows)
	g.must(err)
	return t
}

// pass lets virtual time pass, and what is due be done.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// limit is what a dock may send at this moment.
func (g *rig) limit(id evidence.DockID) uint64 {
	g.Helper()
	station := evidence.StationID("north")
	if id == "pier" {
		station = "harbour"
	}
	d, _ := g.Direction(station, id)
	g.must(d.Validate())
	if !d.GetLimited() {
		return NoLimit
	}
	return d.GetBytesPerSecond()
}

// sends reports that a dock has so much to send and sends so fast.
func (g *rig) sends(id evidence.DockID, waiting, rate uint64) {
	g.live.set(id, func(d *Dock) {
		d.Status = &upload.Status{WaitingBytes: waiting, RecordingsWaiting: min(waiting, 7), BytesPerSecond: rate}
	})
}

func (g *rig) events(kind evidence.EventType) []evidence.Event {
	g.Helper()
	var all []evidence.Event
	rows, err := g.db.Events(g.Context(), catalog.EventFilter{Agency: agency, Type: kind}, 0)
	g.must(err)
	for _, row := range slices.Backward(rows) {
		var e evidence.Event
		g.must(json.Unmarshal(row.JSON, &e))
		all = append(all, e)
	}
	return all
}

// store makes an item stored, as custody does at the end.
func store(g *rig, i *catalog.Item) {
	g.Helper()
	g.must(g.db.Update(g.Context(), func(tx *sqldb.Tx) error {
		event, err := tx.AppendEvent(g.Context(), evidence.Event{Version: 1, Agency: agency, Type: evidence.EventEvidenceStored, At: time.Now(), Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Outcome: evidence.OutcomeDone})
		if err != nil {
			return err
		}
		return tx.StoreItem(g.Context(), agency, i.ID, i.Attempt, event, time.Now())
	}))
}

func administrator() *auth.Actor {
	return &auth.Actor{User: "u1", Agency: agency, Login: "a.moreno", Name: "Alba Moreno", Role: auth.Administrator, Powers: auth.ShippedPowers(auth.Administrator), Origin: auth.Origin{Address: "192.0.2.7"}}
}

func operator() *auth.Actor {
	a := administrator()
	a.User, a.Name, a.Role, a.Powers = "u2", "Jun Doe", auth.Operator, auth.ShippedPowers(auth.Operator)
	return a
}

func item(n byte) evidence.EvidenceID { return evidence.EvidenceID{15: n} }

// queue reports what waits at a dock.
func (g *rig) queue(id evidence.DockID, waiting ...*upload.Waiting) {
	g.live.set(id, func(d *Dock) {
		d.Queue = &upload.Queue{Waiting: waiting, Recordings: uint64(len(waiting)), Bytes: uint64(len(waiting)) << 30}
		g.must(d.Queue.Validate())
	})
}

func waits(n byte) *upload.Waiting {
	return &upload.Waiting{EvidenceId: item(n).String(), Path: "DCIM/CLIP.MP4", CameraSerial: "SD-1", Bay: "1-1", Length: 1 << 30}
}
