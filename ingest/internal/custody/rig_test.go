package custody_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/custody"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

const origin = "evidence.example/springfield"

// rig is a store on a real disk and catalog, which can be crashed and started
// again.
type rig struct {
	t     testing.TB
	dir   string
	ring  *keys.Ring
	sign  *identity.StatementKey // receipts
	point *identity.StatementKey // checkpoints
	dock  *receivetest.Dock
	peer  receive.Peer
	fail  func(custody.Step, bool) error
	most  int // unfinished items of a dock; 0: as in production
	wrap  func(vault.Store) vault.Store

	db      *sqldb.DB
	vault   *fs.Store
	log     *plainLog
	custody *custody.Custody
	stop    func()
}

func newRig(t testing.TB) *rig {
	t.Helper()
	g := &rig{t: t, dir: t.TempDir()}
	var err error
	g.ring, err = keys.Create(filepath.Join(g.dir, "keys"), "springfield")
	g.check(err)
	g.sign, err = identity.NewStatementKey(identity.PurposeReceipt)
	g.check(err)
	g.point, err = identity.NewStatementKey(identity.PurposeCheckpoint)
	g.check(err)
	g.open()
	g.dock, g.peer = g.enrol("front-desk")
	t.Cleanup(func() { g.crash() })
	return g
}

