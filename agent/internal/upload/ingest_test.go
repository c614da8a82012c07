package upload

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog"
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
	partial    map[string][][]byte // sealed segments by item and attempt
	plain      map[evidence.EvidenceID][]byte
	receipts   map[evidence.EvidenceID][]byte
	statements []evidence.Envelope
	sent       int // Data frames read
	sessions   int

	welcome   func(*protocol.Welcome)
	onOffer   func(m *evidence.Manifest, n int) error // n counts offers from 1
	onSegment func(m *evidence.Manifest, index uint64) error
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
		policy: &protocol.PolicyAnswer{Digest: make([]byte, 32)}, tiles: new(tlogtest.Memory), partial: map[string][][]byte{}, plain: map[evidence.EvidenceID][]byte{}, receipts: map[evidence.EvidenceID][]byte{},
	}
	s.trust = proof.Trust{Agency: "riverton", LogOrigin: origin, LogPublicKey: s.logKey.Public().(ed25519.PublicKey), ReceiptPublicKey: s.receiptKey.Public().(ed25519.PublicKey)}
	s.listen("127.0.0.1:0")
	s.address = s.listener.Addr().String()
	return s
}

func (s *ingest) listen(address string) {
	s.t.Helper()
	certificate, err := s.authority.IssueServer([]string{"localhost"}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	if s.listener, err = wire.Listen(address, identity.ServerTLS(certificate, s.authority.Pool()), wire.Options{ResetKey: &[32]byte{1}}); err != nil {
		s.t.Fatal(err)
	}
	listener := s.listener
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
			s.set(func() { s.sessions++ })
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
	if _, err := protocol.Expect[*protocol.Hello](control, &buffer); err != nil {
		return
	}
	key, err := s.private.Public().MarshalBinary()
	if err != nil {
		return
	}
	w := &protocol.Welcome{Protocol: 1, ServerVersion: "test", Agency: "riverton", AgencyPublicKey: key, LogOrigin: origin,
		LogPublicKey: s.trust.LogPublicKey, ReceiptKeyId: "receipt", ReceiptPublicKey: s.trust.ReceiptPublicKey, ServerTimeUs: time.Now().UnixMicro()}
	if s.welcome != nil {
		s.welcome(w)
	}
	if err := protocol.WriteMessage(control, w); err != nil {
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
				if err := s.record(stream); err != nil {
					refuse(stream, err)
				}
				stream.CloseWrite()
			})
		}
	})
	s.control(control)
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

func (s *ingest) control(stream *wire.Stream) {
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
			if err := protocol.WriteMessage(stream, s.answer(m)); err != nil {
				return
			}
			continue
		default:
			continue
		}
		var answer protocol.Message
		s.set(func() {
			s.stated++
			if s.onStated != nil {
				if err := s.onStated(s.stated); err != nil {
					answer = err.(*protocol.Error)
					return
				}
			}
			envelope, err := evidence.ParseEnvelope(raw)
			if err != nil {
				s.t.Error(err)
				return
			}
			s.statements = append(s.statements, *envelope)
			answer = &protocol.InventoryAck{}
			if envelope.PayloadType == evidence.TypeRelease {
				var r evidence.Release
				if err := evidence.Decode(envelope.Payload, &r); err != nil {
					s.t.Error(err)
				}
				answer = &protocol.ReleaseAck{EvidenceId: r.Evidence.String()}
			}
		})
		if err := protocol.WriteMessage(stream, answer); err != nil {
			return
		}
	}
}

