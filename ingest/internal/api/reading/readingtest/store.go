package readingtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Agency is whose store it is.
const Agency evidence.AgencyID = "harbour-city-pd"

// LogOrigin is the custody log's name.
const LogOrigin = "sealdock.example/log"

// Password is the first administrator's.
const Password = "ferry lantern wheat orbit"

// Store is a filled server without its write side.
type Store struct {
	Path       string // of the SQLite file
	DB         *sqldb.DB
	Ring       *keys.Ring
	Blobs      *Blobs
	Live       *Live
	Clock      *Clock
	Auth       *auth.Service
	Settings   *settings.Service // which Auth follows
	Reading    *reading.Service
	Packages   *export.Service // whose receipts prove nothing: it makes none
	Fleet      *fleet.Service
	Cameras    *cameras.Service
	Cases      *cases.Service
	Uplink     *uplink.Service
	Docks      *Docks     // what Uplink is told of
	Log        *audit.Log // the custody log, signed when a test says so
	Inspection *inspection.Service
	Annotate   *annotate.Service
	Freezes    *freeze.Service
	Webhooks   *webhook.Service // that reach public addresses alone, as by default
	DockKey    ed25519.PrivateKey
	Receipts   ed25519.PrivateKey
	Gateway    func(context.Context, string, auth.PhoneMessage) error // hands codes for phones over
	entries    int64
}