func (g *rig) check(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// open starts the store on what is on the disk.
func (g *rig) open() {
	g.t.Helper()
	var err error
	g.db, err = sqldb.Open(g.t.Context(), "sqlite:"+filepath.Join(g.dir, "catalog.db"), time.Now)
	g.check(err)
	g.vault, err = fs.New(filepath.Join(g.dir, "vault"))
	g.check(err)
	signer, err := tlog.NewSigner(origin, g.point.Private())
	g.check(err)
	g.log = &plainLog{db: g.db, tiles: fs.Tiles(filepath.Join(g.dir, "log")), signer: signer}
	camera, err := identity.NewStatementKey(identity.PurposeCamera)
	g.check(err)
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	orders, err := fleet.New(fleet.Config{
		Catalog: g.db, Agency: "springfield", Key: camera, ReceiptKeys: [][]byte{g.sign.Public()}, Images: filepath.Join(g.dir, "firmware"), Now: time.Now, Log: logger,
	})
	g.check(err)
	var store vault.Store = g.vault
	if g.wrap != nil {
		store = g.wrap(store)
	}
	g.custody = custody.New(custody.Config{
		Catalog: g.db, Vault: store, Log: g.log, LogOrigin: origin, LogPublicKey: g.point.Public(), Keys: g.ring, ReceiptKey: g.sign, Fleet: orders,
		MaxUnfinished: g.most, Version: "test", Now: time.Now, Logger: logger,
		Fail: func(s custody.Step, after bool) error {
			if g.fail == nil {
				return nil
			}
			return g.fail(s, after)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- g.custody.Run(ctx) }()
	g.stop = func() {
		cancel()
		g.custody.Close()
		if err := <-ran; err != nil {
			g.t.Errorf("running custody: %v", err)
		}
	}
}

// crash ends the store without giving anything the time to end well.
func (g *rig) crash() {
	if g.stop != nil {
		g.stop()
		g.stop = nil
		g.check(g.db.Close())
	}
}

func (g *rig) enrol(name evidence.DockID) (*receivetest.Dock, receive.Peer) {
	g.t.Helper()
	statement, err := identity.NewStatementKey(identity.PurposeDock)
	g.check(err)
	public, err := g.ring.Public("springfield")
	g.check(err)
	g.check(g.db.Update(g.t.Context(), func(tx *sqldb.Tx) error {
		return tx.RegisterDock(g.t.Context(), &catalog.Dock{
			Agency: "springfield", ID: name, Station: "main", Fingerprint: evidence.SHA256([]byte(name)), StatementKey: statement.Public(), Enabled: true, EnrolledAt: time.Now(),
		})
	}))
	dock := &receivetest.Dock{Agency: "springfield", Station: "main", ID: name, Statement: statement, AgencyKey: public}
	peer := receive.Peer{Agency: "springfield", Station: "main", Dock: name, Certificate: evidence.SHA256([]byte(name)), Address: netip.MustParseAddrPort("192.0.2.7:4711"), Session: 1, AgentVersion: "test"}
	return dock, peer
}

// offer offers a recording.
func (g *rig) offer(peer receive.Peer, r *receivetest.Recording) (*receive.Admission, error) {
	return g.custody.Offer(g.t.Context(), peer, r.Offer)
}

// deliver takes a recording from its offer to its receipt, as receive does.
func (g *rig) deliver(peer receive.Peer, r *receivetest.Recording) ([]byte, error) {
	ctx := g.t.Context()
	admission, err := g.offer(peer, r)
	if err != nil {
		return nil, err
	}
	if admission.Receipt != nil {
		return admission.Receipt, nil
	}
	in := admission.Intake
	defer in.Close()
	for i := in.Durable().First; i < uint64(len(r.Sealed)); i++ {
		if _, err := in.Segment(ctx, i, r.Sealed[i]); err != nil {
			return nil, err
		}
		if _, err := in.Sync(ctx); err != nil {
			return nil, err
		}
	}
	return in.Finish(ctx, func(receive.Stage) {})
}

func (g *rig) trust() proof.Trust {
	return proof.Trust{Agency: "springfield", LogOrigin: origin, LogPublicKey: g.point.Public(), ReceiptPublicKey: g.sign.Public()}
}

// checkStored demands that the receipt holds, and that what is stored under it
// are the recording's bytes.
func (g *rig) checkStored(r *receivetest.Recording, raw []byte) *evidence.Receipt {
	g.t.Helper()
	envelope, err := evidence.ParseEnvelope(raw)
	g.check(err)
	receipt, err := proof.CheckReceipt(envelope, g.trust(), proof.Want(&r.Manifest, r.Payload))
	g.check(err)
	item, err := g.db.Item(g.t.Context(), "springfield", receipt.Evidence)
	g.check(err)
	if item.State != catalog.StateStored || item.Attempt != receipt.Attempt || !bytes.Equal(item.Receipt, raw) {
		g.t.Fatalf("the item is %s attempt %d, its receipt of %d bytes", item.State, item.Attempt, len(item.Receipt))
	}
	if got := g.readItem(item); !bytes.Equal(got, r.Content) {
		g.t.Fatalf("%d bytes are stored, other than the %d sealed", len(got), len(r.Content))
	}
	return receipt
}

// readItem opens a stored item from the medium by other means than custody's.
func (g *rig) readItem(item *catalog.Item) []byte {
	g.t.Helper()
	key, err := g.ring.Unwrap(item.Agency, item.ID, item.Attempt, item.WrappedKey)
	g.check(err)
	opener, err := seal.NewOpener(key, seal.AAD(item.Agency, item.ID, item.Attempt), item.Header)
	g.check(err)
	blob, err := g.vault.Open(g.t.Context(), vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt})
	g.check(err)
	defer blob.Close()
	all, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	g.check(err)
	all = all[seal.HeaderSize:]
	var plain []byte
	count := seal.SegmentCount(item.SealedLength())
	for i := range count {
		n := min(len(all), vault.SealedSegment)
		plain, err = opener.Open(plain, all[:n], i, i == count-1)
		g.check(err)
		all = all[n:]
	}
	return plain
}

// sound demands that fsck, which shares nothing with custody, finds nothing
// wrong with the store.
func (g *rig) sound() {
	g.t.Helper()
	_, err := fsck.Run(g.t.Context(), fsck.Config{
		Catalog: g.db, Vault: g.vault, Tiles: g.log.tiles, LogOrigin: origin, LogPublicKey: g.point.Public(), ReceiptPublicKey: g.sign.Public(), Unwrap: g.ring.Unwrap,
	}, func(f fsck.Finding) {
		if f.Severity == fsck.Problem {
			g.t.Error(f)
		}
	})
	g.check(err)
}

// events counts events of a type about an item.
func (g *rig) events(kind evidence.EventType, object string) int {
	g.t.Helper()
	rows, err := g.db.Events(g.t.Context(), catalog.EventFilter{Agency: "springfield", Type: kind, Object: object}, 0)
	g.check(err)
	return len(rows)
}

// itemsIn lists the items in a state.
func (g *rig) itemsIn(state catalog.ItemState) []catalog.Item {
	g.t.Helper()
	page, err := g.db.Items(g.t.Context(), catalog.ItemFilter{Agency: "springfield", State: state}, catalog.OldestArrival, "", 0)
	g.check(err)
	return page.Items
}

func code(err error) upload.Code {
	var refused *upload.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// bytesOf makes n bytes that repeat nowhere soon.
func bytesOf(seed string, n int) []byte {
	out := make([]byte, 0, n+32)
	sum := evidence.SHA256([]byte(seed))
	for len(out) < n {
		out = append(out, sum[:]...)
		sum = evidence.SHA256(sum[:])
	}
	return out[:n]
}

// plainLog is a custody log as simple as it can be: tiles and catalog, no lease
// kept, no repair.
type plainLog struct {
	db     *sqldb.DB
	tiles  tlog.Tiles
	signer note.Signer

	compare func(shown []byte) (*audit.Comparison, error) // nil: nothing is ever compared

	mu        sync.Mutex // one sequencing at a time; guards sequenced
	sequenced int
}

func (l *plainLog) Compare(ctx context.Context, shown []byte) (*audit.Comparison, error) {
	if l.compare != nil {
		return l.compare(shown)
	}
	state, err := l.db.LogState(ctx)
	if err != nil {
		return nil, err
	}
	return &audit.Comparison{Head: state.Checkpoint}, nil
}

func (l *plainLog) Sequence(ctx context.Context) (tlog.Checkpoint, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sequenced++
	state, err := l.db.AssignIndices(ctx, "test", time.Minute, 100_000)
	if err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	var entries [][]byte
	err = l.db.EventsByIndex(ctx, state.Size, state.Assigned, func(e *catalog.EventRow) error {
		entries = append(entries, tlog.Entry(e.Salt, e.JSON))
		return nil
	})
	if err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	size, root, err := tlog.Append(ctx, l.tiles, state.Size, entries)
	if err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	checkpoint := tlog.Checkpoint{Origin: origin, Size: size, Root: root}
	text, err := tlog.SignCheckpoint(checkpoint, l.signer)
	if err != nil {
		return tlog.Checkpoint{}, nil, err
	}
	return checkpoint, text, l.db.SaveCheckpoint(ctx, state.Fence, size, root, text)
}

func (l *plainLog) Prove(ctx context.Context, event int64) (index, size int64, path []tlog.Hash, checkpoint []byte, err error) {
	at, err := l.db.LogIndex(ctx, event)
	if err != nil {
		return 0, 0, nil, nil, err
	}
	state, err := l.db.LogState(ctx)
	if err != nil {
		return 0, 0, nil, nil, err
	}
	path, err = tlog.ProveInclusion(ctx, l.tiles, state.Size, *at)
	return *at, state.Size, path, state.Checkpoint, err
}
