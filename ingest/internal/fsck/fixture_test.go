package fsck_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/catalogtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	agency = evidence.AgencyID("metro-pd")
	dock   = evidence.DockID("front-desk")
	origin = "example.org/custody"
)

// world is a whole server's store, made without the server's write path.
type world struct {
	*testing.T
	dir     string
	url     string
	clock   *catalogtest.Clock
	db      *sqldb.DB
	vault   *fs.Store
	audit   *audit.Log
	private *seal.PrivateKey
	dockKey ed25519.PrivateKey
	receipt ed25519.PrivateKey
	log     ed25519.PrivateKey
	items   []*catalog.Item
}

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), n))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// template is the store that every test gets a copy of, and its folder.
type template struct {
	once  sync.Once
	world *world
	dir   string
}

var made template // by the first test, removed by TestMain

func TestMain(m *testing.M) {
	code := m.Run()
	if made.dir != "" {
		os.RemoveAll(made.dir)
	}
	os.Exit(code)
}

// newWorld returns a copy of a store with four stored items (of three segments,
// of one full one, empty, small), one that is coming in and one in quarantine.
func newWorld(t *testing.T) *world {
	t.Helper()
	made.once.Do(func() {
		var err error
		if made.dir, err = os.MkdirTemp("", "fsck-"); err != nil {
			t.Fatal(err)
		}
		made.world = makeWorld(t, made.dir)
	})
	if made.world == nil {
		t.Fatal("the store to be copied could not be made")
	}
	w := *made.world
	w.T, w.dir, w.items = t, filepath.Join(t.TempDir(), "copy"), slices.Clone(w.items)
	w.must(os.CopyFS(w.dir, os.DirFS(made.dir)))
	w.open()
	return &w
}

// makeWorld makes the store anew, and closes it.
func makeWorld(t *testing.T, dir string) *world {
	w := &world{T: t, dir: dir, clock: catalogtest.NewClock(), dockKey: key(1), receipt: key(2), log: key(3)}
	w.open()
	var err error
	w.private, err = seal.GeneratePrivateKey()
	w.must(err)
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.RegisterDock(ctx, &catalog.Dock{Agency: agency, ID: dock, Station: "central", StatementKey: public(w.dockKey), Enabled: true, EnrolledAt: w.clock.Now()})
	})
	for n, length := range []int{5<<19 + 77, 1 << 20, 0, 1000} {
		w.store(n, length)
	}
	w.release(w.items[0])
	w.unfinished(4, catalog.StateReceiving)
	w.unfinished(5, catalog.StateQuarantined)
	w.must(w.db.Close())
	return w
}

