package uplink

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// ErrInput: what was asked for cannot be done as it was asked. The error's text
// is for people.
var ErrInput = errors.New("this cannot be taken")

// Source tells what docks report. receive.Live fills it through the server's
// wiring.
type Source interface {
	// Docks returns every dock that has connected, of all agencies.
	Docks() []Dock
	// Changed returns a channel that is closed at the next change after the call.
	Changed() <-chan struct{}
}

// Dock is what is known of a dock at a moment.
type Dock struct {
	Agency    evidence.AgencyID
	Station   evidence.StationID
	Dock      evidence.DockID
	Connected bool
	LastSeen  time.Time
	Status    *upload.Status // last report, nil before the first; not to be changed
	Queue     *upload.Queue  // last list of what waits, nil before the first; not to be changed
	Busy      uint64         // how often it was told to come back later, since the server started
}

// Config is what a Service works with. Live and Space may be nil where nothing is
// directed, as on the command line.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	Live    Source
	Space   func() (free uint64, err error) // bytes that the store can still take
	Zone    *time.Location                  // in which alerts tell times; nil is UTC
	// Policy returns the digest of what docks and cameras have to follow, which
	// directions name so that docks ask for it when it is another. nil: none is named.
	Policy func(context.Context) ([]byte, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Service directs the docks of one agency. Safe for concurrent use.
type Service struct {
	Config
	seed   maphash.Seed
	wake   chan struct{} // holds one when rules have changed
	looked bool          // whether the alerts that stand were read; Run's own

	mu      sync.Mutex // guards everything below
	rules   *rules
	policy  []byte // digest, not changed in place
	version uint64 // of rules and policy, counted
	docks   map[evidence.DockID]*dock
	shares  map[evidence.StationID]shareKey
	full    bool // the store, by the last look
}

// dock is what the Service keeps of one dock.
type dock struct {
	live      Dock
	direction *upload.Direction
	key       directionKey  // what direction was made of
	changed   chan struct{} // closed when direction is replaced
	given     uint64        // bytes a second, schedule.NoLimit
	since     time.Time     // of given
	slow      bool          // it does not use what it may: its line carries less
	carries   uint64        // bytes a second that its link was seen to carry; 0: not known
	level     int           // of the spool alarm that stands, in percent; 0: none
	history   []Sample
	sampled   time.Time
}

// New returns a Service that knows the rules that are kept.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	s := &Service{Config: c, seed: maphash.MakeSeed(), wake: make(chan struct{}, 1), docks: map[evidence.DockID]*dock{}, shares: map[evidence.StationID]shareKey{}}
	kept, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.rules, s.version = kept, 1
	return s, s.lookPolicy(ctx)
}

// Desk is the Service as one person may use it.
type Desk struct {
	*Service
	actor  *auth.Actor // nil for the command line
	by     evidence.Actor
	source string
	local  bool
}

// For returns the Desk of a signed-in person, who may do what auth.May allows.
func (s *Service) For(actor *auth.Actor) *Desk {
	d := &Desk{Service: s, actor: actor}
	if actor != nil {
		d.by, d.source = actor.Custody(), actor.Origin.Address
	}
	return d
}

// CommandLine returns the Desk of whoever may run the server's commands.
func (s *Service) CommandLine() *Desk {
	return &Desk{Service: s, by: evidence.Actor{Kind: "server", ID: "local"}, source: "local", local: true}
}

func (s *Service) instant() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// some asks whether the person may do something at any station.
func (d *Desk) some(do auth.Action) bool {
	return d.local || auth.MaySome(d.actor, do, d.Agency)
}

// may asks auth.May without a trace, for a station or with "" for the whole agency.
func (d *Desk) may(do auth.Action, at evidence.StationID) bool {
	return d.local || auth.May(d.actor, do, auth.Object{Agency: d.Agency, Station: at})
}

// mayDock is may for a dock, which it returns. One that the person may not see is
// catalog.ErrNotFound, as is one that is not there.
func (d *Desk) mayDock(ctx context.Context, do auth.Action, id evidence.DockID) error {
	if !d.some(do) {
		return auth.ErrForbidden
	}
	dock, err := d.Catalog.Dock(ctx, d.Agency, id)
	switch {
	case err != nil:
		return fmt.Errorf("dock %s: %w", id, err)
	case d.may(do, dock.Station):
		return nil
	case d.may(auth.ListDocks, dock.Station):
		return auth.ErrForbidden
	}
	return fmt.Errorf("dock %s: %w", id, catalog.ErrNotFound)
}

