package simulate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/internal/wire/wiretest"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

const origin = "evidence.test/riverton"

// city is a server with real cryptography and a real log behind a network in
// memory, and the docks that are enrolled at it.
type city struct {
	t         *testing.T
	network   *wiretest.Network
	authority *identity.Authority
	private   *seal.PrivateKey
	receipts  ed25519.PrivateKey
	log       ed25519.PrivateKey
	server    *Server
	docks     []*Identity
	dialler   *wire.Dialer
	pool      *x509.CertPool
	stop      context.CancelFunc
	serving   sync.WaitGroup

	mu       sync.Mutex // guards all below
	tiles    *tlogtest.Memory
	size     int64
	stored   map[evidence.EvidenceID]int
	status   int
	policies int // questions
	known    int // of these, with the digest of what is in force
	offers   int
	controls []*wire.Stream
	welcome  func() error // a refusal
	onOffer  func(n int) error
	onStored func(r *evidence.Receipt, e *evidence.Envelope) *evidence.Envelope
}

func newCity(t *testing.T, docks int) *city {
	t.Helper()
	c := &city{t: t, receipts: ed25519.NewKeyFromSeed([]byte(strings.Repeat("r", 32))), log: ed25519.NewKeyFromSeed([]byte(strings.Repeat("l", 32))),
		tiles: new(tlogtest.Memory), stored: map[evidence.EvidenceID]int{}, network: wiretest.New(t, wiretest.Conditions{RTT: 10 * time.Millisecond}), pool: x509.NewCertPool()}
	var err error
	c.authority, err = identity.NewAuthority("riverton", time.Now())
	c.must(err)
	c.private, err = seal.GeneratePrivateKey()
	c.must(err)
	key, err := c.private.Public().MarshalBinary()
	c.must(err)
	c.pool.AddCert(c.authority.Certificate())
	c.server = &Server{Agency: "riverton", Name: wiretest.ServerName, AgencyKey: key, Authority: c.authority.Certificate().Raw,
		Trust: proof.Trust{Agency: "riverton", LogOrigin: origin, LogPublicKey: public(c.log), ReceiptPublicKey: public(c.receipts)}}
	for i := range docks {
		c.docks = append(c.docks, c.enrol(evidence.DockID(fmt.Sprintf("load-%05d", i+1))))
	}
	c.listen()
	t.Cleanup(func() { c.end() })
	c.dialler = c.network.Dialer(t, wire.Options{})
	return c
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func (c *city) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *city) enrol(name evidence.DockID) *Identity {
	c.t.Helper()
	key, err := identity.NewTLSKey()
	c.must(err)
	csr, err := identity.CSR(key, string(name))
	c.must(err)
	der, err := c.authority.IssueDock(csr, name, time.Now())
	c.must(err)
	_, statement, err := ed25519.GenerateKey(nil)
	c.must(err)
	return &Identity{Dock: name, Station: "north", Certificate: der, Key: key, Statement: statement}
}

// fleet makes a fleet of all docks; it is stopped when the test ends.
func (c *city) fleet(change func(*Options)) *Fleet {
	c.t.Helper()
	opt := Options{Server: c.server, Docks: c.docks, Version: "test", NoTCP: true, Dial: func(ctx context.Context, dock int, _ wire.Kind) (lanes.Session, error) {
		s, err := c.dialler.Dial(ctx, c.network.ServerAddr(), c.docks[dock].tls(c.pool, c.server.Name))
		if err != nil {
			return nil, err
		}
		return lanes.Wired(s), nil
	}}
	if change != nil {
		change(&opt)
	}
	f, err := New(opt)
	c.must(err)
	c.t.Cleanup(f.Stop)
	return f
}

func (c *city) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *city) listen() {
	c.t.Helper()
	certificate, err := c.authority.IssueServer([]string{wiretest.ServerName}, time.Now())
	c.must(err)
	listener := c.network.Listen(c.t, identity.ServerTLS(certificate, c.pool), wire.Options{ResetKey: &[32]byte{1}, NoTCP: true})
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = func() {
		cancel()
		_ = listener.Close()
	}
	c.serving.Go(func() {
		for {
			session, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			c.serving.Go(func() { c.serve(ctx, session) })
		}
	})
}

func (c *city) end() {
	c.stop()
	c.serving.Wait()
}