// open opens catalog, vault and log in the world's folder.
func (w *world) open() {
	w.Helper()
	w.url = "sqlite:" + filepath.Join(w.dir, "catalog.db")
	var err error
	w.db, err = sqldb.Open(w.Context(), w.url, w.clock.Now)
	w.must(err)
	w.Cleanup(func() { w.db.Close() })
	w.vault, err = fs.New(filepath.Join(w.dir, "vault"))
	w.must(err)
	w.audit, err = audit.Open(w.Context(), audit.Config{Catalog: w.db, Tiles: fs.Tiles(w.logDir()), Key: w.log, Origin: origin,
		Node: "node", Now: w.clock.Now, Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
}

func (w *world) logDir() string { return filepath.Join(w.dir, "log") }

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

// sql changes the database as somebody with its password can.
func (w *world) sql(statements ...string) {
	w.Helper()
	raw := catalogtest.Raw(w.T, w.url)
	for _, s := range append([]string{"DROP TRIGGER IF EXISTS events_never_changed", "DROP TRIGGER IF EXISTS events_never_deleted"}, statements...) {
		if _, err := raw.ExecContext(w.Context(), s); err != nil {
			w.Fatalf("%s: %v", s, err)
		}
	}
}

// offered makes the n-th recording: its row and its sealed segments.
func (w *world) offered(n, length int) (*catalog.Item, [][]byte) {
	w.Helper()
	content := make([]byte, length)
	rand.NewChaCha8([32]byte{byte(n)}).Read(content)
	return w.offeredAs(n, content, content, nil)
}

// offeredAs is offered for a recording of which sealed is sealed.
func (w *world) offeredAs(n int, content, sealed []byte, adjust func(*evidence.Manifest)) (*catalog.Item, [][]byte) {
	w.Helper()
	length := len(content)
	var id evidence.EvidenceID
	copy(id[:], fmt.Sprintf("item %011d", n))
	aad := seal.AAD(agency, id, 1)
	secret, err := seal.NewKey()
	w.must(err)
	sealer, err := seal.NewSealer(secret, aad)
	w.must(err)
	wrapped, err := seal.Wrap(w.private.Public(), secret, aad)
	w.must(err)
	leaves := leavesOf(sealed)
	var segments [][]byte
	for i := range leaves {
		segment, err := sealer.Seal(nil, piece(sealed, i), uint64(i), i == len(leaves)-1)
		w.must(err)
		segments = append(segments, segment)
	}
	now := w.clock.Now()
	m := &evidence.Manifest{Version: 1, Agency: agency, Station: "central", Dock: dock, Bay: "1-1", Docking: evidence.DockingID{1}, Evidence: id, Attempt: 1,
		Camera:    evidence.CameraInfo{Serial: "CAM-1", Model: "M"},
		Recording: evidence.RecordingInfo{Path: fmt.Sprintf("DCIM/100/CLIP%d.MP4", n), Kind: evidence.KindVideo, Size: uint64(length), SizeKnown: true},
		Claims:    evidence.Claims{Officer: "Jane Doe", OfficerID: "B1", Category: "traffic", StartedAt: now.Add(-time.Hour).Add(123)},
		Length:    uint64(length), SHA256: evidence.SHA256(content), MerkleRoot: evidence.MerkleRoot(leavesOf(content)), Confirmed: evidence.ConfirmedByReread,
		Clocks: evidence.Clocks{DockStart: now, DockEnd: now}, Agent: "test"}
	if adjust != nil {
		adjust(m)
	}
	payload, err := evidence.Encode(m)
	w.must(err)
	item := &catalog.Item{Agency: agency, ID: id, Attempt: 1, Dock: dock, Station: m.Station, Bay: m.Bay, Docking: m.Docking, Camera: m.Camera.Serial,
		CameraModel: m.Camera.Model, Path: m.Recording.Path, Kind: m.Recording.Kind, Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot,
		Officer: m.Claims.Officer, OfficerID: m.Claims.OfficerID, Category: m.Claims.Category, StartedAt: m.Claims.StartedAt, OfferedAt: now,
		ManifestDigest: evidence.SHA256(payload), Manifest: evidence.Sign(evidence.TypeManifest, payload, "dock", w.dockKey).Marshal(),
		Leaves: evidence.EncodeLeaves(leaves), Header: sealer.Header(), WrappedKey: wrapped}
	if m.Content != nil {
		item.Encoding, item.Encoded = m.Content.Encoding, m.Content.Length
	}
	w.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertItem(ctx, item) })
	return item, segments
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

func blobKey(i *catalog.Item) vault.Key {
	return vault.Key{Agency: i.Agency, ID: i.ID, Attempt: i.Attempt}
}

func (w *world) upload(item *catalog.Item, segments [][]byte) vault.Upload {
	w.Helper()
	u, err := w.vault.Create(w.Context(), blobKey(item), item.Header)
	w.must(err)
	for i, s := range segments {
		w.must(u.WriteSegment(uint64(i), s))
	}
	return u
}

// store makes a stored item with everything that belongs to it.
func (w *world) store(n, length int) {
	w.Helper()
	w.keep(w.offered(n, length))
}

func (w *world) keep(item *catalog.Item, segments [][]byte) {
	w.Helper()
	u := w.upload(item, segments)
	w.must(errors.Join(u.Commit(w.Context()), u.Close()))
	w.clock.Advance(time.Second)
	r := &evidence.Receipt{Version: 1, Agency: agency, Dock: dock, Evidence: item.ID, Attempt: 1, CameraSerial: item.Camera, Path: item.Path, Length: item.Length,
		SHA256: item.SHA256, MerkleRoot: item.MerkleRoot, ManifestDigest: item.ManifestDigest, StoredAt: w.clock.Now()}
	var event int64
	w.update(func(ctx context.Context, tx *sqldb.Tx) (err error) {
		event, err = tx.AppendEvent(ctx, evidence.Event{Agency: agency, Type: evidence.EventEvidenceStored, Actor: evidence.Actor{Kind: "server", ID: "ingest"},
			Object: evidence.ItemObject(item.ID), Outcome: evidence.OutcomeDone, Details: proof.StoredDetails(r)})
		if err != nil {
			return err
		}
		return tx.StoreItem(ctx, agency, item.ID, 1, event, w.clock.Now())
	})
	_, _, err := w.audit.Sequence(w.Context())
	w.must(err)
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
	w.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetReceipt(ctx, agency, item.ID, 1, index, evidence.Sign(evidence.TypeReceipt, payload, "receipt", w.receipt).Marshal())
	})
	w.items = append(w.items, item)
}

