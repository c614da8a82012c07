package fleet

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// rig is a Service on a catalog of its own, with a clock that stands.
type rig struct {
	*Service
	t   *testing.T
	db  *sqldb.DB
	url string
	log *bytes.Buffer

	mu sync.Mutex // guards at
	at time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, url: "sqlite:" + filepath.Join(t.TempDir(), "catalog.db"), log: new(bytes.Buffer), at: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	var err error
	g.db, err = sqldb.Open(t.Context(), g.url, g.now)
	g.must(err)
	t.Cleanup(func() { g.db.Close() })
	key, err := identity.NewStatementKey(identity.PurposeCamera)
	g.must(err)
	receipt, err := identity.NewStatementKey(identity.PurposeReceipt)
	g.must(err)
	g.Service, err = New(Config{
		Catalog: g.db, Agency: "springfield", Key: key, ReceiptKeys: [][]byte{receipt.Public()}, Images: filepath.Join(t.TempDir(), "firmware"),
		Now: g.now, Log: slog.New(slog.NewTextHandler(g.log, nil)),
	})
	g.must(err)
	return g
}

func (g *rig) now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at
}

func (g *rig) advance(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = g.at.Add(d)
}

func (g *rig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// enrol enrols a dock, anew when it is there, and returns its key.
func (g *rig) enrol(id evidence.DockID) ed25519.PublicKey {
	g.t.Helper()
	key, err := identity.NewStatementKey(identity.PurposeDock)
	g.must(err)
	g.must(g.db.Update(g.t.Context(), func(tx *sqldb.Tx) error {
		return tx.RegisterDock(g.t.Context(), &catalog.Dock{
			Agency: "springfield", ID: id, Station: "main", Fingerprint: evidence.SHA256([]byte(id)), StatementKey: key.Public(), Enabled: true, EnrolledAt: g.now(),
		})
	}))
	return key.Public()
}

func (g *rig) enable(id evidence.DockID, enabled bool) {
	g.t.Helper()
	g.must(g.db.Update(g.t.Context(), func(tx *sqldb.Tx) error {
		return tx.SetDockEnabled(g.t.Context(), "springfield", id, enabled)
	}))
}

// ask asks for the policy two seconds later.
func (g *rig) ask(have []byte) *upload.PolicyAnswer {
	g.t.Helper()
	g.advance(2 * time.Second)
	answer, err := g.Policy(g.t.Context(), "springfield", have)
	g.must(err)
	g.must((&upload.Answer{Policy: answer}).Validate())
	return answer
}

// trusted reads the trust of a policy as a camera does.
func (g *rig) trusted(p *upload.PolicyAnswer) *evidence.CameraTrust {
	g.t.Helper()
	var t evidence.CameraTrust
	g.read(p.GetTrust(), evidence.TypeCameraTrust, p.GetAuthority(), &t)
	return &t
}

func (g *rig) read(raw []byte, payloadType string, key ed25519.PublicKey, into evidence.Statement) {
	g.t.Helper()
	envelope, err := evidence.ParseEnvelope(raw)
	g.must(err)
	payload, err := envelope.Verify(payloadType, key)
	g.must(err)
	g.must(evidence.Decode(payload, into))
}

// events counts the custody events of a kind.
func (g *rig) events(kind evidence.EventType) int64 {
	g.t.Helper()
	n, err := g.db.CountEvents(g.t.Context(), catalog.EventFilter{Agency: "springfield", Type: kind})
	g.must(err)
	return n
}

// maker makes firmware.
type maker struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey
}

func newMaker(t testing.TB) *maker {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &maker{public, private}
}

// bundle makes an image and its statement, which adjust may change before it is
// signed.
func (m *maker) bundle(t testing.TB, counter uint64, adjust ...func(*evidence.Firmware)) (statement, image []byte) {
	t.Helper()
	image = bytes.Repeat([]byte{byte(counter), 2, 3}, 500_000)
	f := &evidence.Firmware{
		Version: 1, Model: "X3", Release: "2." + string('0'+rune(counter%10)), Counter: counter, Length: uint64(len(image)), SHA256: evidence.SHA256(image),
		MinBattery: 40, ReleasedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Notes: "Better night pictures",
	}
	for _, change := range adjust {
		change(f)
	}
	payload, err := evidence.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Sign(evidence.TypeFirmware, payload, "maker", m.private).Marshal(), image
}

func (g *rig) publish(statement, image []byte) error {
	g.t.Helper()
	_, err := g.Publish(g.t.Context(), CommandLine(), statement, bytes.NewReader(image), 120, 300)
	return err
}

func (g *rig) image(sum evidence.Digest) ([]byte, error) {
	g.t.Helper()
	image, err := g.Image(g.t.Context(), "springfield", sum)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(io.NewSectionReader(image, 0, image.Size()))
	return got, errors.Join(err, image.Close())
}
