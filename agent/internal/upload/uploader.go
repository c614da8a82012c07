package upload

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// Options are the settings of an uploader.
type Options struct {
	Spool     *spool.Spool
	Agency    evidence.AgencyID
	Dock      evidence.DockID
	Trust     proof.Trust // pinned at enrolment
	AgencyKey []byte      // public key that item keys are wrapped to, pinned at enrolment
	Version   string      // of the agent
	Dial      func(ctx context.Context, kind wire.Kind) (lanes.Session, error)
	Status    func() *protocol.Status // what the server is shown each StatusEvery; nil for nothing
	Policy    *policy.Keeper          // kept up to date; nil: none is asked for
	Images    *policy.Images          // firmware that the policy offers is fetched into it; nil: none
	Now       func() time.Time
	Log       *slog.Logger

	// Lost tells the server of recordings that cameras have erased for receipts that do
	// not count under trust; it is called when the server turns out to have been restored
	// from a backup. nil: nothing is told.
	Lost func(ctx context.Context, trust proof.Trust) error

	Lanes       int           // most connections at once, 0 for what package lanes thinks right
	OnlyQUIC    bool          // no TLS over TCP, whatever the network does
	PolicyEvery time.Duration // how often a server that does not tell of its policy is asked for it, default 20 s
	InFlight    int           // long recordings under way at once, default 8; short ones are more
	StatusEvery time.Duration // default 1 s
	Answer      time.Duration // how long the server may take to greet or to answer an offer, default 60 s
	Stall       time.Duration // how long the server may owe an answer, default 5 min
	First       time.Duration // first pause after a failure, default 1 s
	Longest     time.Duration // longest pause, default 20 s
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&o.StatusEvery, time.Second)
	set(&o.PolicyEvery, 20*time.Second)
	set(&o.Answer, time.Minute)
	set(&o.Stall, 5*time.Minute)
	set(&o.First, time.Second)
	set(&o.Longest, 20*time.Second)
	if o.InFlight <= 0 {
		o.InFlight = 8
	}
	return o
}

// Uploader hands over what is spooled.
type Uploader struct {
	opt   Options
	lanes *lanes.Lanes
	lead  chan struct{} // holds one token: the lane that has it speaks for the dock

	restoring sync.Mutex // one taking in of a restore at a time

	mu        sync.Mutex // guards all below
	message   string
	open      []*lane // greeted and directed, in the order in which they came
	under     map[evidence.EvidenceID]*transfer
	entered   uint64            // counts transfers
	carried   uint64            // bytes that became durable at the server
	served    map[string]uint64 // bytes taken to be sent, by bay
	work      chan struct{}     // closed and replaced when there may be more to send
	call      chan struct{}     // closed and replaced when lanes or directions change
	trials    map[evidence.EvidenceID]*trial
	pause     time.Time // no offers before
	newest    checkpoint
	direction *protocol.Direction // the last; nil before the first
	asks      chan<- *question    // of the lane that leads; nil without one
	ended     chan struct{}       // closed at its end
	clock     *evidence.Offset    // dock ahead of server
}

// trial is what was tried with one recording.
type trial struct {
	pauses     *backoff.Backoff
	until      time.Time // no offer before
	mismatches int       // times the server found other bytes than the manifest says
	conflicts  int
}

type checkpoint struct {
	tlog.Checkpoint
	text string // as it came
}

// State is how the connection is doing, for people.
type State struct {
	Connected bool       `json:"connected"`
	Message   string     `json:"message"`
	Transport Transport  `json:"transport"`
	Transfers []Transfer `json:"transfers,omitempty"`
	Sending   bool       `json:"sending"` // there is something to send, or on its way
	Carried   uint64     `json:"carried"` // bytes of recordings that became durable at the server since the start
}

// Transport is how the server is reached at the moment.
type Transport struct {
	Over           string        `json:"over"` // what most goes over; empty: nothing
	Connections    int           `json:"connections"`
	Why            string        `json:"why"`
	RTT            time.Duration `json:"rtt_ns"`
	LostPPM        uint64        `json:"lost_ppm"`
	BytesPerSecond uint64        `json:"bytes_per_second"` // sent lately, as IP bytes
	Limited        bool          `json:"limited"`
	Limit          uint64        `json:"limit"` // bytes a second, when limited
	LimitWhy       string        `json:"limit_why,omitempty"`
}