// restart takes the server away without a word, and begins it anew.
func (c *city) restart() {
	c.network.RestartServer(c.t)
	c.end()
	c.listen()
}

func (c *city) serve(ctx context.Context, session *wire.Session) {
	defer session.Close(protocol.EndGoingAway, "done")
	control, err := session.AcceptStream(ctx)
	if err != nil {
		return
	}
	hello, err := protocol.Expect[*protocol.Hello](control, new(protocol.Buffer))
	if err != nil {
		return
	}
	c.mu.Lock()
	refuse := c.welcome
	c.mu.Unlock()
	if refuse != nil {
		if err := refuse(); err != nil {
			_ = protocol.WriteMessage(control, err.(*protocol.Error))
			_ = control.CloseWrite()
			_, _ = control.Read(make([]byte, 1))
			return
		}
	}
	_, dock, err := identity.DockFromCertificate(session.PeerCertificate())
	if err != nil || string(dock) != hello.GetDock() {
		c.t.Errorf("dock %q says that it is %q: %v", dock, hello.GetDock(), err)
	}
	w := &protocol.Welcome{Protocol: protocol.Version, ServerVersion: "test", Agency: "riverton", AgencyPublicKey: c.server.AgencyKey, LogOrigin: origin,
		LogPublicKey: c.server.Trust.LogPublicKey, ReceiptKeyId: "receipt", ReceiptPublicKey: c.server.Trust.ReceiptPublicKey, ServerTimeUs: time.Now().UnixMicro()}
	if protocol.WriteMessage(control, w) != nil || protocol.WriteMessage(control, &protocol.Direction{}) != nil {
		return
	}
	c.set(func() { c.controls = append(c.controls, control) })
	var streams sync.WaitGroup
	defer streams.Wait()
	streams.Go(func() {
		for {
			stream, err := session.AcceptStream(ctx)
			if err != nil {
				return
			}
			streams.Go(func() { c.stream(stream) })
		}
	})
	c.control(control)
}

func (c *city) control(stream *wire.Stream) {
	digest := bytes.Repeat([]byte{7}, 32)
	for {
		m, err := protocol.ReadMessage(stream, new(protocol.Buffer), protocol.KindAsk, protocol.KindStatus)
		if err != nil {
			return
		}
		ask, ok := m.(*protocol.Ask)
		if !ok {
			c.set(func() { c.status++ })
			continue
		}
		now := time.Now().UnixMicro()
		answer := &protocol.Answer{Policy: &protocol.PolicyAnswer{Digest: digest}}
		if q := ask.GetClock(); q != nil {
			answer = &protocol.Answer{Clock: &protocol.ClockAnswer{DockUs: q.GetDockUs(), ReceivedUs: now, SentUs: now}}
		} else {
			c.set(func() {
				c.policies++
				if bytes.Equal(ask.GetPolicy().GetHave(), digest) {
					c.known++
				}
			})
		}
		if protocol.WriteMessage(stream, answer) != nil {
			return
		}
	}
}

// direct tells all connections how to send.
func (c *city) direct(d *protocol.Direction) {
	c.mu.Lock()
	controls := c.controls
	c.controls = nil
	c.mu.Unlock()
	for _, control := range controls {
		_ = protocol.WriteMessage(control, d) // some have ended
	}
}

func (c *city) stream(stream *wire.Stream) {
	err := c.record(stream)
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused):
		_ = protocol.WriteMessage(stream, refused)
	case err != nil:
		stream.Reset(protocol.EndNormal)
		return
	}
	_ = stream.CloseWrite()
	stream.StopRead(protocol.EndNormal)
}

