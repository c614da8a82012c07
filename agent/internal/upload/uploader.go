package upload

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// Session is a connection to the server; wire.Session through Wired, or a
// test's.
type Session interface {
	OpenStream(ctx context.Context) (Stream, error)
	Close(code uint64, reason string) error
	Context() context.Context // ends with the session
}

// Stream is one stream of a session.
type Stream interface {
	io.Reader
	io.Writer
	CloseWrite() error
	Reset(code uint64)
	SetReadDeadline(t time.Time) error
}

type wired struct{ *wire.Session }

func (w wired) OpenStream(ctx context.Context) (Stream, error) { return w.Session.OpenStream(ctx) }

// Wired makes a Session of a wire session.
func Wired(s *wire.Session) Session { return wired{s} }

// Options are the settings of an uploader.
type Options struct {
	Spool     *spool.Spool
	Agency    evidence.AgencyID
	Dock      evidence.DockID
	Trust     proof.Trust // pinned at enrolment
	AgencyKey []byte      // public key that item keys are wrapped to, pinned at enrolment
	Version   string      // of the agent
	Dial      func(ctx context.Context) (Session, error)
	Status    func() *protocol.Status // what the server is shown each StatusEvery; nil for nothing
	Policy    *policy.Keeper          // kept up to date; nil: none is asked for
	Images    *policy.Images          // firmware that the policy offers is fetched into it; nil: none
	Now       func() time.Time
	Log       *slog.Logger

	PolicyEvery time.Duration // how often the server is asked for its policy, default 10 s
	InFlight    int           // long recordings under way at once, default 4; short ones are more
	StatusEvery time.Duration // default 1 s
	Answer      time.Duration // how long the server may take to greet or to answer an offer, default 60 s
	Stall       time.Duration // how long a transfer may stand still, default 5 min
	First       time.Duration // first pause after a failure, default 1 s
	Longest     time.Duration // longest pause, default 20 s
}

// shortInFlight is how many recordings of less than a segment may be under way
// at once.
const shortInFlight = 32

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&o.StatusEvery, time.Second)
	set(&o.PolicyEvery, 10*time.Second)
	set(&o.Answer, time.Minute)
	set(&o.Stall, 5*time.Minute)
	set(&o.First, time.Second)
	set(&o.Longest, 20*time.Second)
	if o.InFlight <= 0 {
		o.InFlight = 4
	}
	return o
}

// Uploader hands over what is spooled.
type Uploader struct {
	opt     Options
	buffers chan []byte // one frame each, InFlight of them

	mu     sync.Mutex // guards all below
	state  State
	under  map[evidence.EvidenceID]*Transfer
	trials map[evidence.EvidenceID]*trial
	pause  time.Time // no offers before
	newest checkpoint
	asks   chan<- *question // of the present session; nil without one
	ended  chan struct{}    // closed at its end
	clock  *evidence.Offset // dock ahead of server
}

// trial is what was tried with one recording.
type trial struct {
	pauses     *backoff.Backoff
	until      time.Time // no offer before
	mismatches int       // times the server found other bytes than the manifest says
	conflicts  int
}

type checkpoint struct {
	size int64
	root [32]byte
	text string // as it came
}

// State is how the connection is doing, for people.
type State struct {
	Connected bool       `json:"connected"`
	Message   string     `json:"message"`
	Transfers []Transfer `json:"transfers,omitempty"`
}

// Transfer is one recording under way.
type Transfer struct {
	Item     evidence.EvidenceID `json:"item"`
	Path     string              `json:"path"`
	Segments uint64              `json:"segments"`
	Durable  uint64              `json:"durable"` // segments that the server holds for good
	Sealing  bool                `json:"proving"` // all sent; the server reads it back
}

// New makes an uploader.
func New(opt Options) *Uploader {
	u := &Uploader{opt: opt.withDefaults(), under: map[evidence.EvidenceID]*Transfer{}, trials: map[evidence.EvidenceID]*trial{}}
	u.buffers = make(chan []byte, u.opt.InFlight)
	for range u.opt.InFlight {
		u.buffers <- nil // made when first used
	}
	u.state.Message = "Connecting to the server."
	return u
}

// State returns how the connection is doing. Safe for concurrent use.
func (u *Uploader) State() State {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := u.state
	for _, t := range u.under {
		out.Transfers = append(out.Transfers, *t)
	}
	return out
}

func (u *Uploader) say(connected bool, message string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.state.Connected, u.state.Message = connected, message
}

// Run uploads until ctx ends; its error is ctx's.
func (u *Uploader) Run(ctx context.Context) error {
	pauses := backoff.New(u.opt.First, u.opt.Longest)
	for {
		welcomed, err := u.session(ctx)
		if ctx.Err() != nil {
			u.say(false, "Stopped.")
			return ctx.Err()
		}
		if welcomed {
			pauses.Reset()
		}
		least := time.Duration(0)
		var refused *protocol.Error
		if errors.As(err, &refused) {
			least = refused.RetryAfter
			if !refused.Code.Retryable() {
				least = max(least, u.opt.Longest/2)
			}
		}
		u.say(false, plain(err))
		u.opt.Log.Warn("no connection to the server, recordings are kept in the spool", "error", err, "failures", pauses.Failures()+1)
		if err := pauses.Wait(ctx, least); err != nil {
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
	case errors.As(err, &refused):
		return "The server refuses this dock: " + refused.Error() + ". Recordings are kept meanwhile."
	case errors.Is(err, errOtherServer):
		return "This is not the server that the dock was enrolled at: " + err.Error() + ". Nothing is sent. If the server was set up anew, enrol the dock again."
	}
	return "The server is not reached: " + err.Error() + ". It is tried again by itself and recordings are kept meanwhile. If this is about a certificate, enrol the dock again with a new token."
}
