package export_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	agency = evidence.AgencyID("metro-pd")
	dock   = evidence.DockID("front-desk")
	origin = "example.org/custody"
)

// world is a server's store: real catalog, vault, log and keys.
type world struct {
	testing.TB
	dir     string
	clock   *catalogtest.Clock
	db      *sqldb.DB
	vault   *fs.Store
	audit   *audit.Log
	ring    *keys.Ring
	dockKey ed25519.PrivateKey
	receipt ed25519.PrivateKey
	log     ed25519.PrivateKey
	camera  ed25519.PrivateKey
	service *export.Service
	config  export.Config
	items   []evidence.EvidenceID
}

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), n))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func newWorld(t testing.TB) *world { return newServer(t, key(1), key(2), key(3)) }

// newServer is newWorld under other keys.
func newServer(t testing.TB, dockKey, receipt, log ed25519.PrivateKey) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), clock: catalogtest.NewClock(), dockKey: dockKey, receipt: receipt, log: log, camera: key(4)}
	var err error
	w.db, err = sqldb.Open(t.Context(), "sqlite:"+filepath.Join(w.dir, "catalog.db"), w.clock.Now)
	w.must(err)
	t.Cleanup(func() { w.must(w.db.Close()) })
	w.vault, err = fs.New(filepath.Join(w.dir, "vault"))
	w.must(err)
	w.ring, err = keys.Create(filepath.Join(w.dir, "keys"), agency)
	w.must(err)
	tiles := fs.Tiles(filepath.Join(w.dir, "log"))
	w.audit, err = audit.Open(t.Context(), audit.Config{Catalog: w.db, Tiles: tiles, Key: w.log, Origin: origin, Node: "node", Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.RegisterDock(ctx, &catalog.Dock{Agency: agency, ID: dock, Station: "central", StatementKey: public(w.dockKey), Enabled: true, EnrolledAt: w.clock.Now()}); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, evidence.Event{Agency: agency, Type: evidence.EventDockEnrolled, Actor: evidence.Actor{Kind: "dock", ID: string(dock)}, Object: evidence.DockObject(dock),
			Outcome: evidence.OutcomeDone, Details: map[string]string{"statement_key_sha256": evidence.KeyID(public(w.dockKey)).String()}})
		return err
	})
	w.config = export.Config{
		Catalog: w.db, Blobs: w.vault, Keys: w.ring, Log: w, Tiles: tiles, Agency: agency, LogOrigin: origin, LogKey: public(w.log), ReceiptKey: public(w.receipt),
		Host: "evidence.example.org", Program: "sealdock-ingest test", Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler),
	}
	w.service = export.New(w.config)
	return w
}

// Await implements export.Log.
func (w *world) Await(ctx context.Context, _ int64) error {
	_, _, err := w.audit.Sequence(ctx)
	return err
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) update(fn func(ctx context.Context, tx *sqldb.Tx) error) {
	w.Helper()
	w.must(w.db.Update(w.Context(), func(tx *sqldb.Tx) error { return fn(w.Context(), tx) }))
}

// recording is what a test puts into the store.
type recording struct {
	path    string
	content []byte
	sealed  []byte // zstd of content; nil: content
	adjust  func(*evidence.Manifest)
	signed  bool // by the camera, in the inventory
	erased  bool
}

