package custody

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Log is the custody log: what custody needs of audit.Log.
type Log interface {
	// Sequence brings all committed events into the log; on return a
	// checkpoint that covers them is signed and durable.
	Sequence(ctx context.Context) (tlog.Checkpoint, []byte, error)
	// Compare compares the log with a checkpoint that a dock has kept.
	Compare(ctx context.Context, shown []byte) (*audit.Comparison, error)
	// Prove shows that an event is in the log.
	Prove(ctx context.Context, event int64) (index, size int64, proof []tlog.Hash, checkpoint []byte, err error)
}

// Keys opens recordings' keys: what custody needs of keys.Ring.
type Keys interface {
	// Told returns the key that a dock was told at its enrolment.
	Told(agency evidence.AgencyID, id keys.ID) (*seal.PublicKey, error)
	// Admit opens a recording's key, and wraps it to the newest key of the agency
	// where the dock has an older one.
	Admit(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (key seal.Key, keep []byte, to keys.ID, err error)
	// Newest returns the key to which recordings' keys are wrapped now.
	Newest(agency evidence.AgencyID) (keys.Generation, *seal.PublicKey, error)
}

// Config is what a Custody works with. All fields but DerivativeKey, CameraAuthority,
// Certify, MaxUnfinished and Fail are required.
type Config struct {
	Catalog      *sqldb.DB
	Vault        vault.Store
	Log          Log
	LogOrigin    string
	LogPublicKey ed25519.PublicKey
	Restored     []int64 // as in proof.Trust
	Keys         Keys
	ReceiptKey   *identity.StatementKey
	// DerivativeKey signs derivatives; nil: none are made.
	DerivativeKey *identity.StatementKey
	Fleet         Fleet
	Version       string // of the server
	Now           func() time.Time
	Logger        *slog.Logger

	// CameraAuthority verifies the certificates that cameras bring along; nil:
	// none counts.
	CameraAuthority ed25519.PublicKey
	// Certify signs the certificate of an approved key; nil: cameras get none.
	Certify func(serial string, key []byte) ([]byte, error)

	MaxUnfinished int // items of one dock that may be on their way at once; 0: 10 000

	// Fail, in tests, is asked before and after each step; its error ends the
	// step's caller as a crash would, except that the process lives on.
	Fail func(step Step, after bool) error
}

// Custody implements receive.Acceptor.
type Custody struct {
	Config
	claims  claims
	events  throttle
	jobs    chan *job           // to the committer
	coming  atomic.Int64        // small items that are being taken and have not reached it
	memory  *semaphore.Weighted // bytes of buffers for reading back
	life    context.Context     // ends with Close
	endLife context.CancelFunc

	plains chan []byte // memory for opening segments; nil until it is first used
	kept   kept        // segments that need not be proven again

	begun allowances

	keysMu sync.Mutex // guards keysOf
	keysOf map[dockName]sessionKeys
}

var _ receive.Acceptor = (*Custody)(nil)

// readBackMemory bounds the buffers of all items that are being read back.
const readBackMemory = 64 << 20

// New returns a Custody. Run must run for receipts to be made.
func New(config Config) *Custody {
	if config.MaxUnfinished == 0 {
		config.MaxUnfinished = defaultUnfinished
	}
	c := &Custody{
		Config: config,
		begun:  allowances{left: map[dockName]int{}},
		claims: newClaims(),
		events: newThrottle(config.Now),
		jobs:   make(chan *job, maxBatch),
		memory: semaphore.NewWeighted(readBackMemory),
		plains: make(chan []byte, runtime.GOMAXPROCS(0)),
		keysOf: map[dockName]sessionKeys{},
	}
	for range cap(c.plains) {
		c.plains <- nil
	}
	c.life, c.endLife = context.WithCancel(context.Background())
	return c
}

// Close ends what is still going on in Finish, as a crash would.
func (c *Custody) Close() { c.endLife() }

// Step is a part of an item's life that has a durable effect.
type Step string

// The steps, in their order.
const (
	StepOffered   Step = "manifest committed"
	StepBegun     Step = "partial blob made"
	StepWritten   Step = "segment written"
	StepSynced    Step = "segments synced"
	StepSealed    Step = "blob committed"
	StepReadBack  Step = "blob read back"
	StepStored    Step = "item stored"
	StepLogged    Step = "event logged"
	StepReceipted Step = "receipt kept"
)

// step does one step between its two points of failure.
func (c *Custody) step(name Step, do func() error) error {
	if c.Fail == nil {
		return do()
	}
	if err := c.Fail(name, false); err != nil {
		return fmt.Errorf("before %q: %w", name, err)
	}
	if err := do(); err != nil {
		return err
	}
	if err := c.Fail(name, true); err != nil {
		return fmt.Errorf("after %q: %w", name, err)
	}
	return nil
}

// stands gives the row of a dock that may do its work here. Any other is refused,
// on record, also in the middle of a connection: a dock is disabled at once.
func (c *Custody) stands(ctx context.Context, peer receive.Peer) (*catalog.Dock, error) {
	dock, err := c.Catalog.Dock(ctx, peer.Agency, peer.Dock)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return dock, fmt.Errorf("looking for dock %s: %w", peer.Dock, err)
	}
	why := ""
	switch {
	case err != nil:
		why = "this dock is not enrolled here: enrol it with a new token"
	case !dock.Enabled:
		why = "this dock is disabled at the server"
	case dock.Fingerprint != peer.Certificate:
		why = "this certificate was replaced by a later enrolment: use that one or enrol the dock again"
	}
	if why != "" {
		c.noteRefusal(ctx, evidence.EventDockRefused, peer, evidence.DockObject(peer.Dock), why, nil)
		return dock, upload.Errorf(upload.CodeUnknownDevice, "%s", why)
	}
	return dock, nil
}

