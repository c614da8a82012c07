package catalogtest

import (
	"context"
	"errors"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (s suite) isError(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("got %v, want %v", err, want)
	}
}

func dockTokens(s suite) {
	now := s.clock.Now()
	token := &catalog.DockToken{Hash: evidence.Digest{1}, Agency: Agency, Dock: "front-desk", Station: "central", CreatedBy: "local", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	late := *token
	late.Hash, late.ExpiresAt = evidence.Digest{2}, now.Add(time.Minute)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return errors.Join(tx.InsertDockToken(ctx, token), tx.InsertDockToken(ctx, &late))
	})
	open, err := s.db.DockTokens(s.Context(), Agency)
	s.must(err)
	is(s, "open tokens", len(open), 2)
	s.clock.Advance(time.Minute)
	consume := func(hash evidence.Digest) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			used, err := tx.ConsumeDockToken(ctx, hash, s.clock.Now())
			if err == nil && (used.Dock != "front-desk" || used.Station != "central" || !used.UsedAt.Equal(s.clock.Now())) {
				s.Errorf("token: %+v", used)
			}
			return err
		}
	}
	s.refused(catalog.ErrTokenExpired, consume(late.Hash))
	s.refused(catalog.ErrNotFound, consume(evidence.Digest{3}))
	s.update(consume(token.Hash))
	s.refused(catalog.ErrTokenUsed, consume(token.Hash))
	open, err = s.db.DockTokens(s.Context(), Agency)
	s.must(err)
	is(s, "open tokens", len(open), 0)

	// What was withdrawn enrols nobody; what was used is not withdrawn.
	for n := range byte(3) {
		more := *token
		more.Hash, more.Dock, more.ExpiresAt = evidence.Digest{10 + n}, map[bool]evidence.DockID{true: "front-desk", false: "garage"}[n < 2], s.clock.Now().Add(time.Hour)
		s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertDockToken(ctx, &more) })
	}
	withdraw := func(hash evidence.Digest) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.WithdrawDockToken(ctx, Agency, hash, s.clock.Now())
		}
	}
	s.refused(catalog.ErrConflict, withdraw(token.Hash))
	s.refused(catalog.ErrConflict, withdraw(evidence.Digest{3}))
	s.update(withdraw(evidence.Digest{12}))
	s.refused(catalog.ErrConflict, withdraw(evidence.Digest{12}))
	s.refused(catalog.ErrTokenWithdrawn, consume(evidence.Digest{12}))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := tx.WithdrawDockTokens(ctx, Agency, "front-desk", s.clock.Now())
		is(s, "withdrawn", n, 2)
		return err
	})
	kept, err := s.db.DockToken(s.Context(), Agency, evidence.Digest{10})
	s.must(err)
	is(s, "withdrawn at", kept.Withdrawn, s.clock.Now())
	_, err = s.db.DockToken(s.Context(), "county", evidence.Digest{10})
	s.isError(err, catalog.ErrNotFound)
	open, err = s.db.DockTokens(s.Context(), Agency)
	s.must(err)
	is(s, "open tokens", len(open), 0)
}

func unusedDocks(s suite) {
	enrolled := func(id evidence.DockID) evidence.Event {
		return evidence.Event{Version: 1, Agency: Agency, Type: evidence.EventDockEnrolled, At: s.clock.Now(), Actor: evidence.Actor{Kind: "dock", ID: string(id)}, Object: evidence.DockObject(id), Outcome: evidence.OutcomeDone}
	}
	for _, id := range []evidence.DockID{"never", "seen", "carried"} {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.AppendEvent(ctx, enrolled(id))
			return errors.Join(err, tx.RegisterDock(ctx, &catalog.Dock{Agency: Agency, ID: id, Station: "central", StatementKey: make([]byte, 32), Enabled: true, EnrolledAt: s.clock.Now()}))
		})
	}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DockSeen(ctx, Agency, "seen", s.clock.Now(), "192.0.2.7:443", "v2")
	})
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { // on a drive, without ever connecting
		e := enrolled("carried")
		e.Type, e.Object = evidence.EventManifestReceived, evidence.ItemObject(evidence.EvidenceID{1})
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	remove := func(id evidence.DockID) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteDock(ctx, Agency, id) }
	}
	s.refused(catalog.ErrConflict, remove("seen"))
	s.refused(catalog.ErrConflict, remove("carried"))
	s.update(remove("never"))
	s.refused(catalog.ErrNotFound, remove("never"))
	keys, err := s.db.DockKeys(s.Context(), Agency, "never")
	s.must(err)
	is(s, "keys that stay", len(keys), 1)
}

