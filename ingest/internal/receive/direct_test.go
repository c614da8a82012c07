package receive_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/upload"
)

// planner directs docks and writes down what it hears of them.
type planner struct {
	mu      sync.Mutex // guards all below
	now     *upload.Direction
	changed chan struct{}
	heard   []string
	told    chan struct{} // at each thing heard
}

func newPlanner() *planner {
	return &planner{changed: make(chan struct{}), told: make(chan struct{}, 100)}
}

func (p *planner) Direction(receive.Peer) (*upload.Direction, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.changed
}

func (p *planner) set(d *upload.Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = d
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *planner) hear(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, what)
	p.told <- struct{}{}
}

func (p *planner) Status(d receive.Peer, s *upload.Status) { p.hear("status " + string(d.Dock)) }
func (p *planner) Queue(d receive.Peer, q *upload.Queue)   { p.hear("queue " + string(d.Dock)) }
func (p *planner) Gone(d receive.Peer)                     { p.hear("gone " + string(d.Dock)) }

func TestDirectionsReachEveryConnectionOfADock(t *testing.T) {
	p := newPlanner()
	w := start(t, receive.Options{Directions: p})
	one := w.connect()
	if one.Direction.GetLimited() || one.Direction.GetDraining() {
		t.Errorf("the first direction is %v, want an empty one", one.Direction)
	}
	p.set(&upload.Direction{Limited: true, BytesPerSecond: 1000, LimitWhy: "night"})
	two := w.connect()
	if two.Direction.GetBytesPerSecond() != 1000 {
		t.Errorf("a later connection hears %v", two.Direction)
	}
	w.ok(one.AwaitDirection())
	if one.Direction.GetBytesPerSecond() != 1000 || one.Direction.GetLimitWhy() != "night" {
		t.Errorf("the earlier connection hears %v", one.Direction)
	}
	p.set(&upload.Direction{Order: []string{"no id"}}) // not fit to be sent: harms nobody
	w.ok(one.AwaitDirection())
	if len(one.Direction.GetOrder()) != 0 {
		t.Errorf("heard %v", one.Direction)
	}
	if _, err := one.Ask(&upload.Inventory{Envelope: []byte("{}")}); err != nil {
		t.Errorf("the connection is of no use any more: %v", err)
	}
}

func TestADismissedDockLosesItsConnections(t *testing.T) {
	w := start(t, receive.Options{})
	one, two := w.connect(), w.connect()
	other, err := receivetest.Connect(w.ctx, w.address, w.tls("back-door"), w.hello("back-door"))
	w.ok(err)
	t.Cleanup(other.Close)
	w.receiver.Dismiss("springfield", "nobody")
	w.receiver.Dismiss("springfield", "front-desk")
	w.receiver.Dismiss("springfield", "front-desk")
	for i, c := range []*receivetest.Client{one, two} {
		if err := c.AwaitDirection(); code(err) != upload.CodeUnknownDevice {
			t.Errorf("connection %d hears %v", i, err)
		}
		w.ok(c.Control.CloseWrite())
	}
	for i, c := range []*receivetest.Client{one, two} {
		select {
		case <-c.Session.Context().Done():
		case <-w.ctx.Done():
			t.Errorf("connection %d stays", i)
		}
	}
	if _, err := other.Ask(&upload.Inventory{Envelope: []byte("{}")}); err != nil {
		t.Errorf("another dock suffers: %v", err)
	}
	w.connect() // whom to let in is the acceptor's to say
}

func TestReportsReachTheObserver(t *testing.T) {
	p := newPlanner()
	w := start(t, receive.Options{Observer: p})
	one, two := w.connect(), w.connect()
	queue := &upload.Queue{Recordings: 700, Bytes: 9, Waiting: []*upload.Waiting{{EvidenceId: w.dock.Record(t, "A", nil).Manifest.Evidence.String(), Path: "A"}}}
	w.ok(upload.WriteMessage(one.Control, queue))
	<-p.told
	w.ok(upload.WriteMessage(one.Control, &upload.Status{AtUs: 1}))
	<-p.told
	if got := w.live.Docks()[0].Queue; got.GetRecordings() != 700 || len(got.GetWaiting()) != 1 {
		t.Errorf("live shows the queue %v", got)
	}
	one.Close()
	for { // the first of two that go is not the dock's end
		changed := w.live.Changed()
		if c, err := receivetest.Connect(w.ctx, w.address, w.tls("back-door"), w.hello("back-door")); err == nil {
			c.Close()
			break
		}
		await(t, w, changed)
	}
	<-p.told
	two.Close()
	<-p.told
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := []string{"queue front-desk", "status front-desk", "gone back-door", "gone front-desk"}; !slices.Equal(p.heard, want) {
		t.Errorf("heard %q, want %q", p.heard, want)
	}
}

