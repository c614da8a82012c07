package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/internal/wire"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

const (
	answerTime     = time.Minute     // for the server's welcome, and its answer to an offer
	farewell       = 5 * time.Second // how long a lane that retires waits for what goes on over it
	clockExchanges = 8               // questions for the server's clock at each connection, as a dock asks
	longest        = 20 * time.Second
)

var (
	errOther  = errors.New("the server is another than the one that the docks were enrolled at")
	errClosed = errors.New("the server closed the control stream")
)

// dock is one simulated dock.
type dock struct {
	f     *Fleet
	place int
	id    *Identity
	lanes *lanes.Lanes
	busy  atomic.Int32           // recordings that have no receipt yet
	told  atomic.Pointer[[]byte] // digest of the policy that the server told of last

	mu      sync.Mutex // guards all below
	up      *use       // that takes recordings; nil: none
	changed chan struct{}

	lanesUp int // connections that were welcomed and live; guarded by tally.mu
}

// use is one connection of a dock.
type use struct {
	lane    *lanes.Lane
	ctx     context.Context
	under   sync.WaitGroup // what goes on over it
	control lanes.Stream
}

func newDock(f *Fleet, place int, id *Identity) *dock {
	d := &dock{f: f, place: place, id: id, changed: make(chan struct{})}
	d.lanes = lanes.New(lanes.Options{
		Dial: d.dial, Serve: d.serve, Busy: func() bool { return d.busy.Load() > 0 }, NoQUIC: f.opt.NoQUIC, NoTCP: f.opt.NoTCP, Most: 1, Cores: 1, Log: f.opt.Log,
	})
	return d
}

func (d *dock) dial(ctx context.Context, kind wire.Kind) (lanes.Session, error) {
	d.f.tally.dial(kind)
	return d.f.opt.Dial(ctx, d.place, kind)
}

// refusal gives lanes the shortest pause that a refusal asks for.
type refusal struct {
	error
	least time.Duration
}

func (r refusal) Unwrap() error        { return r.error }
func (r refusal) Least() time.Duration { return r.least }

// serve uses one connection from its greeting to its end.
func (d *dock) serve(ctx context.Context, lane *lanes.Lane) error {
	err := d.serveLane(ctx, lane)
	var refused *protocol.Error
	if err == nil || ctx.Err() != nil || !errors.As(err, &refused) {
		return err
	}
	d.f.tally.refuse(refused)
	least := refused.RetryAfter
	if !refused.Code.Retryable() {
		least = max(least, longest/2)
	}
	return refusal{err, least}
}

func (d *dock) serveLane(ctx context.Context, lane *lanes.Lane) error {
	s := lane.Session()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.Context(), cancel)()
	control, err := s.OpenStream(ctx)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { control.Reset(protocol.EndGoingAway) })()
	if err := d.greet(control); err != nil {
		return err
	}
	lane.Welcomed()
	d.f.tally.welcome(d, lane.Kind())
	defer d.f.tally.gone(d)
	u := &use{lane: lane, ctx: ctx, control: control}
	retired := make(chan bool, 1)
	go func() {
		retired <- d.talk(u)
		cancel()
	}()
	err = d.listen(u)
	d.leave(u)
	cancel()
	if <-retired {
		return nil
	}
	if failure := s.Err(); failure != nil {
		return failure
	}
	return err
}

// greet sends Hello and checks that Welcome comes from the server of the
// enrolment.
func (d *dock) greet(control lanes.Stream) error {
	if err := control.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	server := d.f.opt.Server
	hello := &protocol.Hello{Protocol: protocol.Version, AgentVersion: d.f.opt.Version, Agency: string(server.Agency), Dock: string(d.id.Dock)}
	if err := protocol.WriteMessage(control, hello); err != nil {
		return fmt.Errorf("greeting the server: %w", err)
	}
	w, err := protocol.Expect[*protocol.Welcome](control, new(protocol.Buffer))
	if err != nil {
		return fmt.Errorf("waiting for the server's welcome: %w", err)
	}
	if w.GetAgency() != string(server.Agency) || !bytes.Equal(w.GetAgencyPublicKey(), server.AgencyKey) || w.GetLogOrigin() != server.Trust.LogOrigin ||
		!bytes.Equal(w.GetLogPublicKey(), server.Trust.LogPublicKey) || !bytes.Equal(w.GetReceiptPublicKey(), server.Trust.ReceiptPublicKey) {
		return errOther
	}
	return control.SetReadDeadline(time.Time{})
}