// record takes one recording, and checks all of it.
func (c *city) record(stream *wire.Stream) error {
	var buffer protocol.Buffer
	offer, err := protocol.Expect[*protocol.Offer](stream, &buffer)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.offers++
	n, hook := c.offers, c.onOffer
	c.mu.Unlock()
	if hook != nil {
		if err := hook(n); err != nil {
			return err
		}
	}
	m, digest, opener, err := c.judge(offer)
	if err != nil {
		c.t.Errorf("an offer does not hold: %v", err)
		return err
	}
	if err := protocol.WriteMessage(stream, &protocol.Accept{}); err != nil {
		return err
	}
	var whole []byte
	for i := range evidence.LeafCount(m.Length) {
		data, err := protocol.Expect[*protocol.Data](stream, &buffer)
		if err != nil {
			return err
		}
		plain, err := opener.Open(nil, data.Sealed, data.Index, data.Index == evidence.LeafCount(m.Length)-1)
		if leaf := evidence.LeafHash(plain); err != nil || data.Index != i || !bytes.Equal(leaf[:], offer.Leaf(i)) {
			c.t.Errorf("segment %d is not what was offered: %v", i, err)
		}
		whole = append(whole, plain...)
		if err := protocol.WriteMessage(stream, &protocol.Ack{DurableSegments: i + 1, Frames: i + 1}); err != nil {
			return err
		}
	}
	if _, err := protocol.Expect[*protocol.Finish](stream, &buffer); err != nil {
		return err
	}
	if evidence.SHA256(whole) != m.SHA256 {
		c.t.Error("the whole is not what was offered")
	}
	receipt, err := c.store(m, digest)
	if err != nil {
		return err
	}
	return protocol.WriteMessage(stream, &protocol.Receipt{Envelope: receipt})
}

func (c *city) judge(offer *protocol.Offer) (*evidence.Manifest, evidence.Digest, *seal.Opener, error) {
	var m evidence.Manifest
	fail := func(err error) (*evidence.Manifest, evidence.Digest, *seal.Opener, error) {
		return nil, evidence.Digest{}, nil, err
	}
	envelope, err := evidence.ParseEnvelope(offer.GetManifest())
	if err != nil {
		return fail(err)
	}
	if err := evidence.Decode(envelope.Payload, &m); err != nil {
		return fail(err)
	}
	for _, d := range c.docks {
		if d.Dock == m.Dock {
			_, err = envelope.Verify(evidence.TypeManifest, public(d.Statement))
		}
	}
	if err != nil {
		return fail(err)
	}
	aad := seal.AAD(m.Agency, m.Evidence, m.Attempt)
	key, err := seal.Unwrap(c.private, offer.GetWrappedKey(), aad)
	if err != nil {
		return fail(err)
	}
	opener, err := seal.NewOpener(key, aad, offer.GetHeader())
	return &m, evidence.SHA256(envelope.Payload), opener, err
}

// store logs a recording and signs its receipt.
func (c *city) store(m *evidence.Manifest, digest evidence.Digest) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored[m.Evidence]++
	r := &evidence.Receipt{Version: 1, Agency: m.Agency, Dock: m.Dock, Evidence: m.Evidence, Attempt: m.Attempt, CameraSerial: m.Camera.Serial, Path: m.Recording.Path,
		Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot, ManifestDigest: digest, StoredAt: time.Now().UTC()}
	event := evidence.Event{Version: 1, Agency: r.Agency, Type: evidence.EventEvidenceStored, At: r.StoredAt, Actor: evidence.Actor{Kind: "server", ID: "ingest"},
		Object: evidence.ItemObject(r.Evidence), Outcome: evidence.OutcomeDone, Details: proof.StoredDetails(r)}
	text, err := event.Encode()
	if err != nil {
		return nil, err
	}
	ctx, salt, index := context.Background(), []byte(strings.Repeat("s", 32)), c.size
	size, root, err := tlog.Append(ctx, c.tiles, c.size, [][]byte{tlog.Entry(salt, text)})
	if err != nil {
		return nil, err
	}
	c.size = size
	signer, err := tlog.NewSigner(origin, c.log)
	if err != nil {
		return nil, err
	}
	checkpoint, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: size, Root: root}, signer)
	if err != nil {
		return nil, err
	}
	path, err := tlog.ProveInclusion(ctx, c.tiles, size, index)
	if err != nil {
		return nil, err
	}
	r.Proof = evidence.LogProof{Origin: origin, Index: index, Salt: salt, Event: text, Checkpoint: string(checkpoint)}
	for _, h := range path {
		r.Proof.Path = append(r.Proof.Path, evidence.Digest(h))
	}
	payload, err := evidence.Encode(r)
	if err != nil {
		return nil, err
	}
	envelope := evidence.Sign(evidence.TypeReceipt, payload, "receipt", c.receipts)
	if c.onStored != nil {
		if other := c.onStored(r, envelope); other != nil {
			envelope = other
		}
	}
	return envelope.Marshal(), nil
}