func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// keep stores a recording with everything that belongs to it.
func (w *world) keep(r recording) evidence.EvidenceID {
	w.Helper()
	id, sealed := evidence.NewEvidenceID(), r.content
	if r.sealed != nil {
		sealed = r.sealed
	}
	aad := seal.AAD(agency, id, 1)
	secret, err := seal.NewKey()
	w.must(err)
	sealer, err := seal.NewSealer(secret, aad)
	w.must(err)
	agencyKey, err := w.ring.Public(agency)
	w.must(err)
	wrapped, err := seal.Wrap(agencyKey, secret, aad)
	w.must(err)
	now := w.clock.Now()
	m := &evidence.Manifest{Version: 1, Agency: agency, Station: "central", Dock: dock, Bay: "1-1", Docking: evidence.NewDockingID(), Evidence: id, Attempt: 1,
		Camera:    evidence.CameraInfo{Serial: "CAM-1", Model: "Vigil 3", Key: public(w.camera), KeyStanding: evidence.KeyProven},
		Recording: evidence.RecordingInfo{Path: r.path, Kind: evidence.KindVideo, Size: uint64(len(r.content)), SizeKnown: true, CapturedRaw: "20261122T120000"},
		Claims:    evidence.Claims{Officer: "Jane Doe", StartedAt: now.Add(-time.Hour), EndedAt: now.Add(-50 * time.Minute)},
		Length:    uint64(len(r.content)), SHA256: evidence.SHA256(r.content), MerkleRoot: evidence.MerkleRoot(leavesOf(r.content)), Confirmed: evidence.ConfirmedByReread,
		Clocks: evidence.Clocks{DockStart: now.Add(-time.Minute), DockEnd: now, Camera: &evidence.Offset{At: now, Ahead: 4_000_000, Uncertainty: 500_000, Exchanges: 3},
			Dock: &evidence.Offset{At: now, Ahead: -2000, Uncertainty: 900, Exchanges: 5}}, Agent: "test"}
	if r.sealed != nil {
		m.Content = &evidence.Content{Encoding: evidence.EncodedZstd, Length: uint64(len(sealed)), MerkleRoot: evidence.MerkleRoot(leavesOf(sealed))}
	}
	if r.adjust != nil {
		r.adjust(m)
	}
	w.inventory(m, r.signed)
	payload, err := evidence.Encode(m)
	w.must(err)
	item := &catalog.Item{Agency: agency, ID: id, Attempt: 1, Dock: dock, Station: m.Station, Bay: m.Bay, Docking: m.Docking, Camera: m.Camera.Serial,
		CameraModel: m.Camera.Model, Path: m.Recording.Path, Kind: m.Recording.Kind, Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot, OfferedAt: now, EventIndex: -1,
		ManifestDigest: evidence.SHA256(payload), Manifest: evidence.Sign(evidence.TypeManifest, payload, "dock", w.dockKey).Marshal(),
		Leaves: evidence.EncodeLeaves(leavesOf(sealed)), Header: sealer.Header(), WrappedKey: wrapped}
	if m.Content != nil {
		item.Encoding, item.Encoded = m.Content.Encoding, m.Content.Length
	}
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.InsertItem(ctx, item); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, evidence.Event{Agency: agency, Type: evidence.EventManifestReceived, Actor: evidence.Actor{Kind: "dock", ID: string(dock)}, Object: evidence.ItemObject(id), Outcome: evidence.OutcomeDone})
		return err
	})
	u, err := w.vault.Create(w.Context(), vault.Key{Agency: agency, ID: id, Attempt: 1}, item.Header)
	w.must(err)
	last := len(leavesOf(sealed)) - 1
	for i := range last + 1 {
		segment, err := sealer.Seal(nil, piece(sealed, i), uint64(i), i == last)
		w.must(err)
		w.must(u.WriteSegment(uint64(i), segment))
	}
	w.must(errors.Join(u.Commit(w.Context()), u.Close()))
	w.clock.Advance(time.Second)
	receipt := w.store(item)
	if r.erased {
		w.release(item, receipt)
	}
	w.items = append(w.items, id)
	return id
}

// inventory keeps what the camera showed.
func (w *world) inventory(m *evidence.Manifest, signed bool) {
	v := &evidence.Inventory{Version: 1, Agency: agency, Station: m.Station, Dock: dock, Bay: m.Bay, Docking: m.Docking, Part: 1, Parts: 1, TakenAt: w.clock.Now(), Camera: m.Camera, Recordings: []evidence.RecordingInfo{m.Recording}}
	if signed {
		listing, err := evidence.Encode(&evidence.CameraListing{Version: 1, Serial: m.Camera.Serial, Boot: 1, Part: 1, Parts: 1, At: w.clock.Now(), Next: 8,
			Recordings: []evidence.CameraRecording{{Sequence: 7, Name: m.Recording.Path, Length: m.Length, SHA256: m.SHA256}}})
		w.must(err)
		v.Listings = [][]byte{evidence.Sign(evidence.TypeCameraListing, listing, "camera", w.camera).Marshal()}
		m.Confirmed, m.Recording.Signed = evidence.ConfirmedByCamera, &m.SHA256
	}
	payload, err := evidence.Encode(v)
	w.must(err)
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.InsertInventory(ctx, &catalog.Inventory{Agency: agency, Digest: evidence.SHA256(payload), Dock: dock, Docking: m.Docking, Part: 1, Parts: 1, Camera: m.Camera.Serial,
			TakenAt: v.TakenAt, ReceivedAt: w.clock.Now(), Recordings: 1, Envelope: evidence.Sign(evidence.TypeInventory, payload, "dock", w.dockKey).Marshal()})
		return err
	})
}