// listen reads the control stream until it ends; its error is never nil.
func (d *dock) listen(u *use) error {
	for {
		m, err := protocol.ReadMessage(u.control, new(protocol.Buffer), protocol.KindDirection, protocol.KindAnswer, protocol.KindError)
		switch {
		case err == io.EOF:
			return errClosed
		case err != nil:
			return err
		}
		switch m := m.(type) {
		case *protocol.Direction:
			d.follow(u, m)
		case *protocol.Answer:
			if p := m.GetPolicy(); p != nil {
				digest := p.GetDigest()
				d.f.digest.Store(&digest)
			}
		case *protocol.Error:
			if m.Code == protocol.CodeUnknownDevice || m.Code == protocol.CodeBadFrame {
				return m
			}
			d.f.tally.refuse(m)
		}
	}
}

// follow does what the server directs.
func (d *dock) follow(u *use, m *protocol.Direction) {
	d.lanes.SetLimit(m.GetLimited(), m.GetBytesPerSecond())
	told := m.GetPolicyDigest()
	d.told.Store(&told)
	if m.GetDraining() {
		u.lane.Leave(time.Duration(m.GetBackWithinMs()) * time.Millisecond)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up == nil {
		d.up = u
		d.change()
	}
}

// leave lets nothing new begin on a connection.
func (d *dock) leave(u *use) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up == u {
		d.up = nil
		d.change()
	}
}

// change wakes who waits for a connection. d.mu is held.
func (d *dock) change() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// await gives a connection that takes recordings. The caller ends its part of it
// with under.Done.
func (d *dock) await(ctx context.Context) (*use, error) {
	for {
		d.mu.Lock()
		u, changed := d.up, d.changed
		if u != nil {
			u.under.Add(1)
		}
		d.mu.Unlock()
		if u != nil {
			return u, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// look is how often a dock looks whether its status has changed.
const look = time.Second

// talk asks and tells what a dock does, until the connection ends. It says whether
// the connection was to retire.
func (d *dock) talk(u *use) (retired bool) {
	for range clockExchanges {
		d.say(u, &protocol.Ask{Clock: &protocol.ClockQuestion{DockUs: time.Now().UnixMicro()}})
	}
	var asked time.Time
	var known []byte // the digest that was told before
	// Docks that connected at one moment do not tell their status at one.
	timer := time.NewTimer(time.Duration(rand.Float64() * float64(look)))
	defer timer.Stop()
	var told time.Time
	var waiting int32
	for {
		policy := d.toldPolicy()
		if now := time.Now(); asked.IsZero() || policy == nil && now.Sub(asked) >= d.f.opt.PolicyEvery || known != nil && !bytes.Equal(policy, known) {
			asked = now
			d.askPolicy(u)
		}
		known = policy
		select {
		case <-u.ctx.Done():
			return false
		case <-u.lane.Retiring():
			d.retire(u)
			return true
		case <-timer.C:
			timer.Reset(look)
			if now, busy := time.Now(), d.busy.Load(); busy != waiting || now.Sub(told) >= d.f.opt.StatusEvery {
				told, waiting = now, busy
				d.say(u, d.status(u))
			}
		}
	}
}

func (d *dock) toldPolicy() []byte {
	if told := d.told.Load(); told != nil {
		return *told
	}
	return nil
}

func (d *dock) askPolicy(u *use) {
	q := &protocol.PolicyQuestion{}
	if have := d.f.digest.Load(); have != nil {
		q.Have = *have
	}
	d.say(u, &protocol.Ask{Policy: q})
}

func (d *dock) status(u *use) *protocol.Status {
	waiting := uint64(max(d.busy.Load(), 0))
	return &protocol.Status{AtUs: time.Now().UnixMicro(), Bays: d.f.bays, SpoolQuota: 64 << 30, RecordingsWaiting: waiting,
		Transport: &protocol.Transport{Over: string(u.lane.Kind()), Connections: 1}}
}

// say writes on the control stream. What fails ends the connection, and listen
// hears of that.
func (d *dock) say(u *use, m protocol.Message) {
	if err := protocol.WriteMessage(u.control, m); err != nil {
		d.f.opt.Log.Debug("a message was not sent", "dock", d.id.Dock, "kind", m.Kind().String(), "error", err)
	}
}

// retire begins nothing new, and gives what goes on a moment to end.
func (d *dock) retire(u *use) {
	d.leave(u)
	done := make(chan struct{})
	go func() {
		u.under.Wait()
		close(done)
	}()
	end := time.NewTimer(farewell)
	defer end.Stop()
	select {
	case <-done:
	case <-end.C:
	case <-u.ctx.Done():
	}
}