func (s *ingest) record(stream *wire.Stream) error {
	var buffer protocol.Buffer
	first, err := protocol.ReadMessage(stream, &buffer, protocol.KindOffer, protocol.KindFirmwareFetch)
	if err != nil {
		return err
	}
	if fetch, ok := first.(*protocol.FirmwareFetch); ok {
		return s.image(stream, fetch)
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
	key := m.Evidence.String() + "-" + string(rune('0'+m.Attempt))
	s.mu.Lock()
	receipt, have := s.receipts[m.Evidence], uint64(len(s.partial[key]))
	s.mu.Unlock()
	if receipt != nil {
		return protocol.WriteMessage(stream, &protocol.Receipt{Envelope: receipt})
	}
	if err := protocol.WriteMessage(stream, &protocol.Accept{ResumeSegment: have}); err != nil {
		return err
	}
	for {
		message, err := protocol.ReadMessage(stream, &buffer, protocol.KindData, protocol.KindFinish)
		if err != nil {
			return err
		}
		data, ok := message.(*protocol.Data)
		if !ok {
			break
		}
		if s.onSegment != nil {
			if err := s.onSegment(m, data.Index); err != nil {
				return err
			}
		}
		plain, err := opener.Open(nil, data.Sealed, data.Index, data.Index == evidence.LeafCount(m.Length)-1)
		if leaf := evidence.LeafHash(plain); err != nil || !bytes.Equal(leaf[:], offer.Leaf(data.Index)) {
			return &protocol.Error{Code: protocol.CodeDigestMismatch, Segment: data.Index, Message: "it does not open"}
		}
		s.set(func() {
			s.sent++
			s.partial[key] = append(s.partial[key], plain)
			have = uint64(len(s.partial[key]))
		})
		if data.Index+1 != have {
			s.t.Errorf("segment %d came when %d was wanted", data.Index, have-1)
		}
		if err := protocol.WriteMessage(stream, &protocol.Ack{DurableSegments: have}); err != nil {
			return err
		}
	}
	envelope, err := s.finish(m, digest, key)
	if err != nil {
		return err
	}
	return protocol.WriteMessage(stream, &protocol.Receipt{Envelope: envelope})
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
	whole := bytes.Join(s.partial[key], nil)
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

func (s *ingest) sign(r *evidence.Receipt, key ed25519.PrivateKey) (*evidence.Envelope, error) {
	payload, err := evidence.Encode(r)
	if err != nil {
		return nil, err
	}
	return evidence.Sign(evidence.TypeReceipt, payload, "receipt", key), nil
}

// log appends the receipt's event and fills in its proof. s.mu is held.
func (s *ingest) log(r *evidence.Receipt) error {
	event := evidence.Event{Version: 1, Agency: r.Agency, Type: evidence.EventEvidenceStored, At: r.StoredAt, Actor: evidence.Actor{Kind: "server", ID: "ingest"},
		Object: evidence.ItemObject(r.Evidence), Outcome: evidence.OutcomeDone, Details: proof.StoredDetails(r)}
	text, err := event.Encode()
	if err != nil {
		return err
	}
	salt := []byte(strings.Repeat("s", 32))
	index := s.size
	size, root, err := tlog.Append(context.Background(), s.tiles, s.size, [][]byte{tlog.Entry(salt, text)})
	if err != nil {
		return err
	}
	s.size = size
	signer, err := tlog.NewSigner(origin, s.logKey)
	if err != nil {
		return err
	}
	checkpoint, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: size, Root: root}, signer)
	if err != nil {
		return err
	}
	path, err := tlog.ProveInclusion(context.Background(), s.tiles, size, index)
	if err != nil {
		return err
	}
	r.Proof = evidence.LogProof{Origin: origin, Index: index, Salt: salt, Event: text, Checkpoint: string(checkpoint)}
	for _, h := range path {
		r.Proof.Path = append(r.Proof.Path, evidence.Digest(h))
	}
	return nil
}

// station is a spool with an uploader that talks to an ingest.
type station struct {
	t      *testing.T
	spool  *spool.Spool
	key    *identity.StatementKey
	server *ingest
	tls    *tls.Config
	up     *Uploader
}

func newStation(t *testing.T) *station {
	t.Helper()
	key, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t: t, key: key, server: newIngest(t, key.Public())}
	s.spool, err = spool.Open(t.Context(), spool.Options{Dir: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.spool.Close() })
	tlsKey, err := identity.NewTLSKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.CSR(tlsKey, "front-desk")
	if err != nil {
		t.Fatal(err)
	}
	der, err := s.server.authority.IssueDock(csr, "front-desk", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.tls = identity.DockTLS(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: tlsKey, Leaf: leaf}, s.server.authority.Pool(), "localhost")
	return s
}

// run starts the uploader; the returned stop ends it and waits.
func (s *station) run(change ...func(*Options)) (stop func()) {
	s.t.Helper()
	agencyKey, err := s.server.private.Public().MarshalBinary()
	if err != nil {
		s.t.Fatal(err)
	}
	opt := Options{
		Spool: s.spool, Agency: "riverton", Dock: "front-desk", Trust: s.server.trust, AgencyKey: agencyKey, Version: "test", Now: time.Now,
		Log:   slog.New(slog.NewTextHandler(logWriter{s.t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		First: 10 * time.Millisecond, Longest: 50 * time.Millisecond, StatusEvery: 20 * time.Millisecond,
		Dial: func(ctx context.Context) (Session, error) {
			session, err := wire.Dial(ctx, s.server.address, s.tls, wire.Options{})
			if err != nil {
				return nil, err
			}
			return Wired(session), nil
		},
	}
	for _, c := range change {
		c(&opt)
	}
	s.up = New(opt)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.up.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	s.t.Cleanup(stop)
	return stop
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	if testing.Verbose() {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
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
