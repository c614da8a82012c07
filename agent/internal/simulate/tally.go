package simulate

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

const maxOutages = 100 // that a report names

// tally counts what happens to all docks. Safe for concurrent use.
type tally struct {
	docks int

	mu        sync.Mutex // guards all below, and dock.lanesUp
	changed   chan struct{}
	stopped   bool
	began     time.Time // of connecting
	connected int       // docks
	first     bool      // all were connected once
	sum       Report    // what is added up in place
	dials     rates     // connections that docks tried to open, by second
	welcomes  rates
	outage    *outage // since when not all are connected; nil: all are, or never were
	received  map[evidence.EvidenceID]bool
	entries   map[int64]bool // places in the custody log that receipts named
	latencies []time.Duration
	bursting  time.Time
	wrong     error // the first recording that failed for good
}

// outage is a time in which not all docks were connected, after they were.
type outage struct {
	began           time.Time
	lost            int
	dials, welcomes rates
}

func newTally(docks int) *tally {
	return &tally{docks: docks, changed: make(chan struct{}), received: map[evidence.EvidenceID]bool{}, entries: map[int64]bool{}, sum: Report{Docks: docks, Refusals: map[string]int{}}}
}

// rates counts events by second.
type rates struct {
	all, most int
	second    int64
	now       int
}

func (r *rates) add(at time.Time) {
	r.all++
	if s := at.Unix(); s != r.second {
		r.second, r.now = s, 0
	}
	r.now++
	r.most = max(r.most, r.now)
}

// change wakes who waits. t.mu is held.
func (t *tally) change() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = time.Now()
}

// stop counts nothing that ends from now on: the docks are taken down.
func (t *tally) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

func (t *tally) dial(kind wire.Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.dials.add(now)
	if kind == wire.TCP {
		t.sum.DialsTCP++
	}
	if t.outage != nil {
		t.outage.dials.add(now)
	}
}

func (t *tally) welcome(d *dock, kind wire.Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.welcomes.add(now)
	if t.outage != nil {
		t.outage.welcomes.add(now)
	}
	d.lanesUp++
	if d.lanesUp > 1 {
		return
	}
	t.connected++
	t.change()
	if t.connected < t.docks {
		return
	}
	if !t.first {
		t.first = true
		t.sum.ConnectSeconds = now.Sub(t.began).Seconds()
		t.sum.ConnectDials, t.sum.ConnectMost = t.dials.all, t.welcomes.most
	}
	t.restored(now)
}

// restored ends an outage. t.mu is held.
func (t *tally) restored(now time.Time) {
	o := t.outage
	if o == nil {
		return
	}
	t.outage = nil
	t.sum.OutagesInAll++
	if len(t.sum.Outages) < maxOutages {
		t.sum.Outages = append(t.sum.Outages, o.tell(now, true))
	}
}

func (o *outage) tell(now time.Time, over bool) Outage {
	return Outage{Lost: o.lost, Back: over, Seconds: now.Sub(o.began).Seconds(), Dials: o.dials.all, MostDials: o.dials.most, MostWelcomes: o.welcomes.most}
}

func (t *tally) gone(d *dock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.lanesUp--
	if d.lanesUp > 0 || t.stopped {
		return
	}
	t.connected--
	if t.first && t.outage == nil {
		t.outage = &outage{began: time.Now()}
	}
	if t.outage != nil {
		t.outage.lost = max(t.outage.lost, t.docks-t.connected)
	}
	t.sum.Lost++
}

// connections is how many docks are connected, and what is closed when one more is.
func (t *tally) connections() (int, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.connected, t.changed
}

func (t *tally) idled(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.IdleSeconds += d.Seconds()
}

func (t *tally) refuse(e *protocol.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Refusals[string(e.Code)]++
	t.sum.LastRefusal = e.Message
}

func (t *tally) brokenOff() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.BrokenOff++
}

func (t *tally) sent(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.BytesSent += uint64(n)
}

func (t *tally) burst(recordings int, bytes uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bursting = time.Now()
	t.sum.Offered += recordings
	t.sum.BurstBytes += bytes
}

func (t *tally) burstEnds() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.BurstSeconds += time.Since(t.bursting).Seconds()
	t.bursting = time.Time{}
}

// receipt counts a receipt that holds.
func (t *tally) receipt(r *evidence.Receipt, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.received[r.Evidence]:
		t.note(fmt.Errorf("recording %s got a second receipt", r.Evidence))
	case t.entries[r.Proof.Index]:
		t.note(fmt.Errorf("the receipt of recording %s names an entry of the custody log, %d, that another names too", r.Evidence, r.Proof.Index))
	default:
		t.received[r.Evidence], t.entries[r.Proof.Index] = true, true
		t.sum.Receipts++
		t.latencies = append(t.latencies, after)
		return
	}
	t.sum.BadReceipts++
}

// fail counts a recording that gets no receipt, or one that does not hold.
func (t *tally) fail(err error, receipt bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Failed++
	if receipt {
		t.sum.BadReceipts++
	}
	t.note(err)
}

// note keeps the first failure. t.mu is held.
func (t *tally) note(err error) {
	if t.wrong == nil {
		t.wrong = err
		t.sum.FirstFailure = err.Error()
	}
}

// complete says whether all that was offered has its one receipt.
func (t *tally) complete() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sum.Receipts == t.sum.Offered && t.sum.BadReceipts == 0 {
		return nil
	}
	return errors.Join(fmt.Errorf("%d recordings were offered and %d got their receipts; %d receipts do not hold", t.sum.Offered, t.sum.Receipts, t.sum.BadReceipts), t.wrong)
}

func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.sum
	return fmt.Sprintf("%d of %d docks connected, %d connections tried, %d welcomed, %d lost; %d of %d receipts, %d MiB sent; %d refusals",
		t.connected, t.docks, t.dials.all, t.welcomes.all, r.Lost, r.Receipts, r.Offered, r.BytesSent>>20, total(r.Refusals))
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func (t *tally) report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.sum
	r.Refusals = maps.Clone(r.Refusals)
	r.Connected, r.Dials, r.Welcomes, r.MostDials, r.MostWelcomes = t.connected, t.dials.all, t.welcomes.all, t.dials.most, t.welcomes.most
	r.Outages = append([]Outage(nil), r.Outages...)
	if t.outage != nil {
		r.Outages = append(r.Outages, t.outage.tell(time.Now(), false))
		r.OutagesInAll++
	}
	if r.BurstSeconds > 0 {
		r.BytesPerSecond = float64(r.BurstBytes) * float64(r.Receipts) / float64(max(r.Offered, 1)) / r.BurstSeconds
		r.ReceiptsPerSecond = float64(r.Receipts) / r.BurstSeconds
	}
	if r.ConnectSeconds > 0 {
		r.ConnectRate = float64(r.Docks) / r.ConnectSeconds
	}
	r.Latency = latencyOf(t.latencies)
	return r
}
