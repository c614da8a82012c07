package upload

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

const origin = "evidence.test/riverton"

// ingest is a small server with real cryptography and a real log, which keeps
// segments in memory and misbehaves as its hooks say.
type ingest struct {
	t          *testing.T
	authority  *identity.Authority
	private    *seal.PrivateKey
	receiptKey ed25519.PrivateKey
	logKey     ed25519.PrivateKey
	trust      proof.Trust
	dockPublic ed25519.PublicKey
	listener   *wire.Listener
	address    string

	mu         sync.Mutex // guards all below
	tiles      *tlogtest.Memory
	size       int64
	restored   []int64             // as in Welcome
	partial    map[string]*partial // by item and attempt
	plain      map[evidence.EvidenceID][]byte
	receipts   map[evidence.EvidenceID][]byte
	statements []evidence.Envelope
	sent       int // Data frames read
	sessions   int
	live       []*wire.Session
	twice      int // segments that came although they were here
	joins      int
	queues     []*protocol.Queue
	controls   map[*wire.Stream]*sync.Mutex // of the sessions that live
	direction  *protocol.Direction

	welcome   func(*protocol.Welcome)
	onOffer   func(m *evidence.Manifest, n int) error // n counts offers from 1
	onSegment func(m *evidence.Manifest, index uint64) error
	onFrame   func(connection string)                                            // runs with mu held
	onReceipt func(r *evidence.Receipt, e *evidence.Envelope) *evidence.Envelope // nil: the sound one
	onStated  func(n int) error
	offers    int
	stated    int

	onAsk    func(*protocol.Ask) protocol.Message // runs with mu held; nil: the usual answer
	behind   time.Duration
	policy   *protocol.PolicyAnswer
	firmware []byte
	cutAt    uint64
	fetches  []uint64
}