func dockKeys(s suite) {
	dock := &catalog.Dock{Agency: Agency, ID: "front-desk", Station: "central", Fingerprint: evidence.Digest{1}, StatementKey: make([]byte, 32),
		Enabled: true, EnrolledAt: s.clock.Now(), GoodUntil: s.clock.Now().Add(90 * 24 * time.Hour), AgentVersion: "v1"}
	register := func(ctx context.Context, tx *sqldb.Tx) error { return tx.RegisterDock(ctx, dock) }
	seen := func(id evidence.DockID) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.DockSeen(ctx, Agency, id, s.clock.Now(), "192.0.2.7:443", "v2")
		}
	}
	s.refused(catalog.ErrNotFound, seen("front-desk"))
	s.update(register)
	s.clock.Advance(time.Hour)
	s.update(seen("front-desk"))
	got, err := s.db.Dock(s.Context(), Agency, "front-desk")
	s.must(err)
	is(s, "last seen", got.LastSeenAt, s.clock.Now())
	is(s, "last address", got.LastAddress, "192.0.2.7:443")
	is(s, "version", got.AgentVersion, "v2")
	is(s, "enabled", got.Enabled, true)

	dock.StatementKey, dock.EnrolledAt = append(make([]byte, 31), 1), s.clock.Now()
	s.update(register)
	keys, err := s.db.DockKeys(s.Context(), Agency, "front-desk")
	s.must(err)
	is(s, "keys", len(keys), 2)
	is(s, "the newest key", keys[0].PublicKey[31], 1)

	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetDockEnabled(ctx, Agency, "front-desk", false)
	})
	docks, err := s.db.Docks(s.Context(), Agency)
	s.must(err)
	is(s, "docks", len(docks), 1)
	is(s, "enabled", docks[0].Enabled, false)
	is(s, "end of the certificate", docks[0].GoodUntil, dock.GoodUntil)
	stations, err := s.db.Stations(s.Context(), Agency)
	s.must(err)
	is(s, "stations", len(stations), 1)
	_, err = s.db.Dock(s.Context(), "county", "front-desk")
	s.isError(err, catalog.ErrNotFound)
}

func inventories(s suite) {
	v := &catalog.Inventory{Agency: Agency, Digest: evidence.Digest{1}, Dock: "front-desk", Docking: evidence.DockingID{2}, Part: 1, Parts: 1, Camera: "CAM-1",
		TakenAt: s.clock.Now(), ReceivedAt: s.clock.Now(), Recordings: 12, Envelope: []byte("{}")}
	for _, want := range []bool{true, false} {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			fresh, err := tx.InsertInventory(ctx, v)
			is(s, "fresh", fresh, want)
			return err
		})
	}
	got, err := s.db.Inventory(s.Context(), Agency, v.Digest)
	s.must(err)
	is(s, "envelope", string(got.Envelope), "{}")
	for camera, want := range map[string]int{"": 1, "CAM-1": 1, "CAM-2": 0} {
		all, err := s.db.Inventories(s.Context(), Agency, camera, 10)
		s.must(err)
		is(s, "inventories of "+camera, len(all), want)
	}
}
