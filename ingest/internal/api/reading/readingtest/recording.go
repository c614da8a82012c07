package readingtest

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Recording is what a test puts into the store.
type Recording struct {
	Path     string
	Kind     evidence.Kind
	Content  []byte
	Encoded  []byte // what is sealed, as zstd of Content; nil: Content
	Camera   string // serial
	Model    string
	Officer  string
	Badge    string // id of the officer, as the camera says
	Category string // as the camera says
	Dock     evidence.DockID
	Station  evidence.StationID
	Began    time.Time
	Ended    time.Time
	Marks    []evidence.Mark
	Stored   map[string]string        // details of the event of its storing, beside its hash
	Adjust   func(*evidence.Manifest) // changes the manifest before it is signed
}

// Key names an item's blob.
func Key(item *catalog.Item) vault.Key {
	return vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt}
}

// Offer adds a recording that a dock has announced, with its events.
func (s *Store) Offer(t testing.TB, r Recording) *catalog.Item {
	t.Helper()
	m := s.manifest(&r)
	m.MerkleRoot = evidence.MerkleRoot(leavesOf(r.Content))
	content := r.Content
	if r.Encoded != nil {
		content = r.Encoded
		m.Content = &evidence.Content{Encoding: evidence.EncodedZstd, Length: uint64(len(content)), MerkleRoot: evidence.MerkleRoot(leavesOf(content))}
	}
	if r.Adjust != nil {
		r.Adjust(m)
	}
	payload, err := evidence.Encode(m)
	check(t, err)
	key, err := seal.NewKey()
	check(t, err)
	defer key.Zero()
	aad := seal.AAD(Agency, m.Evidence, m.Attempt)
	public, err := s.Ring.Public(Agency)
	check(t, err)
	wrapped, err := seal.Wrap(public, key, aad)
	check(t, err)
	sealer, err := seal.NewSealer(key, aad)
	check(t, err)
	item := &catalog.Item{
		Agency: Agency, ID: m.Evidence, Attempt: 1, Dock: r.Dock, Station: r.Station, Bay: m.Bay, Docking: m.Docking,
		Camera: r.Camera, CameraModel: r.Model, Path: r.Path, Kind: r.Kind, Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot,
		Officer: r.Officer, OfficerID: r.Badge, Category: r.Category, StartedAt: r.Began, EndedAt: r.Ended, Sequence: m.Recording.Sequence, SequenceSource: m.Recording.SequenceSource, Confirmed: m.Confirmed, State: catalog.StateReceiving, OfferedAt: s.Clock.Now(), EventIndex: -1,
		ManifestDigest: evidence.SHA256(payload), Manifest: evidence.Sign(evidence.TypeManifest, payload, "dock", s.DockKey).Marshal(),
		Leaves: evidence.EncodeLeaves(leavesOf(content)), Header: sealer.Header(), WrappedKey: wrapped,
	}
	if r.Encoded != nil {
		item.Encoding, item.Encoded = m.Content.Encoding, m.Content.Length
	}
	if at, ok := m.Clocks.Correct(r.Began); ok {
		item.CorrectedAt, item.Uncertainty = at.At.Truncate(time.Microsecond), at.Uncertainty
	}
	s.Blobs.Put(Key(item), sealed(t, sealer, content))
	dock := evidence.Actor{Kind: "dock", ID: string(r.Dock)}
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.InsertItem(ctx, item); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, s.event(evidence.EventManifestReceived, dock, item))
		return err
	})
	return item
}

// Keep adds a recording that is stored and has its receipt.
func (s *Store) Keep(t testing.TB, r Recording) *catalog.Item {
	t.Helper()
	item := s.Offer(t, r)
	stored := s.event(evidence.EventEvidenceStored, evidence.Actor{Kind: "server", ID: "server"}, item)
	stored.Details = map[string]string{"sha256": item.SHA256.String()}
	maps.Copy(stored.Details, r.Stored)
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		event, err := tx.AppendEvent(ctx, stored)
		if err != nil {
			return err
		}
		return tx.StoreItem(ctx, item.Agency, item.ID, item.Attempt, event, s.Clock.Now())
	})
	text, err := stored.Encode()
	check(t, err)
	payload, err := evidence.Encode(&evidence.Receipt{
		Version: 1, Agency: Agency, Dock: item.Dock, Evidence: item.ID, Attempt: item.Attempt, CameraSerial: item.Camera, Path: item.Path,
		Length: item.Length, SHA256: item.SHA256, MerkleRoot: item.MerkleRoot, ManifestDigest: item.ManifestDigest, StoredAt: s.Clock.Now(),
		Proof: evidence.LogProof{Origin: "sealdock.example/log", Index: s.entries, Salt: make([]byte, 32), Event: text, Checkpoint: "sealdock.example/log\n4711\nbm90IGEgcmVhbCByb290\n"},
	})
	check(t, err)
	receipt := evidence.Sign(evidence.TypeReceipt, payload, "receipt", s.Receipts).Marshal()
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetReceipt(ctx, item.Agency, item.ID, item.Attempt, s.entries, receipt)
	})
	s.entries++
	return s.Item(t, item.ID)
}

