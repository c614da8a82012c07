package receive_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/testkit/pki"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// shelf is an Acceptor that keeps segments in memory and remembers in what
// order things happened. It judges nothing.
type shelf struct {
	mu        sync.Mutex // guards all below
	segments  map[uint64]int
	synced    map[uint64]bool
	finished  int
	peer      receive.Peer
	inventory int
	block     chan struct{} // when set, Segment waits for it
	refuse    error         // of Segment
	proving   chan struct{} // when set, closed by Finish, which then waits for block
	stop      chan struct{} // Interrupted

	imagesClosed int
	closed       chan struct{} // when set, told of each image that is closed; not guarded
	image        []byte        // never changed while serving
}

func newShelf() *shelf {
	return &shelf{segments: map[uint64]int{}, synced: map[uint64]bool{}, stop: make(chan struct{})}
}

// clear takes all segments off the shelf.
func (s *shelf) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.segments)
	clear(s.synced)
}

// lastPeer is who has connected last.
func (s *shelf) lastPeer() receive.Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer
}

func (s *shelf) Welcome(_ context.Context, peer receive.Peer, _ []byte) (*upload.Welcome, evidence.StationID, error) {
	s.mu.Lock()
	s.peer = peer
	s.mu.Unlock()
	if peer.Dock == "unknown" {
		return nil, "", upload.Errorf(upload.CodeUnknownDevice, "this dock is not enrolled here")
	}
	if peer.Dock == "broken" {
		return nil, "", errors.New("disk /dev/sda7 burns")
	}
	return &upload.Welcome{
		Protocol: upload.Version, ServerVersion: "test", Agency: string(peer.Agency), AgencyPublicKey: []byte{1}, LogOrigin: "log",
		LogPublicKey: make([]byte, 32), ReceiptKeyId: "key", ReceiptPublicKey: make([]byte, 32), ServerTimeUs: 1,
	}, "main", nil
}

func (s *shelf) Offer(_ context.Context, _ receive.Peer, offer *upload.Offer) (*receive.Admission, error) {
	envelope, err := evidence.ParseEnvelope(offer.GetManifest())
	if err != nil {
		return nil, err
	}
	var m evidence.Manifest
	if err := evidence.Decode(envelope.Payload, &m); err != nil {
		return nil, err
	}
	item := receive.Item{Evidence: m.Evidence, Attempt: m.Attempt, Camera: "CAM-1", Length: offer.SegmentCount() << 20, Segments: offer.SegmentCount()}
	return &receive.Admission{Item: item, Intake: &slot{s, item.Segments}}, nil
}

func (s *shelf) Inventory(context.Context, receive.Peer, []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inventory++
	return nil
}

func (s *shelf) Release(context.Context, receive.Peer, []byte) (evidence.EvidenceID, error) {
	return evidence.EvidenceID{1}, upload.Errorf(upload.CodeBadManifest, "no")
}

// Answer answers every clock question and says of every camera that it is
// unknown.
func (s *shelf) Answer(_ context.Context, _ receive.Peer, ask *upload.Ask, received time.Time) (*upload.Answer, error) {
	if q := ask.GetCamera(); q != nil {
		return &upload.Answer{Camera: &upload.CameraAnswer{Serial: q.GetSerial(), Standing: upload.StandingUnknown}}, nil
	}
	return &upload.Answer{Clock: &upload.ClockAnswer{DockUs: ask.GetClock().GetDockUs(), ReceivedUs: received.UnixMicro()}}, nil
}

// Firmware has one image, under its hash.
func (s *shelf) Firmware(_ context.Context, _ receive.Peer, sum evidence.Digest) (receive.Image, error) {
	if sum != evidence.SHA256(s.image) {
		return nil, upload.Errorf(upload.CodeNotFound, "no such image")
	}
	return &shelved{Reader: bytes.NewReader(s.image), shelf: s}, nil
}

// shelved is the shelf's open image.
type shelved struct {
	*bytes.Reader
	shelf *shelf
}

func (s *shelved) Close() error {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	s.shelf.imagesClosed++
	if s.shelf.closed != nil {
		s.shelf.closed <- struct{}{}
	}
	return nil
}

// count reads a number under the lock.
func (s *shelf) count(of func() int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of()
}

// slot is the shelf's Intake.
type slot struct {
	*shelf
	of uint64 // segments
}

func (s *slot) Durable() receive.Durable {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable()
}

