package receive

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Peer is the dock at the other end of a connection, as its certificate names
// it.
type Peer struct {
	Agency      evidence.AgencyID
	Station     evidence.StationID // from the Acceptor's Welcome
	Dock        evidence.DockID
	Certificate evidence.Digest // SHA-256 of the certificate
	Address     netip.AddrPort
	Session     uint64 // counts connections since the server started

	AgentVersion string // as its Hello says

	// What the connection runs over, and what TLS agreed on, as in "quic",
	// "X25519MLKEM768" and "TLS_AES_128_GCM_SHA256".
	Transport, KeyExchange, CipherSuite string
	// Drive names the drive on which the dock's recordings were carried here, where
	// there is no connection; empty for a connection.
	Drive string
	// Maker is who has the server make a derivative, in this process, and From where
	// they are; zero: the peer is a dock.
	Maker evidence.Actor
	From  string
}

// Source is where the dock's word came from, as events keep it.
func (p Peer) Source() string {
	if p.Maker.Kind != "" {
		return p.From
	}
	if p.Drive != "" {
		return p.Drive
	}
	return p.Address.String()
}

// Acceptor judges what docks send. Errors that are (or wrap) *upload.Error are
// told to the dock; all others are logged and told as internal. Called from
// many goroutines at once.
type Acceptor interface {
	// Welcome says whether the dock may connect, and where it stands. checkpoint is the
	// newest of the custody log that the dock has; nil: it has none.
	Welcome(ctx context.Context, dock Peer, checkpoint []byte) (*upload.Welcome, evidence.StationID, error)
	// Offer judges an offer. The manifest in it is durable when it returns.
	Offer(ctx context.Context, dock Peer, offer *upload.Offer) (*Admission, error)
	// Inventory takes a signed inventory's JSON; it is durable on return.
	Inventory(ctx context.Context, dock Peer, envelope []byte) error
	// Release takes a signed release's JSON; it is durable on return.
	Release(ctx context.Context, dock Peer, envelope []byte) (evidence.EvidenceID, error)
	// Answer answers a question. received is when its frame had been read; the
	// moment of sending in a clock's answer is set afterwards, right before it
	// is written.
	Answer(ctx context.Context, dock Peer, ask *upload.Ask, received time.Time) (*upload.Answer, error)
	// Firmware opens an image that is published for the dock's agency; any
	// other is an *upload.Error with CodeNotFound.
	Firmware(ctx context.Context, dock Peer, sum evidence.Digest) (Image, error)
}

// Image is a firmware image to read from. One goroutine reads and closes it.
type Image interface {
	io.ReaderAt
	Size() int64 // bytes
	Close() error
}

// Admission is the answer to an offer: a receipt when the recording is stored
// already, else an Intake for it.
type Admission struct {
	Item    Item
	Receipt []byte // envelope JSON; nil: not stored yet
	Intake  Intake // nil with a receipt
}

// Item is what there is to show of a recording on its way.
type Item struct {
	Evidence evidence.EvidenceID
	Attempt  uint32
	Camera   string
	Path     string
	Length   uint64 // bytes that are sealed
	Segments uint64
}

// Intake takes the segments of one recording. Segment, Sync and Durable are safe
// for concurrent use: the streams of a recording call them side by side. When
// all of these calls have ended, one goroutine calls Finish; Close comes last,
// always.
type Intake interface {
	// Durable says how far the recording has come.
	Durable() Durable
	// Held are the segments behind the first so many that are durable too, as
	// Accept tells them (SPEC.md section 4).
	Held(from uint64) []byte
	// Segment verifies and writes segment index; fresh is false when it was
	// there already and is dropped. It is not durable yet. sealed is only valid
	// during the call.
	Segment(ctx context.Context, index uint64, sealed []byte) (fresh bool, err error)
	// Sync makes durable all segments for which Segment had returned before the
	// call, on whichever stream they came.
	Sync(ctx context.Context) (Durable, error)
	// Finish proves and stores the recording and returns the receipt's envelope
	// JSON. A segment that is missing is CodeBadFrame. stage is told what is going on.
	Finish(ctx context.Context, stage func(Stage)) ([]byte, error)
	// Close ends the intake. What was written stays for another try.
	Close() error
	// Interrupted is closed when another stream takes the item over.
	Interrupted() <-chan struct{}
}

// Durable is how many segments of a recording are verified and on the medium.
type Durable struct {
	First uint64 // from the first one on, without a gap
	All   uint64 // in all
}

// Stage is a part of a recording's way into the store, as a word to show.
type Stage string

// The stages.
const (
	StageReceiving Stage = "receiving"
	StageProving   Stage = "proving"    // read back from the medium, opened, hashed
	StageRecording Stage = "committing" // catalog, custody log, checkpoint, receipt
)