// Welcome lets enrolled and enabled docks in.
func (c *Custody) Welcome(ctx context.Context, peer receive.Peer, checkpoint []byte) (*upload.Welcome, evidence.StationID, error) {
	dock, err := c.stands(ctx, peer)
	if err != nil {
		return nil, "", err
	}
	public, err := c.Keys.Told(peer.Agency, keys.ID(dock.AgencyKey))
	if errors.Is(err, keys.ErrNoKey) {
		const why = "the agency's key that this dock has was retired: enrol the dock again with a new token"
		c.noteRefusal(ctx, evidence.EventDockRefused, peer, evidence.DockObject(peer.Dock), why, nil)
		return nil, "", upload.Errorf(upload.CodeUnknownDevice, "%s", why)
	}
	if err != nil {
		return nil, "", err
	}
	agencyKey, err := public.MarshalBinary()
	if err != nil {
		return nil, "", err
	}
	found, err := c.compare(ctx, peer, checkpoint)
	if err != nil {
		return nil, "", err
	}
	var consistency []byte
	for _, h := range found.Consistency {
		consistency = append(consistency, h[:]...)
	}
	if err := c.noteConnection(ctx, peer); err != nil {
		return nil, "", err
	}
	return &upload.Welcome{
		Protocol: upload.Version, ServerVersion: c.Version, Agency: string(peer.Agency), AgencyPublicKey: agencyKey,
		LogOrigin: c.LogOrigin, LogPublicKey: c.LogPublicKey,
		ReceiptKeyId: c.ReceiptKey.ID(), ReceiptPublicKey: c.ReceiptKey.Public(), ServerTimeUs: c.Now().UnixMicro(),
		Checkpoint: found.Head, Consistency: consistency, Restored: c.Restored,
	}, dock.Station, nil
}

func (c *Custody) noteConnection(ctx context.Context, peer receive.Peer) error {
	// Docks open several connections at a time; one event tells of them.
	fresh := c.events.allow("connected " + string(peer.Agency) + " " + string(peer.Dock))
	err := c.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.DockSeen(ctx, peer.Agency, peer.Dock, c.Now(), peer.Address.String(), peer.AgentVersion); err != nil || !fresh {
			return err
		}
		_, err := tx.AppendEvent(ctx, c.event(evidence.EventDockConnected, peer, evidence.DockObject(peer.Dock), evidence.OutcomeDone, "",
			map[string]string{"agent": peer.AgentVersion, "certificate_sha256": peer.Certificate.String()}))
		return err
	})
	if err != nil {
		return fmt.Errorf("recording the connection of dock %s: %w", peer.Dock, err)
	}
	return nil
}