// durable runs with the lock held.
func (s *slot) durable() receive.Durable {
	d := receive.Durable{All: uint64(len(s.synced))}
	for s.synced[d.First] {
		d.First++
	}
	return d
}

func (s *slot) Held(from uint64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var held vault.Set
	for index := range s.synced {
		held.Add(index)
	}
	return held.From(from)
}

func (s *slot) Interrupted() <-chan struct{} { return s.stop }

func (s *slot) Close() error { return nil }

func (s *slot) Segment(ctx context.Context, index uint64, sealed []byte) (bool, error) {
	s.mu.Lock()
	block, refuse := s.block, s.refuse
	s.segments[index]++
	fresh := s.segments[index] == 1
	s.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	return fresh, refuse
}

func (s *slot) Sync(context.Context) (receive.Durable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for index := range s.segments {
		s.synced[index] = true
	}
	return s.durable(), nil
}

func (s *slot) Finish(ctx context.Context, stage func(receive.Stage)) ([]byte, error) {
	s.mu.Lock()
	if have := uint64(len(s.segments)); have != s.of {
		s.mu.Unlock()
		return nil, upload.Errorf(upload.CodeBadFrame, "Finish came after %d of %d segments", have, s.of)
	}
	stage(receive.StageProving)
	s.finished++
	proving, block := s.proving, s.block
	s.mu.Unlock()
	if proving != nil {
		close(proving)
		<-block
	}
	return []byte("receipt"), ctx.Err()
}

// world is a Receiver on a loopback socket.
type world struct {
	t         *testing.T
	ctx       context.Context
	shelf     *shelf
	live      *receive.Live
	receiver  *receive.Receiver
	authority *pki.Authority
	address   string
	stop      context.CancelFunc
	done      chan error
	dock      *receivetest.Dock
}

func start(t *testing.T, options receive.Options) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, shelf: newShelf(), live: receive.NewLive(time.Now), authority: pki.NewAuthority(t), done: make(chan error, 1)}
	listener, err := wire.Listen("127.0.0.1:0", identity.ServerTLS(w.authority.Server(t, "localhost"), w.authority.Pool()), wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.address = listener.Addr().String()
	serving, stop := context.WithCancel(ctx)
	w.stop = stop
	w.receiver = receive.New(w.shelf, w.live, slog.New(slog.NewTextHandler(io.Discard, nil)), options)
	go func() { w.done <- w.receiver.Serve(serving, listener) }()
	t.Cleanup(func() {
		stop()
		<-w.done
		listener.Close()
	})
	w.dock = newDock(t)
	return w
}

func newDock(t *testing.T) *receivetest.Dock {
	t.Helper()
	statement, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		t.Fatal(err)
	}
	private, err := seal.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return &receivetest.Dock{Agency: "springfield", Station: "main", ID: "front-desk", Statement: statement, AgencyKey: private.Public()}
}

func (w *world) hello(dock string) *upload.Hello {
	return &upload.Hello{Protocol: upload.Version, AgentVersion: "test", Agency: "springfield", Dock: dock}
}

func (w *world) tls(dock string) *tls.Config {
	return identity.DockTLS(w.authority.Dock(w.t, "springfield", dock), w.authority.Pool(), "localhost")
}

