package receive

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Live is what docks report and how transfers go at this moment. It lives in
// memory only and nothing is decided by it. Safe for concurrent use.
type Live struct {
	now func() time.Time

	mu        sync.Mutex // guards everything below
	docks     map[dockName]*liveDock
	transfers map[*Transfer]struct{}
	changed   chan struct{} // closed at the next change; nil while nobody waits for one

	bytes, twice atomic.Uint64 // see Traffic; not guarded
}

// Traffic is what came in segments since the server started, in bytes.
type Traffic struct {
	Bytes uint64 // in all
	Twice uint64 // of these, in segments that were here already
}

// Traffic tells what came so far.
func (l *Live) Traffic() Traffic { return Traffic{Bytes: l.bytes.Load(), Twice: l.twice.Load()} }

func (l *Live) carried(bytes int, fresh bool) {
	l.bytes.Add(uint64(bytes))
	if !fresh {
		l.twice.Add(uint64(bytes))
	}
}

type dockName struct {
	agency evidence.AgencyID
	dock   evidence.DockID
}

type liveDock struct {
	DockState
	sessions int
}

// DockState is a dock that has connected since the server started.
type DockState struct {
	Agency       evidence.AgencyID
	Station      evidence.StationID
	Dock         evidence.DockID
	Connected    bool
	LastSeen     time.Time
	Address      string
	AgentVersion string
	Status       *upload.Status // last report, nil before the first; not to be changed
	Queue        *upload.Queue  // what waits at the dock, the same
	Busy         uint64         // how often it was told to come back later
}

// TransferState is one recording on its way into the store.
type TransferState struct {
	Agency         evidence.AgencyID
	Station        evidence.StationID
	Dock           evidence.DockID
	Item           Item
	Durable        uint64 // bytes verified and durable
	BytesPerSecond uint64
	Stage          Stage
	StartedAt      time.Time
}

// Transfer is the handle with which one stream reports on itself.
type Transfer struct {
	live  *Live
	state TransferState // guarded by live.mu, as are the fields below
	since time.Time     // the present rate's interval
	from  uint64        // bytes durable at since
}

// rateInterval is the shortest time over which a rate is taken, and twice that
// is how long a rate is shown without progress.
const rateInterval = time.Second

// NewLive returns an empty state.
func NewLive(now func() time.Time) *Live {
	return &Live{now: now, docks: map[dockName]*liveDock{}, transfers: map[*Transfer]struct{}{}}
}

// Changed returns a channel that is closed at the next change.
func (l *Live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// Docks returns every dock seen since the start, by agency and name.
func (l *Live) Docks() []DockState {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]DockState, 0, len(l.docks))
	for _, d := range l.docks {
		all = append(all, d.DockState)
	}
	slices.SortFunc(all, func(a, b DockState) int {
		return cmp.Or(cmp.Compare(a.Agency, b.Agency), cmp.Compare(a.Station, b.Station), cmp.Compare(a.Dock, b.Dock))
	})
	return all
}

// Transfers returns the recordings on their way, oldest first.
func (l *Live) Transfers() []TransferState {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	all := make([]TransferState, 0, len(l.transfers))
	for t := range l.transfers {
		state := t.state
		if now.Sub(t.since) > 2*rateInterval {
			state.BytesPerSecond = 0
		}
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b TransferState) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), slices.Compare(a.Item.Evidence[:], b.Item.Evidence[:]))
	})
	return all
}

// change runs with the lock held.
func (l *Live) change() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *Live) connected(peer Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := dockName{peer.Agency, peer.Dock}
	d := l.docks[name]
	if d == nil {
		d = &liveDock{DockState: DockState{Agency: peer.Agency, Dock: peer.Dock}}
		l.docks[name] = d
	}
	d.sessions++
	d.Connected = true
	d.Station, d.Address, d.AgentVersion, d.LastSeen = peer.Station, peer.Address.String(), peer.AgentVersion, l.now()
	l.change()
}

// disconnected reports whether it was the dock's last connection.
func (l *Live) disconnected(peer Peer) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docks[dockName{peer.Agency, peer.Dock}]
	d.sessions--
	d.Connected = d.sessions > 0
	d.LastSeen = l.now()
	l.change()
	return !d.Connected
}

func (l *Live) status(peer Peer, status *upload.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docks[dockName{peer.Agency, peer.Dock}]
	d.Status, d.LastSeen = status, l.now()
	l.change()
}

// busy counts that a dock was told to come back later.
func (l *Live) busy(peer Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.docks[dockName{peer.Agency, peer.Dock}].Busy++
	l.change()
}

func (l *Live) queue(peer Peer, queue *upload.Queue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docks[dockName{peer.Agency, peer.Dock}]
	d.Queue, d.LastSeen = queue, l.now()
	l.change()
}

func (l *Live) begin(peer Peer, item Item, come Durable) *Transfer {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, durable := l.now(), durableBytes(item, come)
	t := &Transfer{live: l, since: now, from: durable, state: TransferState{
		Agency: peer.Agency, Station: peer.Station, Dock: peer.Dock,
		Item: item, Durable: durable, Stage: StageReceiving, StartedAt: now,
	}}
	l.transfers[t] = struct{}{}
	l.change()
	return t
}

// durable is told by all streams of the recording.
func (t *Transfer) durable(come Durable) {
	t.live.mu.Lock()
	defer t.live.mu.Unlock()
	bytes := max(t.state.Durable, durableBytes(t.state.Item, come))
	t.state.Durable = bytes
	if now := t.live.now(); now.Sub(t.since) >= rateInterval {
		t.state.BytesPerSecond = uint64(float64(bytes-min(bytes, t.from)) / now.Sub(t.since).Seconds())
		t.since, t.from = now, bytes
	}
	t.live.change()
}

func (t *Transfer) stage(stage Stage) {
	t.live.mu.Lock()
	defer t.live.mu.Unlock()
	t.state.Stage = stage
	t.live.change()
}

func (t *Transfer) end() {
	t.live.mu.Lock()
	defer t.live.mu.Unlock()
	delete(t.live.transfers, t)
	t.live.change()
}

func durableBytes(item Item, come Durable) uint64 {
	return min(item.Length, come.All*evidence.LeafSize)
}