// New makes an empty store whose clock stands at 2026-11-22 14:03:07 UTC.
func New(t testing.TB) *Store {
	t.Helper()
	dir := t.TempDir()
	clock := &Clock{at: time.Date(2026, 11, 22, 14, 3, 7, 120_000_000, time.UTC)}
	path := filepath.Join(dir, "catalog.db")
	db, err := sqldb.Open(t.Context(), "sqlite:"+path, clock.Now)
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	ring, err := keys.Create(filepath.Join(dir, "keys"), Agency)
	check(t, err)
	pepper := make([]byte, auth.PepperSize)
	rand.Read(pepper)
	decided, err := settings.New(t.Context(), settings.Config{Catalog: db, Agency: Agency, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	s := &Store{}
	people, err := auth.New(auth.Config{Catalog: db, Agency: Agency, Pepper: pepper, HashesAtOnce: 2, Hosts: []string{"localhost"}, Policy: decided.Policy, Now: clock.Now,
		Gateway: func(ctx context.Context, address string, m auth.PhoneMessage) error {
			return s.Gateway(ctx, address, m)
		}})
	check(t, err)
	_, dockKey, _ := ed25519.GenerateKey(nil)
	receiptPublic, receiptKey, _ := ed25519.GenerateKey(nil)
	*s = Store{
		Path: path,
		DB:   db, Ring: ring, Blobs: NewBlobs(), Live: NewLive(), Clock: clock, Auth: people, Settings: decided,
		DockKey: dockKey, Receipts: receiptKey,
	}
	camera, err := identity.NewStatementKey(identity.PurposeCamera)
	check(t, err)
	authority, err := identity.NewAuthority(Agency, clock.Now())
	check(t, err)
	s.Fleet, err = fleet.New(fleet.Config{
		Catalog: db, Agency: Agency, Key: camera, Certificate: authority.Certificate(), ReceiptKeys: [][]byte{receiptPublic}, Images: filepath.Join(dir, "firmware"), Now: clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	check(t, err)
	s.Cameras = cameras.New(cameras.Config{Catalog: db, Blobs: s.Blobs, Agency: Agency, Certify: s.Fleet.Certify, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	s.Cases = cases.New(cases.Config{Catalog: db, Auth: people, Agency: Agency, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	s.Docks = NewDocks()
	s.Uplink, err = uplink.New(t.Context(), uplink.Config{Catalog: db, Agency: Agency, Live: s.Docks, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	s.Reading = reading.New(reading.Config{
		Catalog: db, Blobs: s.Blobs, Keys: ring, Live: s.Live, ReceiptKey: receiptPublic, Agency: Agency,
		Space: func() (uint64, error) { return 5 << 40, nil }, Now: clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	s.Packages = export.New(export.Config{
		Catalog: db, Blobs: s.Blobs, Keys: ring, Agency: Agency, LogOrigin: "sealdock.example/log", LogKey: receiptPublic, ReceiptKey: receiptPublic,
		Now: clock.Now, Logger: slog.New(slog.DiscardHandler),
	})
	_, logKey, _ := ed25519.GenerateKey(nil)
	tiles := fs.Tiles(filepath.Join(dir, "log"))
	s.Log, err = audit.Open(t.Context(), audit.Config{Catalog: db, Tiles: tiles, Key: logKey, Origin: LogOrigin, Node: "node", Now: clock.Now, Logger: slog.New(slog.DiscardHandler)})
	check(t, err)
	s.Inspection = inspection.New(inspection.Config{
		Catalog: db, Tiles: tiles, Origin: LogOrigin, LogKey: logKey.Public().(ed25519.PublicKey), Agency: Agency, Now: clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	s.Annotate = annotate.New(annotate.Config{Catalog: db, Agency: Agency, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	s.Freezes = freeze.New(freeze.Config{Catalog: db, Agency: Agency, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	s.Webhooks, err = webhook.New(webhook.Config{
		Catalog: db, Agency: Agency, Key: pepper[:32], Networks: func(context.Context) []netip.Prefix { return nil }, Node: "node", Now: clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	check(t, err)
	s.RequireFactor(t, "nobody")
	return s
}

// RequireFactor says of whom a second factor is required: of nobody, unless a
// test says otherwise.
func (s *Store) RequireFactor(t testing.TB, whom string) {
	t.Helper()
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetSetting(ctx, &catalog.Setting{Agency: Agency, Name: "auth.factor_required", Value: whom, UpdatedAt: s.Clock.Now(), UpdatedBy: "local"})
	})
}

// Sequence has all events signed into the custody log.
func (s *Store) Sequence(t testing.TB) {
	t.Helper()
	_, _, err := s.Log.Sequence(t.Context())
	check(t, err)
}

// Enrol adds a dock. All docks of a store sign with DockKey.
func (s *Store) Enrol(t testing.TB, station evidence.StationID, dock evidence.DockID) {
	t.Helper()
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.RegisterDock(ctx, &catalog.Dock{
			Agency: Agency, ID: dock, Station: station, Fingerprint: evidence.SHA256([]byte(dock)),
			StatementKey: s.DockKey.Public().(ed25519.PublicKey), Enabled: true, EnrolledAt: s.Clock.Now(), GoodUntil: s.Clock.Now().Add(90 * 24 * time.Hour),
		})
	})
}

// SetUp makes the first administrator and returns the token of a session.
func (s *Store) SetUp(t testing.TB) (session string) {
	t.Helper()
	token, err := s.Auth.NewSetupToken(t.Context())
	check(t, err)
	session, err = s.Auth.SetUp(t.Context(), token, auth.Person{Login: "a.moreno", Name: "Alba Moreno", Password: Password}, auth.Origin{Address: "192.0.2.7"})
	check(t, err)
	return session
}

// Actor returns who is signed in with a session.
func (s *Store) Actor(t testing.TB, session string) *auth.Actor {
	t.Helper()
	actor, err := s.Auth.Actor(t.Context(), session, auth.Origin{Address: "192.0.2.7"})
	check(t, err)
	return actor
}

// Update runs one transaction on the catalog.
func (s *Store) Update(t testing.TB, fn func(ctx context.Context, tx *sqldb.Tx) error) {
	t.Helper()
	check(t, s.DB.Update(t.Context(), func(tx *sqldb.Tx) error { return fn(t.Context(), tx) }))
}

// Events counts the custody events of a kind, about an object unless it is "".
func (s *Store) Events(t testing.TB, kind evidence.EventType, object string) int64 {
	t.Helper()
	n, err := s.DB.CountEvents(t.Context(), catalog.EventFilter{Agency: Agency, Type: kind, Object: object})
	check(t, err)
	return n
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Clock stands still until it is moved. Safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now returns the present time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Live is a LiveSource that a test sets. Safe for concurrent use.
type Live struct {
	mu      sync.Mutex
	state   reading.Live
	changed chan struct{}
}

// NewLive returns an empty one.
func NewLive() *Live { return &Live{changed: make(chan struct{})} }

// Set replaces the state and tells those who wait.
func (l *Live) Set(state reading.Live) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = state
	close(l.changed)
	l.changed = make(chan struct{})
}

// Snapshot implements reading.LiveSource.
func (l *Live) Snapshot() reading.Live {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Changed implements reading.LiveSource.
func (l *Live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}