// stopped stops the server and returns what ends when it has.
func (w *world) stopped() <-chan struct{} {
	w.stop()
	ended := make(chan struct{})
	go func() { defer close(ended); w.done <- <-w.done }()
	return ended
}

func TestAStoppingServerTellsDocksToLeaveAndAcknowledgesWhatIsOnItsWay(t *testing.T) {
	w := start(t, receive.Options{SegmentTime: 20 * time.Second})
	client := w.connect()
	r := w.dock.Record(t, "A.MP4", make([]byte, 3<<20))
	s := w.offer(client, r)
	stripe := w.join(w.connect(), r)
	w.ok(s.Send(r, 0, 1))
	ended := w.stopped()
	w.ok(client.AwaitDirection())
	if d := client.Direction; !d.GetDraining() || d.GetBackWithinMs() < 5000 {
		t.Fatalf("heard %v, want draining and 5 s at least", d)
	}
	w.ok(s.Send(r, 1, 2)) // it was being sent
	w.ok(s.AwaitFrames(2))
	w.ok(stripe.Send(r, 2, 3))
	w.ok(stripe.End(1))
	for what, open := range map[string]func() error{
		"an offer": func() error { _, _, err := client.Offer(w.ctx, r); return err },
		"a stripe": func() error { _, err := client.Join(w.ctx, r); return err },
		"a connection": func() error {
			_, err := receivetest.Connect(w.ctx, w.address, w.tls("front-desk"), w.hello("front-desk"))
			return err
		},
	} {
		var refused *upload.Error
		if err := open(); !errors.As(err, &refused) || refused.Code != upload.CodeRetryLater || refused.RetryAfter > 5*time.Second {
			t.Errorf("%s got %v, want retry_later within the time to come back", what, err)
		}
	}
	select {
	case <-ended:
		t.Fatal("the server did not wait for the recording's stream")
	default:
	}
	s.Reset(upload.EndNormal) // the dock leaves
	select {
	case <-client.Session.Context().Done():
	case <-w.ctx.Done():
		t.Fatal("the connection lives on")
	}
	var closed *wire.PeerError
	if err := client.Session.Err(); !errors.As(err, &closed) || closed.Code != upload.EndGoingAway {
		t.Errorf("the connection was closed with %v, want going away", err)
	}
	<-ended
}

func TestAStoppingServerWaitsOnlySoLongForADockThatStays(t *testing.T) {
	w := start(t, receive.Options{SegmentTime: 300 * time.Millisecond})
	r := w.dock.Record(t, "A.MP4", make([]byte, 2<<20))
	s := w.offer(w.connect(), r)
	w.ok(s.Send(r, 0, 1))
	w.stop()
	if err := s.AwaitFrames(2); code(err) != upload.CodeRetryLater {
		t.Errorf("got %v, want retry_later", err)
	}
	if s.Frames != 1 {
		t.Errorf("%d frames were acknowledged, want the one that came whole", s.Frames)
	}
}

func TestAPeerTellsWhatItsConnectionRunsOver(t *testing.T) {
	w := start(t, receive.Options{})
	w.connect()
	peer := w.shelf.lastPeer()
	if peer.Transport != "quic" || peer.KeyExchange != "X25519MLKEM768" || peer.CipherSuite == "" {
		t.Errorf("over %q, keys by %q, cipher %q", peer.Transport, peer.KeyExchange, peer.CipherSuite)
	}
}

// An idle dock costs few goroutines of ours: ten thousand of them stay cheap.
func TestAnIdleConnectionCostsThreeGoroutines(t *testing.T) {
	const connections = 10
	w := start(t, receive.Options{Directions: newPlanner()})
	before := ours()
	for range connections {
		if _, err := w.connect().Ask(&upload.Inventory{Envelope: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	if n := ours() - before; n > 3*connections {
		t.Errorf("%d goroutines for %d connections", n, connections)
	}
}

// ours counts the goroutines that stand in package receive.
func ours() (n int) {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "internal/receive.(*session)") {
			n++
		}
	}
	return n
}