func (w *world) connect() *receivetest.Client {
	w.t.Helper()
	c, err := receivetest.Connect(w.ctx, w.address, w.tls("front-desk"), w.hello("front-desk"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// code is the protocol's code of a refusal.
func code(err error) upload.Code {
	var refused *upload.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestWhoMayConnect(t *testing.T) {
	w := start(t, receive.Options{})
	cases := []struct {
		name  string
		tls   *tls.Config
		hello *upload.Hello
		want  upload.Code
	}{
		{"another protocol version", w.tls("front-desk"), &upload.Hello{Protocol: 2, AgentVersion: "t", Agency: "springfield", Dock: "front-desk"}, upload.CodeVersion},
		{"protocol version 0", w.tls("front-desk"), &upload.Hello{AgentVersion: "t", Agency: "springfield", Dock: "front-desk"}, upload.CodeVersion},
		{"agency other than the certificate's", w.tls("front-desk"), &upload.Hello{Protocol: 1, AgentVersion: "t", Agency: "shelbyville", Dock: "front-desk"}, upload.CodeWrongAgency},
		{"dock other than the certificate's", w.tls("front-desk"), w.hello("back-door"), upload.CodeUnknownDevice},
		{"dock that the acceptor refuses", w.tls("unknown"), w.hello("unknown"), upload.CodeUnknownDevice},
		{"trouble inside", w.tls("broken"), w.hello("broken"), upload.CodeInternal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := receivetest.Connect(w.ctx, w.address, c.tls, c.hello)
			if code(err) != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if c.want == upload.CodeInternal && err != nil && contains(err.Error(), "sda7") {
				t.Errorf("the dock was told of our inside: %v", err)
			}
		})
	}
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}

func TestForeignCertificatesComeNowhere(t *testing.T) {
	w := start(t, receive.Options{})
	foreign := pki.NewAuthority(t)
	cases := map[string]tls.Certificate{
		"of another authority":   foreign.Dock(t, "springfield", "front-desk"),
		"a server's certificate": w.authority.Server(t, "localhost"),
		"none":                   {},
	}
	for name, certificate := range cases {
		t.Run(name, func(t *testing.T) {
			conf := identity.DockTLS(certificate, w.authority.Pool(), "localhost")
			if _, err := receivetest.Connect(w.ctx, w.address, conf, w.hello("front-desk")); !errors.Is(err, wire.ErrHandshake) {
				t.Fatalf("got %v, want a refused handshake", err)
			}
		})
	}
}

func TestAConnectionWithoutHelloIsClosed(t *testing.T) {
	w := start(t, receive.Options{HelloTimeout: 200 * time.Millisecond})
	session, err := wire.Dial(w.ctx, w.address, w.tls("front-desk"), wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-session.Context().Done():
	case <-w.ctx.Done():
		t.Fatal("the connection lives on")
	}
}

func TestConnectionsOfOneDockAreBounded(t *testing.T) {
	w := start(t, receive.Options{SessionsPerDock: 2})
	w.connect()
	second := w.connect()
	if _, err := receivetest.Connect(w.ctx, w.address, w.tls("front-desk"), w.hello("front-desk")); code(err) != upload.CodeRetryLater {
		t.Fatalf("the third got %v, want retry_later", err)
	}
	second.Close()
	for {
		changed := w.live.Changed()
		c, err := receivetest.Connect(w.ctx, w.address, w.tls("front-desk"), w.hello("front-desk"))
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-changed:
		case <-w.ctx.Done():
			t.Fatalf("no place came free: %v", err)
		}
	}
}

func TestAStoppingServerProvesToTheEndAndSendsOthersAway(t *testing.T) {
	w := start(t, receive.Options{})
	w.shelf.proving, w.shelf.block = make(chan struct{}), nil
	client := w.connect()
	r := w.dock.Record(t, "A.MP4", []byte("hello"))
	s, _, err := client.Offer(w.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	waiting, _, err := client.Offer(w.ctx, w.dock.Record(t, "B.MP4", []byte("hello")))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(r, 0, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(1); err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	w.shelf.mu.Lock()
	w.shelf.block = hold
	w.shelf.mu.Unlock()
	finished := make(chan error, 1)
	go func() { _, err := s.Finish(); finished <- err }()
	<-w.shelf.proving
	w.stop()
	if err := waiting.Await(1); code(err) != upload.CodeRetryLater {
		t.Errorf("the one still receiving got %v, want retry_later", err)
	}
	close(hold)
	if err := <-finished; err != nil {
		t.Errorf("the one being proven got %v, want a receipt", err)
	}
}

func TestControlAnswersInOrderAndSurvivesRefusals(t *testing.T) {
	w := start(t, receive.Options{})
	client := w.connect()
	for range 3 {
		if _, err := client.Ask(&upload.Inventory{Envelope: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Ask(&upload.Release{Envelope: []byte("{}")}); code(err) != upload.CodeBadManifest {
			t.Fatalf("got %v, want bad_manifest", err)
		}
	}
	if n := w.shelf.count(func() int { return w.shelf.inventory }); n != 3 {
		t.Errorf("%d inventories arrived, want 3", n)
	}
	client.Control.Write([]byte{byte(upload.KindOffer), 0, 0, 0, 1, 0})
	if _, err := upload.Expect[*upload.InventoryAck](client.Control, new(upload.Buffer)); code(err) != upload.CodeBadFrame {
		t.Fatalf("an offer on the control stream got %v, want bad_frame", err)
	}
	client.Control.CloseWrite()
	select {
	case <-client.Session.Context().Done():
	case <-w.ctx.Done():
		t.Fatal("the connection lives on")
	}
}