// release notes that the original was erased.
func (w *world) release(item *catalog.Item) {
	w.Helper()
	full, err := w.db.Item(w.Context(), agency, item.ID)
	w.must(err)
	receipt, err := evidence.ParseEnvelope(full.Receipt)
	w.must(err)
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

// unfinished makes an item whose blob never became whole.
func (w *world) unfinished(n int, state catalog.ItemState) {
	w.Helper()
	item, segments := w.offered(n, 3<<20)
	w.must(w.upload(item, segments[:1]).Close())
	if state == catalog.StateQuarantined {
		w.must(w.vault.Quarantine(w.Context(), blobKey(item)))
		w.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.QuarantineItem(ctx, agency, item.ID, 1, "leaf 1 differs")
		})
	}
	w.items = append(w.items, item)
}

// run checks the store.
func (w *world) run() (fsck.Summary, []fsck.Finding) {
	w.Helper()
	var found []fsck.Finding
	summary, err := fsck.Run(w.Context(), fsck.Config{Catalog: w.db, Vault: w.vault, Tiles: fs.Tiles(w.logDir()), LogOrigin: origin,
		LogPublicKey: public(w.log), ReceiptPublicKey: public(w.receipt),
		Unwrap: func(a evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, error) {
			return seal.Unwrap(w.private, wrapped, seal.AAD(a, id, attempt))
		}}, func(f fsck.Finding) { found = append(found, f) })
	w.must(err)
	return summary, found
}

func (w *world) blobPath(n int) string {
	i := w.items[n]
	name := i.ID.String() + "-1.floe"
	return filepath.Join(w.dir, "vault", "blobs", string(agency), name[:2], name)
}

// flip changes one bit of a file; a negative offset counts from its end.
func (w *world) flip(path string, offset int) {
	w.Helper()
	data, err := os.ReadFile(path)
	w.must(err)
	if offset < 0 {
		offset += len(data)
	}
	data[offset] ^= 0x10
	w.must(os.WriteFile(path, data, 0o600))
}

// only fails unless there are problems and each names the object and says one
// of the words.
func (w *world) only(found []fsck.Finding, object string, words ...string) {
	w.Helper()
	problems := 0
	for _, f := range found {
		if f.Severity != fsck.Problem {
			continue
		}
		problems++
		said := false
		for _, word := range words {
			said = said || strings.Contains(f.What, word)
		}
		if !said || object != "" && f.Object != object || f.Do == "" {
			w.Errorf("unexpected: %s", f)
		}
	}
	if problems == 0 {
		w.Error("nothing was found")
	}
}