// Hold adds a recording that is in quarantine for a reason.
func (s *Store) Hold(t testing.TB, r Recording, reason string) *catalog.Item {
	t.Helper()
	item := s.Offer(t, r)
	e := s.event(evidence.EventQuarantined, evidence.Actor{Kind: "server", ID: "server"}, item)
	e.Reason = reason
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.QuarantineItem(ctx, item.Agency, item.ID, item.Attempt, reason); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	return s.Item(t, item.ID)
}

// Item reads an item from the catalog.
func (s *Store) Item(t testing.TB, id evidence.EvidenceID) *catalog.Item {
	t.Helper()
	item, err := s.DB.Item(t.Context(), Agency, id)
	check(t, err)
	return item
}

func (s *Store) event(kind evidence.EventType, by evidence.Actor, item *catalog.Item) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: Agency, Type: kind, At: s.Clock.Now(), Actor: by, Source: "local",
		Object: evidence.ItemObject(item.ID), Outcome: evidence.OutcomeDone,
	}
}

// manifest fills in what the test left out of r.
func (s *Store) manifest(r *Recording) *evidence.Manifest {
	if r.Camera == "" {
		r.Camera, r.Model = "SD-04412", "Sealdock Sim 2"
	}
	if r.Dock == "" {
		r.Dock, r.Station = "front-desk", "north"
	}
	if r.Kind == "" {
		r.Kind = evidence.KindVideo
	}
	now := s.Clock.Now()
	return &evidence.Manifest{
		Version: 1, Agency: Agency, Station: r.Station, Dock: r.Dock, Bay: "1-2", Docking: evidence.NewDockingID(),
		Evidence: evidence.NewEvidenceID(), Attempt: 1,
		Camera:    evidence.CameraInfo{Serial: r.Camera, Vendor: "Sealdock", Model: r.Model, Firmware: "2.4.1"},
		Recording: evidence.RecordingInfo{Path: r.Path, Handle: 7, Format: 0xB982, Size: uint64(len(r.Content)), SizeKnown: true, CapturedRaw: "20261122T135101", Kind: r.Kind},
		Claims:    evidence.Claims{Officer: r.Officer, Category: r.Category, StartedAt: r.Began, EndedAt: r.Ended, Marks: r.Marks},
		Length:    uint64(len(r.Content)), SHA256: evidence.SHA256(r.Content), Confirmed: evidence.ConfirmedByReread,
		Clocks: evidence.Clocks{DockStart: now.Add(-time.Minute), DockEnd: now.Add(-30 * time.Second), CameraRaw: "20261122T140209", CameraAt: now.Add(-time.Minute)},
		Agent:  "0.1.0",
	}
}

func leavesOf(content []byte) []evidence.Digest {
	var leaves []evidence.Digest
	for i := range evidence.LeafCount(uint64(len(content))) {
		leaves = append(leaves, evidence.LeafHash(part(content, i)))
	}
	return leaves
}

func part(content []byte, index uint64) []byte {
	from := index * evidence.LeafSize
	return content[from:min(from+evidence.LeafSize, uint64(len(content)))]
}

func sealed(t testing.TB, sealer *seal.Sealer, content []byte) []byte {
	t.Helper()
	blob := append([]byte(nil), sealer.Header()...)
	last := evidence.LeafCount(uint64(len(content))) - 1
	for i := range last + 1 {
		var err error
		blob, err = sealer.Seal(blob, part(content, i), i, i == last)
		check(t, err)
	}
	return blob
}