// store enters the item into the log and signs its receipt, whose envelope it
// returns.
func (w *world) store(item *catalog.Item) *evidence.Envelope {
	w.Helper()
	r := &evidence.Receipt{Version: 1, Agency: agency, Dock: dock, Evidence: item.ID, Attempt: 1, CameraSerial: item.Camera, Path: item.Path, Length: item.Length,
		SHA256: item.SHA256, MerkleRoot: item.MerkleRoot, ManifestDigest: item.ManifestDigest, StoredAt: w.clock.Now()}
	var event int64
	w.update(func(ctx context.Context, tx *sqldb.Tx) (err error) {
		if event, err = tx.AppendEvent(ctx, evidence.Event{Agency: agency, Type: evidence.EventEvidenceStored, Actor: evidence.Actor{Kind: "server", ID: "ingest"},
			Object: evidence.ItemObject(item.ID), Outcome: evidence.OutcomeDone, Details: proof.StoredDetails(r)}); err != nil {
			return err
		}
		return tx.StoreItem(ctx, agency, item.ID, 1, event, w.clock.Now())
	})
	w.must(w.Await(w.Context(), event))
	row, err := w.db.Event(w.Context(), agency, event)
	w.must(err)
	index, _, path, checkpoint, err := w.audit.Prove(w.Context(), event)
	w.must(err)
	r.Proof = evidence.LogProof{Origin: origin, Index: index, Salt: row.Salt, Event: row.JSON, Checkpoint: string(checkpoint)}
	for _, h := range path {
		r.Proof.Path = append(r.Proof.Path, evidence.Digest(h))
	}
	payload, err := evidence.Encode(r)
	w.must(err)
	envelope := evidence.Sign(evidence.TypeReceipt, payload, "receipt", w.receipt)
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetReceipt(ctx, agency, item.ID, 1, index, envelope.Marshal())
	})
	return envelope
}

func (w *world) release(item *catalog.Item, receipt *evidence.Envelope) {
	w.Helper()
	r := &evidence.Release{Version: 1, Agency: agency, Dock: dock, Bay: "1-1", Evidence: item.ID, CameraSerial: item.Camera, Path: item.Path,
		ReceiptDigest: evidence.SHA256(receipt.Payload), Method: "ptp-delete-object", Result: evidence.ReleaseErased, At: w.clock.Now()}
	payload, err := evidence.Encode(r)
	w.must(err)
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.InsertRelease(ctx, &catalog.Release{Agency: agency, Item: item.ID, Digest: evidence.SHA256(payload), Result: r.Result, At: r.At,
			ReceivedAt: w.clock.Now(), Envelope: evidence.Sign(evidence.TypeRelease, payload, "dock", w.dockKey).Marshal()})
		return err
	})
}

// view adds n custody events to an item.
func (w *world) view(id evidence.EvidenceID, n int) {
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		for i := range n {
			if _, err := tx.AppendEvent(ctx, evidence.Event{Agency: agency, Type: evidence.EventEvidenceViewed, Actor: evidence.Actor{Kind: "user", ID: fmt.Sprint("u", i), Name: "Žofia Ångström 警察"},
				Source: "192.0.2.7", Object: evidence.ItemObject(id), Outcome: evidence.OutcomeDone}); err != nil {
				return err
			}
		}
		return nil
	})
}

func leavesOf(b []byte) []evidence.Digest {
	var leaves []evidence.Digest
	for i := range int(evidence.LeafCount(uint64(len(b)))) {
		leaves = append(leaves, evidence.LeafHash(piece(b, i)))
	}
	return leaves
}

func piece(b []byte, index int) []byte {
	return b[index*evidence.LeafSize : min((index+1)*evidence.LeafSize, len(b))]
}

// pack makes a package and returns its bytes.
func (w *world) pack(ids ...evidence.EvidenceID) []byte {
	w.Helper()
	p, err := w.service.Make(w.Context(), export.CommandLine(), export.Whole(ids...))
	w.must(err)
	defer p.Close()
	var b bytes.Buffer
	w.must(p.WriteTo(w.Context(), &b))
	if uint64(b.Len()) != p.Size {
		w.Errorf("the package has %d bytes, %d were announced", b.Len(), p.Size)
	}
	return b.Bytes()
}

// judge is what somebody outside finds who knows the log's key.
func (w *world) judge(b []byte) *verifier.Report {
	w.Helper()
	r, err := verifier.Archive(w.Context(), bytes.NewReader(b), int64(len(b)), verifier.Options{Pins: w.pins()})
	w.must(err)
	return r
}

func (w *world) pins() verifier.Pins {
	text, err := tlog.VerifierKey(origin, public(w.log))
	w.must(err)
	return verifier.Pins{LogKey: text}
}

func officer(role auth.Role) *auth.Actor {
	return &auth.Actor{User: "u1", Agency: agency, Name: "Alba Moreno", Role: role, Powers: auth.ShippedPowers(role), Origin: auth.Origin{Address: "192.0.2.7"}}
}

func (w *world) blobPath(id evidence.EvidenceID) string {
	name := id.String() + "-1.floe"
	return filepath.Join(w.dir, "vault", "blobs", string(agency), name[:2], name)
}

// harm flips one bit of a blob.
func (w *world) harm(id evidence.EvidenceID, offset int) {
	b, err := os.ReadFile(w.blobPath(id))
	w.must(err)
	b[offset] ^= 1
	w.must(os.WriteFile(w.blobPath(id), b, 0o600))
}

func (w *world) lose(id evidence.EvidenceID) { w.must(os.Remove(w.blobPath(id))) }