func newIngest(t *testing.T, dock ed25519.PublicKey) *ingest {
	t.Helper()
	authority, err := identity.NewAuthority("riverton", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	private, err := seal.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &ingest{
		t: t, authority: authority, private: private, dockPublic: dock,
		receiptKey: ed25519.NewKeyFromSeed([]byte(strings.Repeat("r", 32))), logKey: ed25519.NewKeyFromSeed([]byte(strings.Repeat("l", 32))),
		policy: &protocol.PolicyAnswer{Digest: make([]byte, 32)}, tiles: new(tlogtest.Memory), partial: map[string]*partial{}, controls: map[*wire.Stream]*sync.Mutex{}, direction: &protocol.Direction{}, plain: map[evidence.EvidenceID][]byte{}, receipts: map[evidence.EvidenceID][]byte{},
	}
	s.trust = proof.Trust{Agency: "riverton", LogOrigin: origin, LogPublicKey: s.logKey.Public().(ed25519.PublicKey), ReceiptPublicKey: s.receiptKey.Public().(ed25519.PublicKey)}
	return s
}

func (s *ingest) listen(address string) {
	s.t.Helper()
	certificate, err := s.authority.IssueServer([]string{"localhost"}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	listener, err := wire.Listen(address, identity.ServerTLS(certificate, s.authority.Pool()), wire.Options{ResetKey: &[32]byte{1}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.take(listener)
}

// take serves a listener until the test ends.
func (s *ingest) take(listener *wire.Listener) {
	s.listener = listener
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var sessions sync.WaitGroup
		defer sessions.Wait()
		for {
			session, err := listener.Accept(ctx)
			if err != nil {
				return
			}
			s.set(func() { s.sessions++; s.live = append(s.live, session) })
			sessions.Go(func() { s.serve(ctx, session) })
		}
	}()
	s.t.Cleanup(func() { cancel(); listener.Close(); <-done })
}

func (s *ingest) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *ingest) serve(ctx context.Context, session *wire.Session) {
	defer session.Close(protocol.EndGoingAway, "done")
	control, err := session.AcceptStream(ctx)
	if err != nil {
		return
	}
	var buffer protocol.Buffer
	hello, err := protocol.Expect[*protocol.Hello](control, &buffer)
	if err != nil {
		return
	}
	key, err := s.private.Public().MarshalBinary()
	if err != nil {
		return
	}
	w := &protocol.Welcome{Protocol: 1, ServerVersion: "test", Agency: "riverton", AgencyPublicKey: key,
		LogPublicKey: s.trust.LogPublicKey, ReceiptKeyId: "receipt", ReceiptPublicKey: s.trust.ReceiptPublicKey, ServerTimeUs: time.Now().UnixMicro()}
	if err := s.history(w, hello.GetCheckpoint()); err != nil {
		s.t.Error(err)
		return
	}
	if s.welcome != nil {
		s.welcome(w)
	}
	if err := protocol.WriteMessage(control, w); err != nil {
		return
	}
	s.mu.Lock()
	writing := new(sync.Mutex)
	s.controls[control] = writing
	d := s.direction
	s.mu.Unlock()
	defer s.set(func() { delete(s.controls, control) })
	writing.Lock()
	err = protocol.WriteMessage(control, d)
	writing.Unlock()
	if err != nil {
		return
	}
	var streams sync.WaitGroup
	defer streams.Wait()
	streams.Go(func() {
		for {
			stream, err := session.AcceptStream(ctx)
			if err != nil {
				return
			}
			streams.Go(func() {
				if err := s.record(session, stream); err != nil {
					refuse(stream, err)
				}
				stream.CloseWrite()
			})
		}
	})
	s.control(control, writing)
}

// refuse sends a protocol error, or breaks the stream off for any other.
func refuse(stream *wire.Stream, err error) {
	var refused *protocol.Error
	if errors.As(err, &refused) {
		_ = protocol.WriteMessage(stream, refused)
		return
	}
	stream.Reset(protocol.EndNormal)
}

// direct tells all docks how to send.
func (s *ingest) direct(d *protocol.Direction) {
	s.mu.Lock()
	s.direction = d
	controls := maps.Clone(s.controls)
	s.mu.Unlock()
	for control, writing := range controls {
		writing.Lock()
		_ = protocol.WriteMessage(control, d) // a session that ends meanwhile hears the next
		writing.Unlock()
	}
}

func (s *ingest) control(stream *wire.Stream, writing *sync.Mutex) {
	answer := func(m protocol.Message) error {
		writing.Lock()
		defer writing.Unlock()
		return protocol.WriteMessage(stream, m)
	}
	var buffer protocol.Buffer
	for {
		m, err := protocol.ReadMessage(stream, &buffer)
		if err != nil {
			return
		}
		var raw []byte
		switch m := m.(type) {
		case *protocol.Inventory:
			raw = m.GetEnvelope()
		case *protocol.Release:
			raw = m.GetEnvelope()
		case *protocol.Ask:
			if err := answer(s.answer(m)); err != nil {
				return
			}
			continue
		case *protocol.Queue:
			s.set(func() { s.queues = append(s.queues, m) })
			continue
		default:
			continue
		}
		var reply protocol.Message
		s.set(func() {
			s.stated++
			if s.onStated != nil {
				if err := s.onStated(s.stated); err != nil {
					reply = err.(*protocol.Error)
					return
				}
			}
			envelope, err := evidence.ParseEnvelope(raw)
			if err != nil {
				s.t.Error(err)
				return
			}
			s.statements = append(s.statements, *envelope)
			reply = &protocol.InventoryAck{}
			if envelope.PayloadType == evidence.TypeRelease {
				var r evidence.Release
				if err := evidence.Decode(envelope.Payload, &r); err != nil {
					s.t.Error(err)
				}
				reply = &protocol.ReleaseAck{EvidenceId: r.Evidence.String()}
			}
		})
		if err := answer(reply); err != nil {
			return
		}
	}
}

func (s *ingest) record(session *wire.Session, stream *wire.Stream) error {
	var buffer protocol.Buffer
	first, err := protocol.ReadMessage(stream, &buffer, protocol.KindOffer, protocol.KindJoin, protocol.KindFirmwareFetch)
	if err != nil {
		return err
	}
	switch first := first.(type) {
	case *protocol.FirmwareFetch:
		return s.image(stream, first)
	case *protocol.Join:
		return s.stripe(session, stream, first)
	}
	offer := first.(*protocol.Offer)
	m, digest, opener, err := s.judge(offer)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.offers++
	n, hook := s.offers, s.onOffer
	s.mu.Unlock()
	if hook != nil {
		if err := hook(m, n); err != nil {
			return err
		}
	}
	key := fmt.Sprintf("%s-%d", m.Evidence, m.Attempt)
	s.mu.Lock()
	receipt, p := s.receipts[m.Evidence], s.partial[key]
	if p == nil {
		p = &partial{plain: make([][]byte, evidence.LeafCount(m.Length)), offer: offer, open: opener, m: m}
		s.partial[key] = p
	}
	p.live = true
	accept := p.accept()
	s.mu.Unlock()
	defer s.set(func() { p.live = false })
	if receipt != nil {
		return protocol.WriteMessage(stream, &protocol.Receipt{Envelope: receipt})
	}
	if err := protocol.WriteMessage(stream, accept); err != nil {
		return err
	}
	if err := s.segments(session, stream, p, false); err != nil {
		return err
	}
	envelope, err := s.finish(m, digest, key)
	if err != nil {
		return err
	}
	return protocol.WriteMessage(stream, &protocol.Receipt{Envelope: envelope})
}

// stripe takes segments of a recording that another stream has offered.
func (s *ingest) stripe(session *wire.Session, stream *wire.Stream, join *protocol.Join) error {
	s.mu.Lock()
	s.joins++
	p := s.partial[fmt.Sprintf("%s-%d", join.GetEvidenceId(), join.GetAttempt())]
	if p == nil || !p.live {
		s.mu.Unlock()
		return &protocol.Error{Code: protocol.CodeRetryLater, Message: "nothing is offered"}
	}
	accept := p.accept()
	s.mu.Unlock()
	if err := protocol.WriteMessage(stream, accept); err != nil {
		return err
	}
	return s.segments(session, stream, p, true)
}

// segments takes Data frames until Finish, or the end of a stripe.
func (s *ingest) segments(session *wire.Session, stream *wire.Stream, p *partial, stripe bool) error {
	var buffer protocol.Buffer
	for frames := uint64(1); ; frames++ {
		message, err := protocol.ReadMessage(stream, &buffer, protocol.KindData, protocol.KindFinish)
		if err == io.EOF && stripe {
			return nil
		}
		if err != nil {
			return err
		}
		data, ok := message.(*protocol.Data)
		if !ok {
			return nil
		}
		if s.onSegment != nil {
			if err := s.onSegment(p.m, data.Index); err != nil {
				return err
			}
		}
		plain, err := p.open.Open(nil, data.Sealed, data.Index, data.Index == evidence.LeafCount(p.m.Length)-1)
		if leaf := evidence.LeafHash(plain); err != nil || !bytes.Equal(leaf[:], p.offer.Leaf(data.Index)) {
			return &protocol.Error{Code: protocol.CodeDigestMismatch, Segment: data.Index, Message: "it does not open"}
		}
		var durable uint64
		s.set(func() {
			s.sent++
			if s.onFrame != nil {
				s.onFrame(fmt.Sprint(session.Kind(), session.RemoteAddr()))
			}
			if p.plain[data.Index] != nil {
				s.twice++
			}
			p.plain[data.Index] = append([]byte{}, plain...)
			durable = p.accept().ResumeSegment
		})
		if err := protocol.WriteMessage(stream, &protocol.Ack{DurableSegments: durable, Frames: frames}); err != nil {
			return err
		}
	}
}

func (s *ingest) judge(offer *protocol.Offer) (*evidence.Manifest, evidence.Digest, *seal.Opener, error) {
	envelope, err := evidence.ParseEnvelope(offer.GetManifest())
	if err != nil {
		return nil, evidence.Digest{}, nil, err
	}
	payload, err := envelope.Verify(evidence.TypeManifest, s.dockPublic)
	if err != nil {
		return nil, evidence.Digest{}, nil, err
	}
	var m evidence.Manifest
	if err := evidence.Decode(payload, &m); err != nil {
		return nil, evidence.Digest{}, nil, err
	}
	associated := seal.AAD(m.Agency, m.Evidence, m.Attempt)
	key, err := seal.Unwrap(s.private, offer.GetWrappedKey(), associated)
	if err != nil {
		return nil, evidence.Digest{}, nil, err
	}
	opener, err := seal.NewOpener(key, associated, offer.GetHeader())
	return &m, evidence.SHA256(payload), opener, err
}

// finish checks the whole, logs it and signs the receipt.
func (s *ingest) finish(m *evidence.Manifest, digest evidence.Digest, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	whole := bytes.Join(s.partial[key].plain, nil)
	if evidence.SHA256(whole) != m.SHA256 {
		return nil, &protocol.Error{Code: protocol.CodeDigestMismatch, Message: "the whole differs"}
	}
	r := &evidence.Receipt{
		Version: 1, Agency: m.Agency, Dock: m.Dock, Evidence: m.Evidence, Attempt: m.Attempt, CameraSerial: m.Camera.Serial, Path: m.Recording.Path,
		Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot, ManifestDigest: digest, StoredAt: time.Now().UTC(),
	}
	if err := s.log(r); err != nil {
		return nil, err
	}
	envelope, err := s.sign(r, s.receiptKey)
	if err != nil {
		return nil, err
	}
	if s.onReceipt != nil {
		if other := s.onReceipt(r, envelope); other != nil {
			return other.Marshal(), nil
		}
	}
	s.plain[m.Evidence], s.receipts[m.Evidence] = whole, envelope.Marshal()
	return envelope.Marshal(), nil
}

func keyFrom(seed []byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed) }

// relog logs an altered receipt, so that its proof holds, and signs it.
func relog(s *ingest, r *evidence.Receipt) *evidence.Envelope {
	if err := s.log(r); err != nil {
		s.t.Error(err)
		return nil
	}
	e, err := s.sign(r, s.receiptKey)
	if err != nil {
		s.t.Error(err)
	}
	return e
}