// allow is may for an act: its denial is an event.
func (d *Desk) allow(ctx context.Context, do auth.Action, kind evidence.EventType, object string, at evidence.StationID) error {
	if d.may(do, at) {
		return d.clear(ctx, do, kind, object, at)
	}
	return d.deny(ctx, auth.ErrForbidden, do, kind, object)
}

// clear has an act wait for a second person where the agency says so.
func (d *Desk) clear(ctx context.Context, do auth.Action, kind evidence.EventType, object string, at evidence.StationID) error {
	if d.local {
		return nil
	}
	return auth.Clear(ctx, d.actor, auth.Act{Do: do, On: []auth.Object{{Agency: d.Agency, Station: at}}, About: object, Kind: kind})
}

// allowDock is mayDock for an act: its denial is an event.
func (d *Desk) allowDock(ctx context.Context, do auth.Action, kind evidence.EventType, object string, dock evidence.DockID) error {
	err := d.mayDock(ctx, do, dock)
	if err != nil || d.local {
		return d.deny(ctx, err, do, kind, object)
	}
	row, err := d.Catalog.Dock(ctx, d.Agency, dock)
	if err != nil {
		return fmt.Errorf("dock %s: %w", dock, err)
	}
	return d.clear(ctx, do, kind, object, row.Station)
}

// deny enters that an act was refused, where err says so.
func (d *Desk) deny(ctx context.Context, err error, do auth.Action, kind evidence.EventType, object string) error {
	hidden := errors.Is(err, catalog.ErrNotFound) && !d.may(do, "")
	if d.actor != nil && (hidden || errors.Is(err, auth.ErrForbidden)) {
		refused := d.event(kind, object, nil)
		refused.Outcome, refused.Reason = evidence.OutcomeRefused, auth.Refusal(err, do)
		if err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, refused); return err }); err != nil {
			d.Log.ErrorContext(ctx, "a denied act could not be recorded", "action", string(do), "error", err)
		}
	}
	return err
}

// event is a custody event of something that this person has done.
func (d *Desk) event(kind evidence.EventType, object string, details map[string]string) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: d.Agency, Type: kind, At: d.instant(), Actor: d.by, Source: d.source, Object: object,
		Outcome: evidence.OutcomeDone, Details: details,
	}
}

// put changes one kept rule, together with its custody event. change gets what
// is kept ("" for nothing) and returns what to keep instead and the event's
// details; returning what is kept already changes nothing.
func (d *Desk) put(ctx context.Context, name string, kind evidence.EventType, object string, change func(before string) (after string, details map[string]string, err error)) error {
	err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		before := ""
		setting, err := tx.Setting(ctx, d.Agency, name)
		switch {
		case err == nil:
			before = setting.Value
		case !errors.Is(err, catalog.ErrNotFound):
			return err
		}
		after, details, err := change(before)
		if err != nil || after == before {
			return err
		}
		if err := tx.SetSetting(ctx, &catalog.Setting{Agency: d.Agency, Name: name, Value: after, UpdatedAt: d.instant(), UpdatedBy: d.by.ID}); err != nil {
			return err
		}
		_, err = tx.AppendEvent(ctx, d.event(kind, object, details))
		return err
	})
	if err != nil {
		return err
	}
	put := sqldb.Behind(ctx, func(ctx context.Context) {
		if err := d.reload(ctx); err != nil {
			d.Log.ErrorContext(ctx, "rules were changed, and cannot be read anew", "error", err)
		}
	})
	if put {
		return nil
	}
	return d.reload(ctx)
}

// reload reads the rules anew and has them told to the docks.
func (s *Service) reload(ctx context.Context) error {
	kept, err := s.load(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if !kept.equal(s.rules) {
		s.rules = kept
		s.version++
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // somebody has woken it already
	}
	return nil
}

// NoLimit is the rate of who may send as fast as the line carries.
const NoLimit = schedule.NoLimit