// Transfer is one recording under way.
type Transfer struct {
	Item     evidence.EvidenceID `json:"item"`
	Path     string              `json:"path"`
	Bay      string              `json:"bay"` // of its docking
	Segments uint64              `json:"segments"`
	Durable  uint64              `json:"durable"` // segments that the server holds for good
	Sealing  bool                `json:"proving"` // all sent; the server reads it back
	Urgent   bool                `json:"urgent,omitempty"`
}

// New makes an uploader.
func New(opt Options) *Uploader {
	u := &Uploader{
		opt: opt.withDefaults(), lead: make(chan struct{}, 1), message: "Connecting to the server.",
		under: map[evidence.EvidenceID]*transfer{}, served: map[string]uint64{}, work: make(chan struct{}), call: make(chan struct{}),
		trials: map[evidence.EvidenceID]*trial{},
	}
	u.lead <- struct{}{}
	u.lanes = lanes.New(lanes.Options{
		Dial: u.opt.Dial, Serve: u.serve, Busy: u.busy, Most: u.opt.Lanes, NoTCP: u.opt.OnlyQUIC,
		First: u.opt.First, Longest: u.opt.Longest, Now: u.opt.Now, Log: u.opt.Log,
	})
	return u
}

// State returns how the connection is doing. Safe for concurrent use.
func (u *Uploader) State() State {
	l := u.lanes.State()
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.direction
	state := State{Connected: len(u.open) > 0, Message: u.message, Carried: u.carried, Transport: Transport{
		Over: string(l.Over), Connections: l.Lanes, Why: l.Why, RTT: l.RTT, LostPPM: l.LostPPM, BytesPerSecond: l.Rate,
		Limited: d.GetLimited(), Limit: d.GetBytesPerSecond(), LimitWhy: d.GetLimitWhy(),
	}}
	if !state.Connected && l.Failure != nil {
		state.Message = plain(l.Failure)
	}
	for _, t := range u.under {
		state.Sending = state.Sending || t.missing.count > 0 || t.owes()
		state.Transfers = append(state.Transfers, t.show())
	}
	slices.SortFunc(state.Transfers, func(a, b Transfer) int { return slices.Compare(a.Item[:], b.Item[:]) })
	return state
}

func (u *Uploader) say(message string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.message = message
}

// Run uploads until ctx ends; its error is ctx's, or the journal's.
func (u *Uploader) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return u.lanes.Run(ctx) })
	group.Go(func() error { return u.keepDispatching(ctx) })
	err := group.Wait()
	u.say("Stopped.")
	return err
}

// keepDispatching goes on after failures of the journal.
func (u *Uploader) keepDispatching(ctx context.Context) error {
	pauses := backoff.New(u.opt.First, u.opt.Longest)
	for {
		err := u.dispatch(ctx)
		if ctx.Err() != nil {
			return err
		}
		u.opt.Log.Error("the dock's journal cannot be used, nothing is sent", "error", err)
		u.say("The dock's own journal cannot be used: " + err.Error() + ". It is tried again by itself; look at the dock's disk.")
		if err := pauses.Wait(ctx, 0); err != nil {
			return err
		}
	}
}

// plain says for people why there is no connection and what to do.
func plain(err error) string {
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused) && refused.Code == protocol.CodeUnknownDevice:
		return "The server does not know this dock, or it was disabled. Ask the administrator to enable it, or enrol it again with a new token. Recordings are kept meanwhile. (" + refused.Message + ")"
	case errors.As(err, &refused) && refused.Code == protocol.CodeVersion:
		return "Dock and server speak different versions: " + refused.Message + ". Recordings are kept meanwhile."
	case errors.As(err, &refused) && refused.Code == protocol.CodeSetBack, errors.Is(err, errForked):
		return "The server is not in the state in which this dock has seen it: " + err.Error() + ". Nothing is sent, no camera is erased, and recordings are kept. Tell the server's administrator."
	case errors.As(err, &refused):
		return "The server refuses this dock: " + refused.Error() + ". Recordings are kept meanwhile."
	case errors.Is(err, errOtherServer):
		return "This is not the server that the dock was enrolled at: " + err.Error() + ". Nothing is sent. If the server was set up anew, enrol the dock again."
	}
	return "The server is not reached: " + err.Error() + ". It is tried again by itself and recordings are kept meanwhile. If this is about a certificate, enrol the dock again with a new token."
}
