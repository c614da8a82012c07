package offload

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/content"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Signer signs the dock's statements.
type Signer interface {
	Sign(payloadType string, payload []byte) (*evidence.Envelope, error)
}

// Options are what all bays of a dock share.
type Options struct {
	Spool     *spool.Spool
	Agency    evidence.AgencyID
	Station   evidence.StationID
	Dock      evidence.DockID
	AgencyKey *seal.PublicKey // item keys are wrapped to it
	Signer    Signer
	Version   string           // of the agent
	Now       func() time.Time // the dock's clock
	Log       *slog.Logger

	Reading     int            // bays that may read at once, default 8
	ReadTimeout time.Duration  // for one window of 1 MiB, default 30 s
	Relist      time.Duration  // how often an idle camera is listed again, default 15 s; seldomer where listing takes long
	Steady      time.Duration  // between the two listings that must show a recording the same, default 300 ms
	Retry       time.Duration  // first pause after a failed copy, default 5 s; doubles up to RetryMost
	RetryMost   time.Duration  // default 30 s
	LeaveClocks bool           // never set a camera's clock
	Server      Server         // nil: there is none to ask, and none that could hold anything back
	Images      *policy.Images // firmware for cameras; nil with Server nil
	KeepOnCard  bool           // never erase: recordings stay on the camera after their receipt
}

func (o Options) withDefaults() Options {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&o.ReadTimeout, 30*time.Second)
	set(&o.Relist, 15*time.Second)
	set(&o.Steady, 300*time.Millisecond)
	set(&o.Retry, 5*time.Second)
	set(&o.RetryMost, 30*time.Second)
	if o.Reading <= 0 {
		o.Reading = 8
	}
	return o
}

// Desk is what the dockings of one dock have in common: the settings, the turns
// at reading, and who works on which recording.
type Desk struct {
	opt   Options
	turns chan struct{} // holds one token per bay that reads

	encoder content.Encoder
	room    *semaphore.Weighted // bytes of recordings that are held back to be encoded

	mu      sync.Mutex
	claimed map[evidence.EvidenceID]*Docking // who works on an item: never two
	serials map[string]*Docking              // which docking has which camera
}

// New makes a desk.
func New(opt Options) *Desk {
	opt = opt.withDefaults()
	return &Desk{
		opt:     opt,
		turns:   make(chan struct{}, opt.Reading),
		room:    semaphore.NewWeighted(encodingRoom),
		claimed: map[evidence.EvidenceID]*Docking{},
		serials: map[string]*Docking{},
	}
}

// claim makes d the one that works on an item, unless another docking does.
func (k *Desk) claim(id evidence.EvidenceID, d *Docking) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if other, taken := k.claimed[id]; taken && other != d {
		return false
	}
	k.claimed[id] = d
	return true
}

// enter notes the camera of a docking and returns the bay of another camera that
// gives the same serial, if there is one.
func (k *Desk) enter(serial string, d *Docking) (twin string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if other, taken := k.serials[serial]; taken && other != d {
		return other.port
	}
	k.serials[serial] = d
	return ""
}

// twins tells the docking that has a serial number of another camera that gives it too.
func (k *Desk) twins(serial, port string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if first := k.serials[serial]; first != nil {
		first.alert(aboutDocking, twinAlert(port))
	}
}

// leave forgets a docking.
func (k *Desk) leave(d *Docking) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, holder := range k.claimed {
		if holder == d {
			delete(k.claimed, id)
		}
	}
	for serial, holder := range k.serials {
		if holder == d {
			delete(k.serials, serial)
		}
	}
}
